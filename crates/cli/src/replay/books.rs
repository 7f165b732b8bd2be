//! Figures of ledgers and of their customers, and what is different between two sets of them.

use std::collections::{BTreeMap, BTreeSet};

use encours_domain::Currency;
use encours_domain::balance::Balance;
use encours_projections::{AsOf, CustomerFilter, MAX_PAGE, Page, ReadModel};

/// What a balance has, as it is told.
pub(super) const FIGURES: [&str; 8] = [
    "opening",
    "invoiced",
    "credited",
    "collected",
    "refunded",
    "outstanding",
    "overdue",
    "unapplied",
];

/// The figures of a balance in minor units, in the order of [`FIGURES`].
pub(super) type Figures = [i64; 8];

/// Figures by currency.
pub(super) type Money = BTreeMap<Currency, Figures>;

/// A ledger.
#[derive(Clone, Debug)]
pub(super) struct LedgerBook {
    pub(super) id: String,
    /// The currency of documents that name none.
    pub(super) currency: Currency,
    pub(super) customers: u64,
    pub(super) invoices: u64,
    pub(super) total: Money,
    /// By the customers' ids.
    pub(super) each: BTreeMap<String, Money>,
}

/// The figures of all ledgers, in the order of their creation.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) ledgers: Vec<LedgerBook>,
}

/// A figure that is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) ledger: String,
    /// `None`: of the ledger as a whole.
    pub(super) customer: Option<String>,
    pub(super) figure: &'static str,
    pub(super) amount: Amount,
}

/// Two values of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Money(Currency, i64, i64),
    Count(u64, u64),
}

impl Amount {
    pub(super) const fn is_same(&self) -> bool {
        match self {
            Self::Money(_, one, other) => *one == *other,
            Self::Count(one, other) => *one == *other,
        }
    }
}

pub(super) const fn figures(b: &Balance) -> Figures {
    [
        b.opening,
        b.invoiced,
        b.credited,
        b.collected,
        b.refunded,
        b.outstanding,
        b.overdue,
        b.unapplied,
    ]
}

fn money(balances: &[Balance]) -> Money {
    balances.iter().map(|balance| (balance.currency, figures(balance))).collect()
}

/// Adds up what customers have.
pub(super) fn sum<'a>(each: impl IntoIterator<Item = &'a Money>) -> Money {
    let mut total = Money::new();
    for (currency, figures) in each.into_iter().flatten() {
        let sums = total.entry(*currency).or_default();
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum = sum.saturating_add(*figure);
        }
    }
    total
}

impl Books {
    /// What a read model shows now.
    pub(super) fn of(model: &ReadModel) -> Self {
        let mut books = Self::default();
        let mut page = Page::first(MAX_PAGE);
        loop {
            let found = model.ledgers(page).value;
            for ledger in found.items {
                books.ledgers.push(LedgerBook {
                    id: ledger.id.to_string(),
                    currency: ledger.currency,
                    customers: u64::from(ledger.customers),
                    invoices: u64::from(ledger.invoices),
                    total: money(&model.totals(ledger.no).value.balances),
                    each: customers(model, ledger.no),
                });
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return books,
            }
        }
    }

    /// Figure by figure what `self` and a later or other state have: of ledgers all that are not zero
    /// in both, of customers those that differ.
    pub(super) fn against(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        for after in &other.ledgers {
            let before = self.ledgers.iter().find(|ledger| ledger.id == after.id);
            let count = |figure, count: fn(&LedgerBook) -> u64| Difference {
                ledger: after.id.clone(),
                customer: None,
                figure,
                amount: Amount::Count(before.map_or(0, count), count(after)),
            };
            found.push(count("customers", |ledger| ledger.customers));
            found.push(count("invoices", |ledger| ledger.invoices));
            let nothing = Money::new();
            let total = before.map_or(&nothing, |ledger| &ledger.total);
            found.extend(pairs(after, None, total, &after.total));
            let none = BTreeMap::new();
            let each = before.map_or(&none, |ledger| &ledger.each);
            let ids: BTreeSet<&String> = each.keys().chain(after.each.keys()).collect();
            for id in ids {
                let one = each.get(id).unwrap_or(&nothing);
                let two = after.each.get(id).unwrap_or(&nothing);
                let of_customer = pairs(after, Some(id), one, two);
                found.extend(of_customer.filter(|difference| !difference.amount.is_same()));
            }
        }
        found
    }
}

/// The figures of which one at least is not zero.
fn pairs<'a>(
    ledger: &'a LedgerBook,
    customer: Option<&'a String>,
    before: &'a Money,
    after: &'a Money,
) -> impl Iterator<Item = Difference> + 'a {
    let currencies: BTreeSet<Currency> = before.keys().chain(after.keys()).copied().collect();
    currencies.into_iter().flat_map(move |currency| {
        let of = |money: &Money| money.get(&currency).copied().unwrap_or_default();
        let both = of(before).into_iter().zip(of(after)).zip(FIGURES);
        both.filter(|(values, _)| *values != (0, 0)).map(move |((one, two), figure)| Difference {
            ledger: ledger.id.clone(),
            customer: customer.cloned(),
            figure,
            amount: Amount::Money(currency, one, two),
        })
    })
}

fn customers(model: &ReadModel, ledger: encours_domain::LedgerNo) -> BTreeMap<String, Money> {
    let mut all = BTreeMap::new();
    let mut page = Page::first(MAX_PAGE);
    let filter = CustomerFilter::default();
    loop {
        let found = model.customers(ledger, &filter, AsOf::default(), page, &|_, _| None).value;
        for customer in found.items {
            all.insert(customer.id.to_string(), money(&customer.balances));
        }
        match found.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}
