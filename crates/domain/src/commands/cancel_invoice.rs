//! `CancelInvoice`: credits all that is creditable of an invoice.

use super::allocation::Book;
use super::issue_credit_note::{NewCreditNote, repeat};
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::id::Id;
use crate::money::Money;
use crate::number::{InvoiceNo, Source, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Invoice, Ledger, State};
use crate::text;

/// Cancels an invoice by a credit note over all that is creditable. Other credits used on it are
/// returned. Refused where payments are allocated, unless `keep_unapplied`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelInvoice {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// Id of the credit note; assigned where left out.
    pub credit_note_id: Option<Id>,
    /// Number of the credit note, where the caller numbers its own; else the series allots one.
    pub number: Option<String>,
    /// Issue date of the credit note; the ledger's today where left out.
    pub date: Option<Day>,
    /// Why; may be empty.
    pub reason: String,
    /// Whether payments come off the invoice and stay with the customer, unapplied.
    pub keep_unapplied: bool,
}

impl CancelInvoice {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.optional_text(3, self.credit_note_id.as_ref().map(Id::as_str));
        out.optional_text(4, self.number.as_deref());
        out.optional_number(5, self.date.map(|day| i64::from(day.number())));
        out.text(6, &self.reason);
        if self.keep_unapplied {
            out.number(7, 1);
        }
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, &self.invoice_id).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (invoice, row) = lookup::creditable(state, ledger, &self.invoice_id)?;
        let id = lookup::assigned(self.credit_note_id.as_ref(), "credit_note_id")?;
        let subject = Subject::Invoice(ledger.no, invoice);
        if let Some(Decision::Repeat { position, .. }) = repeat(state, context, ledger, &id)? {
            return Ok(Decision::Repeat { subject, position });
        }
        lookup::check_version(context, row.version)?;
        self.check(row)?;
        let mut book = Book::open(state, ledger)?;
        for source in sources(row) {
            if !is_own(ledger, source, invoice) {
                book.deallocate(source, invoice, None, self.date)?;
            }
        }
        let creditable = row.total - row.credit_noted;
        text::check("reason", &self.reason)?;
        let mut date = self.date.unwrap_or(lookup::today(state, ledger)?);
        if creditable > 0 {
            let asked = NewCreditNote {
                id,
                invoice,
                row,
                number: self.number.as_deref(),
                amount: creditable,
                date: self.date,
                date_field: "date",
                reason: &self.reason,
            };
            let (source, issued) = asked.issue(state, ledger, &mut book)?;
            date = date.max(issued);
            book.allocate(source, invoice, creditable, date)?;
        }
        self.use_kept_credits((invoice, row), &mut book, date)?;
        Ok(Decision::Accept(book.close()))
    }

    fn check(&self, row: &Invoice) -> Result<(), Refusal> {
        let money = |minor| Money::new(minor, row.currency);
        if row.cancelled || row.total == 0 {
            let why = if row.cancelled { "is cancelled already" } else { "has a total of 0" };
            let message = format!("invoice {} {why}", row.id);
            return Err(Refusal::new(Reason::WrongState, "invoice_id", message));
        }
        let paid = |source: &Source| matches!(source, Source::Payment(_));
        let paid = sources(row).iter().filter(|s| paid(s)).map(|s| row.allocated_from(*s)).sum();
        if paid > 0 && !self.keep_unapplied {
            let paid = money(paid);
            return Err(Refusal::new(
                Reason::MoneyAllocated,
                "keep_unapplied",
                format!(
                    "{paid} of payments is allocated to invoice {}: say keep_unapplied",
                    row.id
                ),
            )
            .with("allocated", paid));
        }
        Ok(())
    }

    /// Credit notes of this invoice that were kept come back to it; one that was used on another
    /// invoice stands in the way.
    fn use_kept_credits(
        &self,
        (invoice, row): (InvoiceNo, &Invoice),
        book: &mut Book<'_>,
        date: Day,
    ) -> Result<(), Refusal> {
        for no in &row.credit_notes {
            let source = Source::CreditNote(*no);
            let amount = book.unapplied_of(source)?.min(book.open_on(invoice)?);
            if amount > 0 {
                book.allocate(source, invoice, amount, date)?;
            }
        }
        match book.open_on(invoice)? {
            0 => Ok(()),
            open => {
                let open = Money::new(open, row.currency);
                Err(Refusal::new(
                    Reason::WrongState,
                    "invoice_id",
                    format!(
                        "{open} of the credit notes of invoice {} is used on other invoices: \
                         deallocate it first",
                        self.invoice_id
                    ),
                )
                .with("used_elsewhere", open))
            }
        }
    }
}

/// What has something on an invoice, credits first.
fn sources(row: &Invoice) -> std::collections::BTreeSet<Source> {
    row.allocations.iter().map(|allocation| allocation.source).collect()
}

fn is_own(ledger: &Ledger, source: Source, invoice: InvoiceNo) -> bool {
    match source {
        Source::Payment(_) | Source::Opening(_) => false,
        Source::CreditNote(no) => {
            ledger.credit_note(no).is_some_and(|credit_note| credit_note.invoice == invoice)
        }
    }
}
