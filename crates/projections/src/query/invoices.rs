//! Invoices, drafts and opening items: by id, by number, and in filtered lists.

use std::collections::{BTreeMap, BTreeSet};

use encours_domain::details::DetailKind;
use encours_domain::labels::InvoiceLabel;
use encours_domain::number::{CustomerNo, LedgerNo};
use encours_domain::resource::{self, ItemKind};
use encours_domain::status::{Document, Dunning, Facets, Headline, Settlement, Timing};

use super::page::{MAX_SCAN, collect, page};
use super::resources::Scope;
use super::{AmountRange, DateRange, Items, Key, NameOf, Order, Page, View};
use crate::counts::{facets, standing};
use crate::fold::read_details;
use crate::model::Ledger;
use crate::read_model::ReadModel;
use crate::rows::{InvoiceFlags, InvoiceRow};
use crate::search::{Found, Search, fold};
use crate::tables::Tables;

/// Which invoices, drafts and opening items a list shows: those that meet every condition given.
/// Drafts that were given up are in no list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    /// Of this customer.
    pub customer: Option<CustomerNo>,
    /// With one of these headlines; empty: any.
    pub headlines: Vec<Headline>,
    /// With this document facet.
    pub document: Option<Document>,
    /// With this settlement.
    pub settlement: Option<Settlement>,
    /// With this timing.
    pub timing: Option<Timing>,
    /// With this dunning facet, at any level.
    pub dunning: Option<DunningState>,
    /// Reminded of at this level or above; see [`Facets::level`].
    pub min_level: Option<u8>,
    /// Reminded of at this level or below, or not at all.
    pub max_level: Option<u8>,
    /// Disputed or not.
    pub disputed: Option<bool>,
    /// With a planned payment, or without.
    pub planned: Option<bool>,
    /// With something open, or nothing.
    pub open: Option<bool>,
    /// Overdue at some time, or never.
    pub ever_overdue: Option<bool>,
    /// Having taken its customer past its credit limit when it was issued, or not.
    pub over_limit: Option<bool>,
    /// Of one of these kinds; empty: any.
    pub kinds: Vec<ItemKind>,
    /// With this label.
    pub label: Option<InvoiceLabel>,
    /// With a word that begins so for each word of this text, in number, id, reference, purchase
    /// order, free text, values of metadata or the customer's name. No word: any.
    pub text: String,
    /// Due on these days.
    pub due: DateRange,
    /// Issued on these days.
    pub issued: DateRange,
    /// With so much open, in this currency.
    pub open_amount: Option<AmountRange>,
    /// Without drafts.
    pub hide_drafts: bool,
}

/// [`Dunning`] whatever the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the facet")]
pub enum DunningState {
    None,
    Level,
    OnHold,
    Stopped,
    Exhausted,
}

impl DunningState {
    const fn of(dunning: Dunning) -> Self {
        match dunning {
            Dunning::None => Self::None,
            Dunning::Level(_) => Self::Level,
            Dunning::OnHold => Self::OnHold,
            Dunning::Stopped => Self::Stopped,
            Dunning::Exhausted => Self::Exhausted,
        }
    }
}

impl InvoiceFilter {
    /// Whether a row meets every condition but the text.
    fn admits(&self, row: &InvoiceRow, scope: &Scope) -> bool {
        let has = |flag| row.flags.has(flag);
        let amount =
            |range: &AmountRange| range.currency == row.currency && range.holds(row.open());
        // A draft that was given up is one, too.
        let hidden = if self.hide_drafts { InvoiceFlags::DRAFT } else { InvoiceFlags::DELETED };
        !has(hidden)
            && self.customer.is_none_or(|customer| customer.0 == row.customer)
            && (self.kinds.is_empty() || self.kinds.contains(&row.kind()))
            && self.open.is_none_or(|open| open == (row.open() > 0))
            && self.ever_overdue.is_none_or(|wanted| wanted == has(InvoiceFlags::EVER_OVERDUE))
            && self.over_limit.is_none_or(|wanted| wanted == (row.over_limit > 0))
            && self.due.holds(row.due.map(|due| due.date))
            && self.issued.holds(row.issue_date)
            && self.open_amount.as_ref().is_none_or(amount)
            && self.admits_facets(row, scope)
    }

    fn admits_facets(&self, row: &InvoiceRow, scope: &Scope) -> bool {
        // WHY: only this facet asks for the plan, which costs more than all the rest.
        let facets = match self.dunning {
            Some(_) => facets(row, scope.today, scope.plans),
            None => Facets::of(&standing(row, scope.today, false)),
        };
        (self.headlines.is_empty() || self.headlines.contains(&facets.headline()))
            && self.document.is_none_or(|document| document == facets.document)
            && self.settlement.is_none_or(|settlement| settlement == facets.settlement)
            && self.timing.is_none_or(|timing| timing == facets.timing)
            && self.dunning.is_none_or(|wanted| wanted == DunningState::of(facets.dunning))
            && self.min_level.is_none_or(|least| least <= facets.level)
            && self.max_level.is_none_or(|most| facets.level <= most)
            && self.disputed.is_none_or(|disputed| disputed == facets.disputed)
            && self.planned.is_none_or(|planned| planned == facets.planned)
            // The labels are words for claims: a credit has none.
            && self.label.is_none_or(|label| {
                !row.flags.has(InvoiceFlags::OWING) && label.is_of(facets)
            })
    }

