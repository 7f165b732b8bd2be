//! Customers with their balances, now or as of a past day.

use encours_domain::balance::Balance;
use encours_domain::labels::CustomerLabel;
use encours_domain::number::{CustomerNo, LedgerNo};
use encours_domain::resource;
use encours_domain::status::CustomerStatus;

use super::invoices::Names;
use super::page::{MAX_PAGE, MAX_SCAN, collect, page};
use super::past::{Past, PastBooks};
use super::resources::Scope;
use super::{AmountRange, AsOf, Items, Key, NameOf, Page, View};
use crate::counts::status;
use crate::read_model::ReadModel;
use crate::search::{Found, Search, fold};
use crate::tables::Tables;

/// The most customers that one call looks at for a page of the past: each has a history to walk.
const MAX_PAST_SCAN: usize = 1_000;

/// Which customers a list shows: those that meet every condition given. Ranges are of a figure in one
/// currency, 0 where the customer has none in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerFilter {
    /// With one of these statuses; empty: any.
    pub statuses: Vec<CustomerStatus>,
    /// With this label.
    pub label: Option<CustomerLabel>,
    /// With a word that begins so for each word of this text, in id or name. No word: any.
    pub text: String,
    /// Invoiced so much.
    pub invoiced: Option<AmountRange>,
    /// Having paid so much.
    pub collected: Option<AmountRange>,
    /// With so much open.
    pub outstanding: Option<AmountRange>,
    /// With so much overdue.
    pub overdue: Option<AmountRange>,
    /// With so much unapplied.
    pub unapplied: Option<AmountRange>,
}

impl CustomerFilter {
    /// Whether balances meet every condition but the text.
    fn admits(&self, balances: &[Balance]) -> bool {
        let status = status(balances);
        let within = |range: Option<AmountRange>, figure: fn(&Balance) -> i64| {
            range.is_none_or(|range| {
                let balance = balances.iter().find(|balance| balance.currency == range.currency);
                range.holds(balance.map_or(0, figure))
            })
        };
        (self.statuses.is_empty() || self.statuses.contains(&status))
            && self.label.is_none_or(|label| label.is_of(status))
            && within(self.invoiced, |balance| balance.invoiced)
            && within(self.collected, |balance| balance.collected)
            && within(self.outstanding, |balance| balance.outstanding)
            && within(self.overdue, |balance| balance.overdue)
            && within(self.unapplied, |balance| balance.unapplied)
    }
}

/// What a list comes to under the lock.
enum Listed {
    Items(Items<resource::Customer>),
    /// The customers to look at, what meets every condition but the text where that is of now.
    Search(Items<Key>, Box<PastBooks>, Scope),
}

fn balances_now(tables: &Tables, no: u32) -> Option<Vec<Balance>> {
    Some(tables.balances(tables.customers.get(no)?.balance).copied().collect())
}

impl ReadModel {
    /// The customer with this id, with its balances and status as of a past day or as known at a
    /// past position. Everything else about it is as now. `None` also where it was not known yet.
    #[must_use]
    pub fn customer(
        &self,
        ledger: LedgerNo,
        id: &str,
        as_of: AsOf,
    ) -> View<Option<resource::Customer>> {
        if as_of.is_now() {
            return self.view_ledger(ledger, |model, found| {
                let no = found.index.customer(&found.tables, id)?;
                let balances = balances_now(&found.tables, no)?;
                Scope::of(model, found, ledger)?.customer(&found.tables, no, balances)
            });
        }
        let books = self.view_ledger(ledger, |model, found| {
            let no = found.index.customer(&found.tables, id)?;
            let scope = Scope::of(model, found, ledger)?;
            Some((no, scope, PastBooks::of(found, Past::at(model, found, as_of))))
        });
        let value = books
            .value
            .and_then(|(no, scope, books)| scope.customer(&books.tables, no, books.balances(no)?));
        View { position: books.position, value }
    }

    /// The number of the customer with this id.
    #[must_use]
    pub fn customer_no(&self, ledger: LedgerNo, id: &str) -> View<Option<CustomerNo>> {
        self.view_ledger(ledger, |_, found| found.index.customer(&found.tables, id).map(CustomerNo))
    }

    /// The customers of a ledger, with balances and status as of a past day or as known at a past
    /// position. `name` is asked only where the filter has a text, and not under the lock; then, and
    /// for the past, this may take some milliseconds, so call it off the async workers.
    #[must_use]
    pub fn customers(
        &self,
        ledger: LedgerNo,
        filter: &CustomerFilter,
        as_of: AsOf,
        which: Page,
        name: NameOf<'_>,
    ) -> View<Items<resource::Customer>> {
        let search = Search::of(&filter.text);
        let now = as_of.is_now();
        let listed = self.view(|model| {
            let found = model.ledger(ledger.0)?;
            let (scope, tables) = (Scope::of(model, found, ledger)?, &found.tables);
            let candidates = which.numbers(tables.customers.len());
            if now && search.is_empty() {
                let make = |no| {
                    let balances = balances_now(tables, no)?;
                    filter.admits(&balances).then(|| scope.customer(tables, no, balances))?
                };
                return Some(Listed::Items(page(which, candidates, make)));
            }
            let scan = if now { MAX_SCAN } else { MAX_PAST_SCAN };
            let admits = |no| !now || balances_now(tables, no).is_some_and(|b| filter.admits(&b));
            let key = |no| admits(no).then(|| which.order.key(no, None));
            let keys = collect(scan, scan, which.after, candidates, key);
            let books = PastBooks::of(found, Past::at(model, found, as_of));
            Some(Listed::Search(keys, Box::new(books), scope))
        });
        let value = match listed.value {
            None => Items::default(),
            Some(Listed::Items(items)) => items,
            Some(Listed::Search(keys, books, scope)) => {
                let mut names = Names::new(&books.tables, name);
                let limit = which.limit.clamp(1, MAX_PAGE);
                let of = keys.items.into_iter();
                let found = collect(MAX_SCAN, limit, which.after, of, |no| {
                    if !meets(&search, &books.tables, no, &mut names)? {
                        return None;
                    }
                    let balances =
                        if now { balances_now(&books.tables, no)? } else { books.balances(no)? };
                    filter.admits(&balances).then(|| scope.customer(&books.tables, no, balances))?
                });
                let next = found.next.or(keys.next);
                Items { items: found.items, next }
            }
        };
        View { position: listed.position, value }
    }
}

/// Whether a customer meets a search.
fn meets(search: &Search, tables: &Tables, no: u32, names: &mut Names<'_>) -> Option<bool> {
    let row = tables.customers.get(no)?;
    let mut found = Found::default();
    search.look(&fold(&tables.heap.text(row.texts, 0)?), &mut found);
    if !search.is_met(found) {
        search.look(names.of(no), &mut found);
    }
    Some(search.is_met(found))
}
