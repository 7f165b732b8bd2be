//! Commands about drafts and opening items.

use encours_domain::commands::{
    AddOpeningItem, CorrectOpeningItem, CreateDraft, DeleteDraft, IssueDraft, UpdateDraft,
};
use encours_domain::event::Direction;
use encours_domain::{Day, Id};

use super::Workload;
use crate::model::{Book, Stage, View};

impl Workload {
    pub(super) fn create_draft(&mut self, book: &Book, today: Day) -> CreateDraft {
        let mut invoice = self.issue_invoice(book, today);
        // Whatever its date is, a draft waits for its issue to be checked against the series.
        if self.rng.one_in(4) {
            invoice.issue_date = self.any_date(today);
        }
        invoice.override_credit_limit = false;
        CreateDraft { invoice }
    }

    pub(super) fn update_draft(&mut self, book: &Book, today: Day) -> UpdateDraft {
        let draft = self.any_draft(book);
        let said = draft.and_then(|no| match &book.invoices[no].stage {
            Stage::Draft(said) => Some(said.as_ref().clone()),
            _ => None,
        });
        let same = said.filter(|_| self.rng.one_in(4));
        let mut invoice = same.unwrap_or_else(|| self.create_draft(book, today).invoice);
        invoice.invoice_id = Some(self.draft_id(book, draft));
        UpdateDraft { invoice }
    }

    pub(super) fn delete_draft(&mut self, book: &Book) -> DeleteDraft {
        let draft = self.any_draft(book);
        let invoice_id = self.draft_id(book, draft);
        DeleteDraft { ledger_id: book.id.clone(), invoice_id }
    }

    pub(super) fn issue_draft(&mut self, book: &Book, today: Day) -> IssueDraft {
        let draft = self.any_draft(book);
        IssueDraft {
            ledger_id: book.id.clone(),
            invoice_id: self.draft_id(book, draft),
            // Most bear today, whatever date the draft has: a series knows no other.
            issue_date: if self.rng.one_in(3) { self.any_date(today) } else { Some(today) },
            number: self.maybe(5, |w| format!("G-{}", 1_000 + w.rng.below(9_000))),
            override_credit_limit: self.rng.one_in(3),
        }
    }

    pub(super) fn add_opening_item(&mut self, book: &Book, today: Day) -> AddOpeningItem {
        let customer = self.rng.index(book.customers.len());
        let amount = self.any_amount();
        let owed = !self.rng.one_in(3);
        let date = self.any_date(today);
        let days = i32::try_from(self.rng.below(60)).unwrap_or_default();
        AddOpeningItem {
            ledger_id: book.id.clone(),
            invoice_id: Some(self.new_id("o")),
            customer_id: book.customers[customer].id.clone(),
            direction: if owed { Direction::Owed } else { Direction::Owing },
            amount,
            paid: self.maybe(3, |w| w.part_of(amount)).unwrap_or_default(),
            currency: self.maybe(8, Self::any_currency),
            date,
            due_date: self.maybe(2, |_| today.plus(days - 30)).flatten().filter(|_| owed),
            number: self.maybe(2, |w| format!("G-{}", 1_000 + w.rng.below(9_000))),
            reference: None,
            sent_on: self.maybe(2, |_| today.plus(-days / 2)).flatten().filter(|_| owed),
        }
    }

    pub(super) fn correct_opening_item(&mut self, book: &Book, today: Day) -> CorrectOpeningItem {
        let item = self.any_opening(book);
        let row = item.map(|no| &book.invoices[no]);
        let total = row.map_or(1, |row| row.total);
        let left = item.map_or(0, |no| i64::try_from(book.left(no, View::ALL)).unwrap_or(0));
        let owed = row.is_some_and(|row| row.stage == Stage::Owed);
        // What is left may go, what is not may not.
        let less = (total - left.min(total)).saturating_add(self.part_of(left.max(1)));
        let amount = match self.rng.below(4) {
            0 => Some(less),
            1 => Some(total.saturating_add(self.any_amount())),
            2 => Some(total - left),
            _ => None,
        };
        let days = i32::try_from(self.rng.below(60)).unwrap_or_default();
        CorrectOpeningItem {
            ledger_id: book.id.clone(),
            invoice_id: Self::id_of(book, item),
            amount,
            paid: self.maybe(4, |w| w.part_of(total.max(1))),
            currency: self.maybe(6, |_| Self::currency_of(book, item)),
            due_date: self.maybe(3, |_| today.plus(days - 30)).flatten().filter(|_| owed),
            date: self.any_date(today),
        }
    }

    fn any_draft(&mut self, book: &Book) -> Option<usize> {
        let is_draft = |no: &usize| matches!(book.invoices[*no].stage, Stage::Draft(_));
        let drafts: Vec<usize> = (0..book.invoices.len()).filter(is_draft).collect();
        let draft = self.one_of(&drafts);
        if self.rng.one_in(8) { None } else { draft }.or_else(|| self.any_invoice(book))
    }

    fn any_opening(&mut self, book: &Book) -> Option<usize> {
        let is_opening =
            |no: &usize| matches!(book.invoices[*no].stage, Stage::Owed | Stage::Owing);
        let openings: Vec<usize> = (0..book.invoices.len()).filter(is_opening).collect();
        self.one_of(&openings).or_else(|| self.any_invoice(book))
    }

    fn draft_id(&mut self, book: &Book, draft: Option<usize>) -> Id {
        draft.map_or_else(|| self.new_id("nobody"), |no| book.invoices[no].id.clone())
    }
}
