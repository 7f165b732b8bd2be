//! What the read model knows at one position.

use std::collections::BTreeMap;

use encours_domain::{Day, Position};
use encours_log::{FrameNumber, Hash, LogId, Micros};

use crate::heap::Heap;
use crate::index::Index;
use crate::rows::{Clocks, Days, Ledgers, Plans};
use crate::tables::{Tables, partition};

/// Everything, at one position.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) seen: Seen,
    /// Which building of it this is: the same position of another one may be of other pages.
    pub(crate) generation: u64,
    pub(crate) root: Root,
    /// By number.
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) ledger_ids: BTreeMap<Box<str>, u32>,
}

/// How far the log has been folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The last event.
    pub(crate) position: Position,
    /// The last frame folded as a whole.
    pub(crate) frame: FrameNumber,
    /// Its hash.
    pub(crate) hash: Hash,
    /// When it was recorded.
    pub(crate) recorded_at: Micros,
}

/// The tables of the log as a whole. A clone shares the pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Root {
    pub(crate) heap: Heap,
    pub(crate) clocks: Clocks,
    pub(crate) days: Days,
    pub(crate) ledgers: Ledgers,
}

/// A ledger.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) clock: u32,
    /// The last day that its clock opened.
    pub(crate) today: Day,
    pub(crate) plans: Plans,
    pub(crate) tables: Tables,
    pub(crate) index: Index,
}

impl Seen {
    /// Nothing yet.
    pub(crate) fn nothing(log_id: LogId) -> Self {
        Self {
            position: Position::START,
            frame: FrameNumber::START,
            hash: Hash::genesis(log_id),
            recorded_at: Micros(0),
        }
    }
}

impl Model {
    pub(crate) fn new(log_id: LogId) -> Self {
        Self {
            seen: Seen::nothing(log_id),
            generation: 0,
            root: Root::default(),
            ledgers: Vec::new(),
            ledger_ids: BTreeMap::new(),
        }
    }

    /// The model that these tables make; `None` where they contradict themselves.
    pub(crate) fn of(seen: Seen, root: Root, tables: Vec<Tables>) -> Option<Self> {
        let mut model = Self {
            seen,
            generation: 0,
            root,
            ledgers: Vec::with_capacity(tables.len()),
            ledger_ids: BTreeMap::new(),
        };
        for ((no, row), tables) in (0..).zip(model.root.ledgers.iter()).zip(tables) {
            let id = model.root.heap.text(row.texts, 0)?;
            model.ledger_ids.insert(id.into(), no);
            let today = model.root.clocks.get(row.clock)?.today;
            let index = Index::of(&tables, today)?;
            let plans = row.plans;
            model.ledgers.push(Ledger { clock: row.clock, today, plans, tables, index });
        }
        (model.ledgers.len() == model.root.ledgers.len() as usize).then_some(model)
    }

    /// The ledger with this number.
    pub(crate) fn ledger(&self, no: u32) -> Option<&Ledger> {
        self.ledgers.get(no as usize)
    }
}

impl Root {
    /// What *today* was on a clock at a position; `None` before the clock existed.
    pub(crate) fn today_at(&self, clock: u32, position: Position) -> Option<Day> {
        let after = partition(&self.days, |row| row.position <= position.0);
        (0..after)
            .rev()
            .filter_map(|row| self.days.get(row))
            .find(|row| row.clock == clock)
            .map(|row| row.day)
    }
}
