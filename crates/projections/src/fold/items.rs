//! Invoices, drafts and opening items: what creates them, and what is said of them anew.

use encours_domain::balance::Balance;
use encours_domain::event::{
    Direction, Draft, DraftCreated, DraftDeleted, DraftUpdated, InvoiceIssued, OpeningItemAdded,
    OpeningItemCorrected,
};
use encours_domain::{Currency, Position};

use super::{known, next};
use crate::error::FoldError;
use crate::heap::Block;
use crate::index::Indexed;
use crate::model::Ledger;
use crate::rows::{Change, ChangeKind, CorrectionRow, InvoiceFlags, InvoiceRow, NONE};
use crate::search;

impl Ledger {
    /// A row of the invoices of which nothing is said yet, not in the table, without texts.
    fn new_item(
        &self,
        no: u32,
        (customer, currency): (u32, Currency),
        flags: u16,
        position: Position,
    ) -> Result<InvoiceRow, FoldError> {
        next("invoice", self.tables.invoices.len(), no)?;
        known(self.tables.customers.get(customer), "customer", customer)?;
        let mut row = InvoiceRow {
            texts: Block::default(),
            customer,
            currency,
            total: 0,
            left: 0,
            credited: 0,
            credit_noted: 0,
            by_others: 0,
            paid_before: 0,
            over_limit: 0,
            issue_date: None,
            due: None,
            sent_on: None,
            flags: InvoiceFlags::default(),
            planned: None,
            last_step: None,
            level: 0,
            content: position.0,
            allocation: NONE,
            first: self.tables.history.len(),
            last: self.tables.history.len(),
        };
        row.flags.set(flags, true);
        Ok(row)
    }

    /// Puts a new row in the table and the indexes.
    fn push_item(&mut self, id: &str, row: InvoiceRow) {
        let no = self.tables.invoices.len();
        self.index.change(no, Indexed::default(), Indexed::of(&row, self.today));
        self.index.invoices.insert(id.as_bytes(), no);
        self.index.invoices_of.add(row.customer, no);
        self.index.watch(no, &row, self.today);
        self.tables.invoices.push(row);
    }

    /// The number of a row that is a draft.
    fn draft(&self, no: u32) -> Result<&InvoiceRow, FoldError> {
        let row = known(self.tables.invoices.get(no), "draft", no)?;
        let is_draft = row.flags.has(InvoiceFlags::DRAFT) && !row.flags.has(InvoiceFlags::DELETED);
        known(is_draft.then_some(row), "draft", no)
    }

    pub(super) fn create_draft(
        &mut self,
        position: Position,
        e: &DraftCreated,
    ) -> Result<(), FoldError> {
        let no = e.invoice.0;
        let owner = (e.draft.customer.0, e.draft.currency);
        let row = self.new_item(no, owner, InvoiceFlags::DRAFT, position)?;
        self.push_item(e.id.as_str(), row);
        self.write_draft(position, no, e.id.as_str(), &e.draft)?;
        self.record_first(self.about_draft(position, no, ChangeKind::DraftCreated))
    }

    pub(super) fn update_draft(
        &mut self,
        position: Position,
        e: &DraftUpdated,
    ) -> Result<(), FoldError> {
        let no = e.invoice.0;
        let texts = self.draft(no)?.texts;
        let customer = e.draft.customer.0;
        known(self.tables.customers.get(customer), "customer", customer)?;
        let id = known(self.tables.id(texts), "draft", no)?;
        self.write_draft(position, no, id.as_str(), &e.draft)?;
        self.record(self.about_draft(position, no, ChangeKind::DraftUpdated))
    }

    pub(super) fn delete_draft(
        &mut self,
        position: Position,
        e: &DraftDeleted,
    ) -> Result<(), FoldError> {
        let no = e.invoice.0;
        self.draft(no)?;
        self.change_invoice(no, |row| {
            row.flags.set(InvoiceFlags::DELETED, true);
            (row.issue_date, row.due) = (None, None);
        })?;
        self.record(self.about_draft(position, no, ChangeKind::DraftDeleted))
    }

    fn about_draft(&self, position: Position, item: u32, kind: ChangeKind) -> Change {
        let (position, date) = (position.0, self.today);
        Change { position, amount: 0, item, other: NONE, date, kind }
    }

    fn write_draft(
        &mut self,
        position: Position,
        no: u32,
        id: &str,
        draft: &Draft,
    ) -> Result<(), FoldError> {
        let number = format!("DRAFT-{}", u64::from(no) + 1);
        let given = [draft.number.as_deref(), draft.reference.as_deref()];
        let words = search::words_of(&draft.content, given.into_iter().flatten());
        let texts = [id, &number, "", &words].map(str::as_bytes);
        let texts = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.hand_over(no, draft.customer.0)?;
        self.change_invoice(no, |row| {
            row.texts = texts;
            row.currency = draft.currency;
            row.total = draft.total;
            row.issue_date = draft.issue_date;
            row.due = draft.due_date();
            row.content = position.0;
        })?;
        Ok(())
    }

