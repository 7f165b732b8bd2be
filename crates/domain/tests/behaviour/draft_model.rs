//! Random drafts, written, changed, given up and issued, against a plain list of what is expected.

use std::collections::BTreeMap;

use crate::scenario::*;
use encours_domain::commands::*;
use encours_domain::status::{Document, Headline};
use encours_domain::{Day, Reason};
use proptest::prelude::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const CUSTOMERS: [&str; 2] = ["dupont", "martin"];

#[derive(Clone, Debug)]
enum Op {
    Create(IssueInvoice),
    Update(IssueInvoice),
    Delete(&'static str),
    IssueDraft(IssueDraft),
    Issue(IssueInvoice),
    Days(i32),
}

/// What became of an id.
#[derive(Clone, Debug)]
struct Item {
    /// What created it, and whether as a draft.
    created: (IssueInvoice, bool),
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Draft(IssueInvoice),
    Deleted,
    Issued { by: Option<IssueDraft>, number: String, customer: String, total: i64 },
}

/// A ledger as a person would keep it on paper.
struct Paper {
    items: BTreeMap<String, Item>,
    today: Day,
    next: u32,
    last: Day,
}

/// What a command yields: the number of events, or the rule that says no.
type Outcome = Result<usize, Reason>;

impl Paper {
    fn new() -> Self {
        Self { items: BTreeMap::new(), today: day("2026-01-01"), next: 1, last: Day::MIN }
    }

    fn is_used(&self, number: &str) -> bool {
        self.items.values().any(|item| match &item.stage {
            Stage::Issued { number: known, .. } => known == number,
            Stage::Draft(_) | Stage::Deleted => false,
        })
    }

    fn free(&self, given: Option<&String>) -> Result<(), Reason> {
        let taken = given.is_some_and(|given| self.is_used(given));
        if taken { Err(Reason::NumberExists) } else { Ok(()) }
    }

    fn create(&mut self, invoice: &IssueInvoice) -> Outcome {
        let name = name_of(invoice);
        if let Some(item) = self.items.get(&name) {
            return repeated(item.created == (invoice.clone(), true), Reason::IdExists);
        }
        self.free(invoice.number.as_ref())?;
        let created = (invoice.clone(), true);
        self.items.insert(name, Item { created, stage: Stage::Draft(invoice.clone()) });
        Ok(1)
    }

    fn update(&mut self, invoice: &IssueInvoice) -> Outcome {
        self.free_to_change(&name_of(invoice))?;
        self.free(invoice.number.as_ref())?;
        let item = self.items.get_mut(&name_of(invoice)).unwrap();
        let same = matches!(&item.stage, Stage::Draft(known) if known == invoice);
        item.stage = Stage::Draft(invoice.clone());
        Ok(usize::from(!same))
    }

    fn delete(&mut self, name: &str) -> Outcome {
        match self.items.get_mut(name).map(|item| &mut item.stage) {
            Some(Stage::Deleted) => Ok(0),
            Some(stage @ Stage::Draft(_)) => {
                *stage = Stage::Deleted;
                Ok(1)
            }
            Some(Stage::Issued { .. }) => Err(Reason::WrongState),
            None => Err(Reason::UnknownInvoice),
        }
    }

    fn free_to_change(&self, name: &str) -> Result<&IssueInvoice, Reason> {
        match self.items.get(name).map(|item| &item.stage) {
            Some(Stage::Draft(invoice)) => Ok(invoice),
            Some(_) => Err(Reason::WrongState),
            None => Err(Reason::UnknownInvoice),
        }
    }

    fn issue_draft(&mut self, command: &IssueDraft) -> Outcome {
        let name = command.invoice_id.to_string();
        if let Some(Stage::Issued { by: Some(by), .. }) = self.items.get(&name).map(|i| &i.stage) {
            return repeated(by == command, Reason::WrongState);
        }
        let mut invoice = self.free_to_change(&name)?.clone();
        invoice.issue_date = command.issue_date.or(invoice.issue_date);
        invoice.number = command.number.clone().or(invoice.number);
        let stage = self.issued(&invoice, Some(command.clone()))?;
        self.items.get_mut(&name).unwrap().stage = stage;
        Ok(if invoice.total == Some(0) { 2 } else { 1 })
    }

    fn issue(&mut self, invoice: &IssueInvoice) -> Outcome {
        let name = name_of(invoice);
        if let Some(item) = self.items.get(&name) {
            return repeated(item.created == (invoice.clone(), false), Reason::IdExists);
        }
        let stage = self.issued(invoice, None)?;
        self.items.insert(name, Item { created: (invoice.clone(), false), stage });
        Ok(if invoice.total == Some(0) { 2 } else { 1 })
    }

    fn issued(&mut self, invoice: &IssueInvoice, by: Option<IssueDraft>) -> Result<Stage, Reason> {
        self.free(invoice.number.as_ref())?;
        let date = invoice.issue_date.unwrap_or(self.today);
        let number = match &invoice.number {
            Some(given) => given.clone(),
            None if date < self.last || date > self.today => return Err(Reason::IssueDateOrder),
            None => {
                (self.next, self.last) = (self.next + 1, date);
                format!("FA-2026-{:05}", self.next - 1)
            }
        };
        let customer = invoice.customer_id.to_string();
        Ok(Stage::Issued { by, number, customer, total: invoice.total.unwrap() })
    }