    /// Every item of a ledger that may meet it, from a page on.
    fn candidates<'a>(
        &self,
        ledger: &'a Ledger,
        which: Page,
    ) -> Box<dyn Iterator<Item = Key> + 'a> {
        let of_customer = self.customer.map(|customer| ledger.index.invoices_of.of(customer.0));
        let by_due = matches!(which.order, Order::Due | Order::DueDesc);
        match of_customer {
            None if by_due => {
                which.between(&ledger.index.open_by_due, self.due.from, self.due.until)
            }
            None => which.numbers(ledger.tables.invoices.len()),
            Some(numbers) if by_due && numbers.len() > MAX_SCAN => {
                which.between(&ledger.index.open_by_due, self.due.from, self.due.until)
            }
            Some(numbers) if by_due => {
                let due = |no: &u32| {
                    let due = ledger.tables.invoices.get(*no)?.claim_due()?;
                    Some(Key::dated(due.date, *no))
                };
                let open = numbers.iter().filter_map(due);
                let open = open.filter(|item| ledger.index.open_by_due.contains(item));
                let open: BTreeSet<_> = open.collect();
                let keys = which.between(&open, self.due.from, self.due.until);
                Box::new(keys.collect::<Vec<_>>().into_iter())
            }
            Some(numbers) => which.among(numbers),
        }
    }
}

/// What a list comes to under the lock.
enum Listed {
    Items(Items<resource::Invoice>),
    /// What meets every condition but the text, and the tables to look in.
    Search(Items<Key>, Box<Tables>, Scope),
}

impl ReadModel {
    /// The invoice, draft or opening item with this id; also a draft that was given up.
    #[must_use]
    pub fn invoice(&self, ledger: LedgerNo, id: &str) -> View<Option<resource::Invoice>> {
        self.view_ledger(ledger, |model, found| {
            let no = found.index.invoice(&found.tables, id)?;
            Scope::of(model, found, ledger)?.invoice(&found.tables, no)
        })
    }

    /// The invoice or opening item with this number on the document.
    #[must_use]
    pub fn invoice_by_number(
        &self,
        ledger: LedgerNo,
        number: &str,
    ) -> View<Option<resource::Invoice>> {
        self.view_ledger(ledger, |model, found| {
            let no = found.index.invoice_number(&found.tables, number)?;
            Scope::of(model, found, ledger)?.invoice(&found.tables, no)
        })
    }

    /// The invoices, drafts and opening items of a ledger. `name` is asked only where the filter has
    /// a text, and not under the lock; then this may take some milliseconds, so call it off the
    /// async workers.
    #[must_use]
    pub fn invoices(
        &self,
        ledger: LedgerNo,
        filter: &InvoiceFilter,
        which: Page,
        name: NameOf<'_>,
    ) -> View<Items<resource::Invoice>> {
        let search = Search::of(&filter.text);
        let listed = self.view(|model| {
            let found = model.ledger(ledger.0)?;
            let (scope, tables) = (Scope::of(model, found, ledger)?, &found.tables);
            let admits = |no| tables.invoices.get(no).is_some_and(|row| filter.admits(row, &scope));
            let candidates = filter.candidates(found, which);
            if search.is_empty() {
                let make = |no| admits(no).then(|| scope.invoice(tables, no))?;
                return Some(Listed::Items(page(which, candidates, make)));
            }
            let due = |no| tables.invoices.get(no)?.claim_due().map(|due| due.date);
            let key = |no| admits(no).then(|| which.order.key(no, due(no)));
            let keys = collect(MAX_SCAN, MAX_SCAN, which.after, candidates, key);
            Some(Listed::Search(keys, Box::new(tables.clone()), scope))
        });
        let value = match listed.value {
            None => Items::default(),
            Some(Listed::Items(items)) => items,
            Some(Listed::Search(keys, tables, scope)) => {
                let mut names = Names::new(&tables, name);
                let found = page(which, keys.items.into_iter(), |no| {
                    let met = meets(&search, &tables, no, &mut names)?;
                    met.then(|| scope.invoice(&tables, no))?
                });
                let next = found.next.or(keys.next);
                Items { items: found.items, next }
            }
        };
        View { position: listed.position, value }
    }
}

/// Whether an invoice meets a search.
fn meets(search: &Search, tables: &Tables, no: u32, names: &mut Names<'_>) -> Option<bool> {
    let row = tables.invoices.get(no)?;
    let mut found = Found::default();
    search.look(&tables.heap.text(row.texts, 3)?, &mut found);
    for index in 0..2 {
        search.look(&fold(&tables.heap.text(row.texts, index)?), &mut found);
    }
    let reference = fold(&tables.heap.text(row.texts, 2)?);
    if search.begins(&reference) {
        return Some(true);
    }
    search.look(&reference, &mut found);
    if !search.is_met(found) {
        search.look(names.of(row.customer), &mut found);
    }
    Some(search.is_met(found))
}

/// The folded names of customers, each opened once.
pub(super) struct Names<'a> {
    tables: &'a Tables,
    open: NameOf<'a>,
    folded: BTreeMap<u32, String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(tables: &'a Tables, open: NameOf<'a>) -> Self {
        Self { tables, open, folded: BTreeMap::new() }
    }

    pub(super) fn of(&mut self, customer: u32) -> &str {
        self.folded.entry(customer).or_insert_with(|| {
            let row = self.tables.customers.get(customer);
            let details = row.map(|row| read_details(&self.tables.heap, row.details));
            let mut details = details.unwrap_or_default().into_iter();
            let name = details.find(|(kind, _)| *kind == DetailKind::Name);
            let opened = name.and_then(|(_, sealed)| (self.open)(CustomerNo(customer), &sealed));
            fold(&opened.unwrap_or_default())
        })
    }
}
