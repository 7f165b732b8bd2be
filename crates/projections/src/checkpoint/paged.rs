//! Tables as pages to store: which tables there are, and their pages in postcard.

use std::sync::Arc;

use encours_domain::table::Table;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Snapshot;
use crate::heap::{HEAP_PAGE, Heap};
use crate::model::Root;
use crate::tables::Tables;

/// Which table: the ledger's number (the last for the log as a whole), and which of its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableId {
    pub(crate) ledger: u32,
    pub(crate) table: u8,
}

/// Stands for the log as a whole.
const ROOT: u32 = u32::MAX;

/// A table that is stored by page.
pub(crate) trait Paged: Default {
    /// A row.
    type Row: Serialize + DeserializeOwned;
    /// Rows of a full page.
    const ROWS: usize;

    fn stored_pages(&self) -> &[Arc<Vec<Self::Row>>];

    /// Takes back the next page.
    fn take_page(&mut self, rows: Vec<Self::Row>);
}

impl<T: Clone + Serialize + DeserializeOwned, const N: usize> Paged for Table<T, N> {
    type Row = T;
    const ROWS: usize = N;

    fn stored_pages(&self) -> &[Arc<Vec<T>>] {
        self.pages()
    }

    fn take_page(&mut self, rows: Vec<T>) {
        for row in rows {
            self.push(row);
        }
    }
}

impl Paged for Heap {
    type Row = u8;
    const ROWS: usize = HEAP_PAGE;

    fn stored_pages(&self) -> &[Arc<Vec<u8>>] {
        self.pages()
    }

    fn take_page(&mut self, rows: Vec<u8>) {
        self.append(&rows);
    }
}

/// Looks at tables one after the other, each beside what it was before.
pub(crate) trait Visit {
    type Error;

    fn table<P: Paged>(
        &mut self,
        id: TableId,
        table: &P,
        before: Option<&P>,
    ) -> Result<(), Self::Error>;
}

/// Gives back tables one after the other.
pub(crate) trait Fetch {
    type Error;

    fn table<P: Paged>(&mut self, id: TableId) -> Result<P, Self::Error>;
}

/// Writes the two walks over a struct of tables, so that neither can forget a table.
macro_rules! tables {
    ($of:ident { $($number:literal $name:ident),* $(,)? }) => {
        impl $of {
            fn visit<V: Visit>(
                &self,
                ledger: u32,
                before: Option<&Self>,
                visitor: &mut V,
            ) -> Result<(), V::Error> {
                $(
                    let id = TableId { ledger, table: $number };
                    visitor.table(id, &self.$name, before.map(|before| &before.$name))?;
                )*
                Ok(())
            }

            fn fetch<F: Fetch>(ledger: u32, source: &mut F) -> Result<Self, F::Error> {
                Ok(Self { $($name: source.table(TableId { ledger, table: $number })?,)* })
            }
        }
    };
}

tables!(Root { 0 heap, 1 clocks, 2 days, 3 ledgers });
tables!(Tables {
    0 heap,
    1 customers,
    2 balances,
    3 invoices,
    4 payments,
    5 credit_notes,
    6 allocations,
    7 history,
    8 limits,
    9 corrections,
    10 reminders,
});

impl Snapshot {
    /// Shows every table to the visitor, beside what it was in `before`.
    pub(crate) fn visit<V: Visit>(
        &self,
        before: Option<&Self>,
        visitor: &mut V,
    ) -> Result<(), V::Error> {
        for (ledger, tables) in (0..).zip(&self.ledgers) {
            let before = before.and_then(|before| before.ledgers.get(ledger as usize));
            tables.visit(ledger, before, visitor)?;
        }
        self.root.visit(ROOT, before.map(|before| &before.root), visitor)
    }
}

/// Gets the tables of the log as a whole and of each ledger.
pub(crate) fn fetch<F: Fetch>(source: &mut F) -> Result<(Root, Vec<Tables>), F::Error> {
    let root = Root::fetch(ROOT, source)?;
    let ledgers = (0..root.ledgers.len()).map(|ledger| Tables::fetch(ledger, source));
    let ledgers = ledgers.collect::<Result<_, _>>()?;
    Ok((root, ledgers))
}