    /// What a customer owes: the totals of what is issued.
    fn owed(&self, wanted: &str) -> i64 {
        let total = |item: &Item| match &item.stage {
            Stage::Issued { customer, total, .. } if customer == wanted => *total,
            _ => 0,
        };
        self.items.values().map(total).sum()
    }
}

fn name_of(invoice: &IssueInvoice) -> String {
    invoice.invoice_id.as_ref().unwrap().to_string()
}

/// The same command again does nothing; another one with the same id is refused.
fn repeated(same: bool, no: Reason) -> Outcome {
    if same { Ok(0) } else { Err(no) }
}

fn any_date() -> impl Strategy<Value = Option<Day>> {
    prop_oneof![2 => Just(None), 1 => (0..12).prop_map(|days| day("2026-01-01").plus(days))]
}

fn any_number() -> impl Strategy<Value = Option<String>> {
    prop_oneof![3 => Just(None), 1 => (0..3).prop_map(|n| Some(format!("own-{n}")))]
}

fn any_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&NAMES[..])
}

fn any_invoice() -> impl Strategy<Value = IssueInvoice> {
    let customer = prop::sample::select(&CUSTOMERS[..]);
    (any_name(), 0..3_i64, customer, any_date(), any_number()).prop_map(
        |(name, total, customer, issue_date, number)| {
            let customer_id = id(customer);
            IssueInvoice { customer_id, issue_date, number, ..invoice(name, total * 100) }
        },
    )
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any_invoice().prop_map(Op::Create),
        3 => any_invoice().prop_map(Op::Update),
        1 => any_name().prop_map(Op::Delete),
        4 => (any_name(), any_date(), any_number()).prop_map(|(name, issue_date, number)| {
            Op::IssueDraft(IssueDraft { issue_date, number, ..issue_draft(name) })
        }),
        1 => any_invoice().prop_map(Op::Issue),
        1 => (1..4).prop_map(Op::Days),
    ]
}

/// Does it in both; tells what it yielded and what was expected.
fn both(s: &mut Scenario, paper: &mut Paper, op: Op) -> (Outcome, Outcome) {
    let counted = |s: &mut Scenario, command: encours_domain::Command| {
        s.try_do(command).map(|events| events.len()).map_err(|no| no.reason)
    };
    match op {
        Op::Create(invoice) => {
            let expected = paper.create(&invoice);
            (counted(s, CreateDraft { invoice }.into()), expected)
        }
        Op::Update(invoice) => {
            let expected = paper.update(&invoice);
            (counted(s, UpdateDraft { invoice }.into()), expected)
        }
        Op::Delete(name) => {
            let expected = paper.delete(name);
            let command = DeleteDraft { ledger_id: id("acme"), invoice_id: id(name) };
            (counted(s, command.into()), expected)
        }
        Op::IssueDraft(command) => {
            let expected = paper.issue_draft(&command);
            (counted(s, command.into()), expected)
        }
        Op::Issue(invoice) => {
            let expected = paper.issue(&invoice);
            (counted(s, invoice.into()), expected)
        }
        Op::Days(days) => {
            paper.today = paper.today.plus(days).unwrap();
            s.advance(&paper.today.to_string());
            (Ok(0), Ok(0))
        }
    }
}

fn check(s: &Scenario, paper: &Paper) -> Result<(), TestCaseError> {
    for customer in CUSTOMERS {
        prop_assert_eq!(s.figures(customer), (paper.owed(customer), 0, 0));
    }
    for (name, item) in &paper.items {
        let shown = s.invoice(name);
        match &item.stage {
            Stage::Draft(invoice) => {
                prop_assert_eq!(shown.facets.headline(), Headline::Draft);
                prop_assert_eq!((shown.open, shown.deleted), (0, false));
                prop_assert_eq!(Some(shown.total), invoice.total);
                prop_assert_eq!(&shown.customer_id, &invoice.customer_id);
                prop_assert_eq!(shown.issue_date, invoice.issue_date);
            }
            Stage::Deleted => prop_assert!(shown.deleted && shown.open == 0),
            Stage::Issued { number, customer, total, .. } => {
                prop_assert_eq!(shown.facets.document, Document::Issued);
                prop_assert_eq!(&*shown.number, number);
                prop_assert_eq!(shown.customer_id.as_str(), customer);
                prop_assert_eq!((shown.total, shown.open), (*total, *total));
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn drafts_end_as_a_plain_list_of_them_does(ops in prop::collection::vec(any_op(), 1..40)) {
        let (mut s, mut paper) = (Scenario::new(), Paper::new());
        for op in ops {
            let told = format!("{op:?}");
            let (outcome, expected) = both(&mut s, &mut paper, op);
            prop_assert_eq!(outcome, expected, "{}", told);
            check(&s, &paper)?;
        }
    }
}
