//! `CorrectOpeningItem`: corrects what is said of an opening item.

use super::add_opening_item::{check_paid, not_for_owing};
use super::allocation::{self, Book};
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::{Direction, OpeningItemCorrected};
use crate::id::Id;
use crate::money::Money;
use crate::number::{InvoiceNo, Source, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Invoice, Opening, State};
use crate::terms::DueTerms;

/// Corrects an opening item; never below what is allocated of it or to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectOpeningItem {
    /// The ledger.
    pub ledger_id: Id,
    /// The item.
    pub invoice_id: Id,
    /// The amount, in minor units, 0 or more; unchanged where left out.
    pub amount: Option<i64>,
    /// What of it was settled before, in minor units; unchanged where left out.
    pub paid: Option<i64>,
    /// The currency that the amounts are meant in; the item's, which it must be, where left out.
    pub currency: Option<Currency>,
    /// When it is due; unchanged where left out. Not for one owing.
    pub due_date: Option<Day>,
    /// The day from which the correction counts, not before the last one and not after today; the
    /// ledger's today where left out.
    pub date: Option<Day>,
}

impl CorrectOpeningItem {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.optional_number(3, self.amount);
        out.optional_number(4, self.paid);
        out.optional_text(5, self.currency.as_ref().map(Currency::code));
        out.optional_number(6, self.due_date.map(|day| i64::from(day.number())));
        out.optional_number(7, self.date.map(|day| i64::from(day.number())));
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, &self.invoice_id).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (invoice, row) = lookup::issued(state, ledger, &self.invoice_id)?;
        lookup::check_version(context, row.version)?;
        let Some(opening) = row.opening.as_deref() else {
            let message = format!("invoice {} is no opening item", row.id);
            return Err(Refusal::new(Reason::WrongState, "invoice_id", message));
        };
        lookup::check_currency("amount", self.currency, row)?;
        let (amount, paid) = self.amounts(row, opening)?;
        let due = self.due(row, opening)?;
        if (amount, paid, due) == (row.total, opening.paid, row.due) {
            let subject = Subject::Invoice(ledger.no, invoice);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        let grown = Money::new((amount - row.total).max(0), row.currency);
        lookup::check_fits("amount", ledger, grown)?;
        let today = lookup::today(state, ledger)?;
        let date = self.date(row, opening, today)?;
        let more = (amount - paid) - (row.total - opening.paid);
        let left = match opening.direction {
            Direction::Owed => row.open,
            Direction::Owing => opening.unapplied,
        };
        let mut book = Book::open(state, ledger)?;
        if more < 0 {
            let refused = |refusal: Refusal| match (refusal.reason, self.amount) {
                (Reason::OverAllocation, None) => Refusal { field: "paid".to_owned(), ..refusal },
                _ => refusal,
            };
            check_unused((invoice, row), &mut book, (left, -more), date).map_err(refused)?;
        }
        let event = OpeningItemCorrected {
            ledger: ledger.no,
            invoice,
            amount,
            paid,
            due,
            date,
            left_after: left + more,
            not_overdue: row.overdue_emitted && due != row.due && today < due.overdue_from(),
        };
        match opening.direction {
            Direction::Owed => book.correct(event)?,
            Direction::Owing => book.push(event),
        }
        Ok(Decision::Accept(book.close()))
    }

    /// The amount and what of it was settled before, from here on.
    fn amounts(&self, row: &Invoice, opening: &Opening) -> Result<(i64, i64), Refusal> {
        let amount = self.amount.unwrap_or(row.total);
        if amount < 0 {
            let amount = Money::new(amount, row.currency);
            let message = format!("amount must be 0 or more, is {amount}");
            return Err(Refusal::new(Reason::NotPositive, "amount", message).with("amount", amount));
        }
        let paid = self.paid.unwrap_or(opening.paid);
        let field = if self.paid.is_some() { "paid" } else { "amount" };
        check_paid(field, paid, amount, row.currency)?;
        Ok((amount, paid))
    }

    fn due(&self, row: &Invoice, opening: &Opening) -> Result<DueTerms, Refusal> {
        if opening.direction == Direction::Owing {
            not_for_owing("due_date", self.due_date.is_some())?;
        }
        self.due_date.map_or(Ok(row.due), |date| DueTerms::new(Some(date), 0))
    }

    /// The day from which it counts: not before the item or its last correction, nor after today.
    fn date(&self, row: &Invoice, opening: &Opening, today: Day) -> Result<Day, Refusal> {
        let last = opening.corrected_on.map_or(row.issue_date, |day| day.max(row.issue_date));
        let date = lookup::not_before(self.date, today, last, "the item or its last correction")?;
        let latest = today.max(last);
        if date > latest {
            return Err(Refusal::new(
                Reason::WrongState,
                "date",
                format!("the date {date} lies after {latest}: a correction does not wait"),
            )
            .with("date", date)
            .with("latest", latest));
        }
        Ok(date)
    }
}

/// A correction by `less` leaves what is allocated, on its day and ever after.
fn check_unused(
    (invoice, row): (InvoiceNo, &Invoice),
    book: &mut Book<'_>,
    (left, less): (i64, i64),
    date: Day,
) -> Result<(), Refusal> {
    if less > left {
        let money = |minor| Money::new(minor, row.currency);
        let claim = row.total - row.paid_before();
        let (used, asked) = (money(claim - left), money(claim - less));
        return Err(allocation::over("allocated amount", used, asked, row));
    }
    let free = if row.is_owing() {
        book.free_from(Source::Opening(invoice), less, date)?
    } else {
        book.room_from(invoice, less, date)?
    };
    lookup::not_before(Some(date), date, free, "the last allocation that came off").map(|_| ())
}