    /// A draft becomes another customer's.
    fn hand_over(&mut self, no: u32, customer: u32) -> Result<(), FoldError> {
        let row = known(self.tables.invoices.get_mut(no), "invoice", no)?;
        let before = std::mem::replace(&mut row.customer, customer);
        if before != customer {
            self.index.invoices_of.remove(before, no);
            self.index.invoices_of.add(customer, no);
        }
        Ok(())
    }

    pub(super) fn issue_invoice(
        &mut self,
        position: Position,
        e: &InvoiceIssued,
    ) -> Result<(), FoldError> {
        let (no, customer) = (e.invoice.0, e.customer.0);
        known(self.tables.customers.get(customer), "customer", customer)?;
        let new = if no < self.tables.invoices.len() {
            self.draft(no)?;
            None
        } else {
            Some(self.new_item(no, (customer, e.currency), 0, position)?)
        };
        let words = search::words_of(&e.content, std::iter::empty());
        let texts = [e.id.as_str(), &e.number, &e.reference, &words].map(str::as_bytes);
        let block = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.index.invoice_numbers.insert(texts[1], no);
        let issue = |row: &mut InvoiceRow| {
            row.flags.set(InvoiceFlags::DRAFT, false);
            row.texts = block;
            row.currency = e.currency;
            (row.total, row.left) = (e.total, e.total);
            (row.issue_date, row.due) = (Some(e.issue_date), Some(e.due));
            row.content = position.0;
        };
        let change = Change {
            position: position.0,
            amount: e.total,
            item: no,
            other: customer,
            date: e.issue_date,
            kind: ChangeKind::InvoiceIssued,
        };
        if let Some(mut row) = new {
            issue(&mut row);
            self.push_item(e.id.as_str(), row);
            return self.record_first(change);
        }
        self.hand_over(no, customer)?;
        self.change_invoice(no, issue)?;
        self.watch_due(no)?;
        self.record(change)
    }

    fn watch_due(&mut self, no: u32) -> Result<(), FoldError> {
        let row = known(self.tables.invoices.get(no), "invoice", no)?;
        self.index.watch(no, row, self.today);
        Ok(())
    }

    pub(super) fn add_opening_item(
        &mut self,
        position: Position,
        e: &OpeningItemAdded,
    ) -> Result<(), FoldError> {
        let (no, customer) = (e.invoice.0, e.customer.0);
        let flags = match e.direction {
            Direction::Owed => InvoiceFlags::OPENING,
            Direction::Owing => InvoiceFlags::OPENING | InvoiceFlags::OWING,
        };
        let mut row = self.new_item(no, (customer, e.currency), flags, position)?;
        let texts = [e.id.as_str(), &e.number, &e.reference, ""].map(str::as_bytes);
        row.texts = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.index.invoice_numbers.insert(texts[1], no);
        let left = e.amount - e.paid;
        (row.total, row.paid_before, row.left) = (e.amount, e.paid, left);
        (row.issue_date, row.due) = (Some(e.date), Some(e.due));
        row.sent_on = e.sent_on;
        self.push_item(e.id.as_str(), row);
        self.record_first(Change {
            position: position.0,
            amount: left,
            item: no,
            other: customer,
            date: e.date,
            kind: ChangeKind::OpeningAdded,
        })
    }

    /// What is said of the item changes at once, as nothing is corrected before its day; what it
    /// claims changes on the day of the correction.
    pub(super) fn correct_opening_item(
        &mut self,
        position: Position,
        e: &OpeningItemCorrected,
    ) -> Result<(), FoldError> {
        let no = e.invoice.0;
        let row = *known(self.tables.invoices.get(no), "opening item", no)?;
        let before = row.due.filter(|_| row.flags.has(InvoiceFlags::OPENING));
        let before = known(before, "opening item", no)?;
        let amount = (e.amount - e.paid) - (row.total - row.paid_before);
        self.index.overdue_from.remove(before.overdue_from(), no);
        self.change_invoice(no, |row| {
            (row.total, row.paid_before, row.due) = (e.amount, e.paid, Some(e.due));
        })?;
        self.watch_due(no)?;
        let changed = *known(self.tables.invoices.get(no), "opening item", no)?;
        if row.flags.has(InvoiceFlags::COUNTS) {
            let late = |row: &InvoiceRow| if row.is_late(self.today) { row.open() } else { 0 };
            let overdue = late(&changed) - late(&row);
            self.add(row.customer, &Balance { overdue, ..Balance::zero(row.currency) })?;
        }
        let (position, date) = (position.0, e.date);
        let other =
            self.tables.corrections.push(CorrectionRow { invoice: no, position, date, before });
        let kind = ChangeKind::OpeningCorrected;
        self.record(Change { position, amount, item: no, other, date, kind })
    }
}
