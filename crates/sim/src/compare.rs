//! What the writer shows against what the model works out: every resource, every figure.

use std::collections::BTreeMap;
use std::fmt;

use encours_domain::resource::{self, ItemKind};
use encours_domain::state::Rows;
use encours_domain::terms::DueTerms;
use encours_domain::{
    CreditNoteNo, CustomerNo, Day, Id, InvoiceNo, LedgerNo, PaymentNo, Resource, Source, Subject,
};

use crate::model::{Book, Figures, Model, Stage, View, status_of};
use crate::witness::Witness;

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The name of a field, put together only where it is needed.
struct Of<'a>(&'static str, &'a Id);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.0, self.1)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "figures are compared where they are made")]
fn differ<T: PartialEq + fmt::Debug>(
    what: &dyn fmt::Display,
    domain: T,
    model: T,
) -> Result<(), String> {
    if domain == model {
        return Ok(());
    }
    Err(format!("{what}: the domain has {domain:?}, the model {model:?}"))
}

/// Every resource of one ledger.
pub(crate) fn compare_ledger(rows: &Rows, witness: &Witness, at: usize) -> Result<(), String> {
    let (ledger, model) = (LedgerNo(number(at)), &witness.model);
    let (book, today) = (&model.books[at], model.today(at));
    for (no, row) in book.customers.iter().enumerate() {
        let subject = Subject::Customer(ledger, CustomerNo(number(no)));
        let Some(Resource::Customer(shown)) = rows.resource(subject) else {
            return Err(format!("there is no customer {}", row.id));
        };
        let figures = witness.figures(at, no, today);
        compare_customer(&shown, &figures)?;
        compare_agreements(&shown, book, no)?;
        differ(&format!("status of {}", row.id), shown.status, status_of(&figures))?;
    }
    for (no, row) in book.invoices.iter().enumerate() {
        let subject = Subject::Invoice(ledger, InvoiceNo(number(no)));
        let Some(Resource::Invoice(shown)) = rows.resource(subject) else {
            return Err(format!("there is no invoice {}", row.id));
        };
        compare_invoice(&shown, model, at, no)?;
    }
    compare_sources((rows, model), at)
}

fn compare_customer(shown: &resource::Customer, model: &[Figures]) -> Result<(), String> {
    let domain: Vec<Figures> = shown.balances.iter().map(Figures::from).collect();
    if let Some(wrong) = domain.iter().find(|figures| !figures.holds()) {
        return Err(format!("the identity does not hold for {}: {wrong:?}", shown.id));
    }
    differ(&format!("balances of {}", shown.id), domain.as_slice(), model)
}

/// Credit limits, and the last reminder made by hand.
fn compare_agreements(shown: &resource::Customer, book: &Book, no: usize) -> Result<(), String> {
    let (row, limits) = (&book.customers[no], book.limits.iter().filter(|l| l.customer == no));
    let mut limits: Vec<_> = limits.map(|l| (l.currency, l.limit, l.policy)).collect();
    limits.sort_by_key(|(currency, ..)| *currency);
    let found = shown.credit_limits.iter().map(|l| (l.currency, l.limit, l.policy)).collect();
    differ(&format!("credit limits of {}", row.id), found, limits)?;
    let reminded = shown.reminder.map(|reminder| (reminder.level, reminder.date));
    differ(&format!("last reminder of {}", row.id), reminded, row.reminded)
}

fn compare_invoice(
    shown: &resource::Invoice,
    model: &Model,
    at: usize,
    no: usize,
) -> Result<(), String> {
    let (book, today) = (&model.books[at], model.today(at));
    let row = &book.invoices[no];
    let what = |field: &'static str| Of(field, &row.id);
    differ(&what("number"), &*shown.number, row.number.as_str())?;
    differ(&what("customer"), &shown.customer_id, &book.customers[row.customer].id)?;
    differ(&what("currency"), shown.currency, row.currency)?;
    differ(&what("total"), shown.total, row.total)?;
    differ(&what("deletion"), shown.deleted, row.stage == Stage::Deleted)?;
    let headline = book.headline(no, View::ALL, today);
    differ(&what("headline"), shown.facets.headline(), headline)?;
    if matches!(row.stage, Stage::Draft(_) | Stage::Deleted) {
        return differ(&what("open amount"), shown.open, 0);
    }
    compare_figures(shown, book, no)?;
    differ(&what("reference"), &*shown.reference, row.reference.as_str())?;
    differ(&what("issue date"), shown.issue_date, Some(row.date))?;
    differ(&what("due date"), shown.due.map(|due| due.date), Some(row.due))?;
    let overdue_from = shown.due.map(DueTerms::overdue_from);
    differ(&what("first overdue day"), overdue_from, Some(row.overdue_from))?;
    differ(&what("settlement"), shown.facets.settlement, book.settlement(no, View::ALL))?;
    differ(&what("timing"), shown.facets.timing, book.timing(no, View::ALL, today))?;
    differ(&what("dunning"), shown.facets.dunning, book.dunning(no))?;
    differ(&what("level"), shown.facets.level, row.level)?;
    differ(&what("dispute"), shown.facets.disputed, book.disputed(no, View::ALL))?;
    let planned = shown.planned.map(|p| (p.amount, p.remaining, p.date));
    differ(&what("plan"), planned, row.planned.map(|p| (p.amount, p.remaining, p.date)))?;
    differ(&what("flag of the plan"), shown.facets.planned, row.planned.is_some())?;
    let last = book.steps.iter().rfind(|out| out.invoice == no);
    let shown_last = shown.last_reminder.map(|out| (out.step, out.planned, out.date));
    differ(&what("last step"), shown_last, last.map(|out| (out.step, out.planned, out.date)))?;
    let next = shown.next_reminder.map(|next| (next.step, next.date));
    differ(&what("next step"), next, book.next_step(no))?;
    let sent = book.sent.iter().find(|s| s.invoice == no).map(|s| s.date);
    differ(&what("sent date"), shown.sent_on, sent)
}

fn compare_figures(shown: &resource::Invoice, book: &Book, no: usize) -> Result<(), String> {
    let row = &book.invoices[no];
    let what = |field: &'static str| Of(field, &row.id);
    let kind = match row.stage {
        Stage::Owed => ItemKind::OpeningOwed,
        Stage::Owing => ItemKind::OpeningOwing,
        _ => ItemKind::Invoice,
    };
    differ(&what("kind"), shown.kind, kind)?;
    differ(&what("open amount"), i128::from(shown.open), book.open(no, View::ALL))?;
    differ(&what("paid before"), shown.paid_before, row.paid)?;
    let left = if row.stage == Stage::Owing { book.left(no, View::ALL) } else { 0 };
    differ(&what("unapplied"), i128::from(shown.unapplied), left)?;
    let noted = book.credit_noted(no, View::ALL);
    differ(&what("credit noted"), i128::from(shown.credit_noted), noted)?;
    let credited =
        book.allocated(View::ALL, |source, on| on == no && !matches!(source, Source::Payment(_)));
    differ(&what("credited"), i128::from(shown.credited), credited)?;
    differ(&what("passing of the limit"), shown.over_limit, row.over_limit)
}

/// Payments and credit notes, with what they have on which invoice.
fn compare_sources((rows, model): (&Rows, &Model), at: usize) -> Result<(), String> {
    let (book, ledger) = (&model.books[at], LedgerNo(number(at)));
    for source in book.sources() {
        let (id, unapplied, allocations) = match source {
            Source::Payment(PaymentNo(no)) => {
                let subject = Subject::Payment(ledger, PaymentNo(no));
                let Some(Resource::Payment(shown)) = rows.resource(subject) else {
                    return Err(format!("there is no {source:?}"));
                };
                let row = &book.payments[no as usize];
                let reversed = book.reversed(no as usize, View::ALL);
                let refunded = book.refunded(no as usize, View::ALL);
                differ(&format!("refunded of {}", row.id), shown.refunded.into(), refunded)?;
                differ(&"payment id", &shown.id, &row.id)?;
                differ(&format!("reversed of {}", row.id), shown.reversed.into(), reversed)?;
                (row.id.clone(), shown.unapplied, shown.allocations)
            }
            Source::CreditNote(CreditNoteNo(no)) => {
                let subject = Subject::CreditNote(ledger, CreditNoteNo(no));
                let Some(Resource::CreditNote(shown)) = rows.resource(subject) else {
                    return Err(format!("there is no {source:?}"));
                };
                let row = &book.credits[no as usize];
                differ(&"credit note number", &*shown.number, row.number.as_str())?;
                (row.id.clone(), shown.unapplied, shown.allocations)
            }
            // Compared with the invoices; what it is used on, with the open amounts.
            Source::Opening(_) => continue,
        };
        let model = book.unapplied(source, View::ALL);
        differ(&format!("unapplied of {id}"), i128::from(unapplied), model)?;
        let shown: BTreeMap<String, i128> =
            allocations.iter().map(|a| (a.invoice_id.to_string(), i128::from(a.amount))).collect();
        let mut model = BTreeMap::new();
        for (no, row) in book.invoices.iter().enumerate() {
            let there = book.allocated(View::ALL, |from, on| from == source && on == no);
            if there != 0 {
                model.insert(row.id.to_string(), there);
            }
        }
        differ(&format!("allocations of {id}"), shown, model)?;
    }
    Ok(())
}

/// As of every day on which something happened, the identity holds, and nothing is below zero.
pub(crate) fn check_past(model: &Model) -> Result<(), String> {
    for (at, book) in model.books.iter().enumerate() {
        let mut days: Vec<Day> = book.allocations.iter().map(|a| a.date).collect();
        days.extend(book.reversals.iter().map(|r| r.date));
        days.extend(book.refunds.iter().map(|r| r.date));
        days.extend(book.corrections.iter().map(|c| c.date));
        days.sort();
        days.dedup();
        for day in days {
            let view = View::as_of(day);
            for customer in 0..book.customers.len() {
                for f in book.figures(customer, view, day) {
                    let net = f.opening + f.invoiced - f.credited - f.collected + f.refunded;
                    differ(&format!("net in ledger {at} as of {day}"), f.net(), net)?;
                }
            }
            for no in 0..book.invoices.len() {
                let (open, id) = (book.open(no, view), &book.invoices[no].id);
                differ(&format!("{id} below zero as of {day}"), open.min(0), 0)?;
            }
            for source in book.sources() {
                let left = book.unapplied(source, view);
                differ(&format!("{source:?} below zero as of {day}"), left.min(0), 0)?;
            }
        }
    }
    Ok(())
}
