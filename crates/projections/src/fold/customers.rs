//! Events of customers.

use encours_domain::Position;
use encours_domain::details::{DetailKind, Secret};
use encours_domain::event::{
    CreditLimitSet, CustomerCreated, CustomerReminderRecorded, CustomerUpdated,
};
use encours_domain::state::ManualReminder;
use encours_domain::status::CustomerStatus;

use super::{known, next};
use crate::error::FoldError;
use crate::heap::{Block, Heap};
use crate::model::Ledger;
use crate::rows::{Change, ChangeKind, CustomerRow, LimitRow, NONE};

/// The code of a detail in the heap, and back by its place in this list.
pub(crate) const DETAILS: [DetailKind; 4] =
    [DetailKind::Name, DetailKind::Address, DetailKind::Contacts, DetailKind::Note];

/// Sealed details by kind, as they lie in the heap.
pub(crate) fn read_details(heap: &Heap, block: Block) -> Vec<(DetailKind, Vec<u8>)> {
    let mut details = Vec::new();
    for index in 0..DETAILS.len() {
        let Some(bytes) = heap.bytes(block, index) else { break };
        if let Some((code, sealed)) = bytes.split_first()
            && let Some(kind) = DETAILS.get(usize::from(*code))
        {
            details.push((*kind, sealed.to_vec()));
        }
    }
    details
}

/// Writes `old` details, changed by `new` ones, to the heap.
fn put_details(
    heap: &mut Heap,
    mut old: Vec<(DetailKind, Vec<u8>)>,
    new: &[(DetailKind, Secret)],
) -> Result<Block, FoldError> {
    for (kind, secret) in new {
        // INVARIANT: clear details never get into the read model; sled pages hold ciphertext only.
        let Secret::Sealed(sealed) = secret else { return Err(FoldError::NotSealed) };
        match old.binary_search_by_key(kind, |(kind, _)| *kind) {
            Ok(index) => old[index].1 = sealed.to_vec(),
            Err(index) => old.insert(index, (*kind, sealed.to_vec())),
        }
    }
    let mut texts = Vec::with_capacity(old.len());
    for (kind, mut sealed) in old {
        let code = DETAILS.iter().position(|known| *known == kind).unwrap_or_default();
        sealed.insert(0, u8::try_from(code).unwrap_or_default());
        texts.push(sealed);
    }
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    heap.put(&texts).ok_or(FoldError::NoRoom)
}

impl Ledger {
    pub(super) fn create_customer(
        &mut self,
        position: Position,
        e: &CustomerCreated,
    ) -> Result<(), FoldError> {
        let no = e.customer.0;
        next("customer", self.tables.customers.len(), no)?;
        let heap = &mut self.tables.heap;
        let details = put_details(heap, Vec::new(), &e.details)?;
        let texts = heap.put(&[e.id.as_str().as_bytes()]).ok_or(FoldError::NoRoom)?;
        self.tables.customers.push(CustomerRow {
            texts,
            details,
            currency: e.currency,
            terms: e.terms,
            balance: NONE,
            limit: NONE,
            reminder: None,
            created: position.0,
            version: position.0,
            first: self.tables.history.len(),
            last: self.tables.history.len(),
        });
        self.index.customers.insert(e.id.as_str().as_bytes(), no);
        self.index.counts.status(None, Some(CustomerStatus::UpToDate));
        self.record_first(Change {
            position: position.0,
            amount: 0,
            item: no,
            other: NONE,
            date: self.today,
            kind: ChangeKind::CustomerCreated,
        })
    }

    pub(super) fn update_customer(
        &mut self,
        position: Position,
        e: &CustomerUpdated,
    ) -> Result<(), FoldError> {
        let no = e.customer.0;
        let old = known(self.tables.customers.get(no), "customer", no)?.details;
        let details = if e.details.is_empty() {
            old
        } else {
            let old = read_details(&self.tables.heap, old);
            put_details(&mut self.tables.heap, old, &e.details)?
        };
        let row = known(self.tables.customers.get_mut(no), "customer", no)?;
        row.details = details;
        row.currency = e.currency.or(row.currency);
        row.terms = e.terms.or(row.terms);
        row.version = position.0;
        self.record(Change {
            position: position.0,
            amount: 0,
            item: no,
            other: NONE,
            date: self.today,
            kind: ChangeKind::CustomerUpdated,
        })
    }

    pub(super) fn set_limit(
        &mut self,
        position: Position,
        e: &CreditLimitSet,
    ) -> Result<(), FoldError> {
        let no = e.customer.0;
        let first = known(self.tables.customers.get(no), "customer", no)?.limit;
        let (currency, limit, policy) = (e.currency, e.limit, e.policy);
        let at = self.tables.limits(first).find(|(_, row)| row.currency == currency);
        let first = match at.map(|(at, row)| (at, row.next)) {
            Some((at, next)) => {
                let row = known(self.tables.limits.get_mut(at), "credit limit", at)?;
                *row = LimitRow { currency, limit, policy, next };
                first
            }
            None => self.tables.limits.push(LimitRow { currency, limit, policy, next: first }),
        };
        let row = known(self.tables.customers.get_mut(no), "customer", no)?;
        row.limit = first;
        row.version = position.0;
        self.record(Change {
            position: position.0,
            amount: limit.unwrap_or_default(),
            item: no,
            other: NONE,
            date: self.today,
            kind: ChangeKind::LimitSet,
        })
    }

    pub(super) fn remind_customer(
        &mut self,
        position: Position,
        e: &CustomerReminderRecorded,
    ) -> Result<(), FoldError> {
        let no = e.customer.0;
        let row = known(self.tables.customers.get_mut(no), "customer", no)?;
        row.reminder = Some(ManualReminder { level: e.level, date: e.date });
        row.version = position.0;
        self.record(Change {
            position: position.0,
            amount: 0,
            item: no,
            other: NONE,
            date: e.date,
            kind: ChangeKind::CustomerReminded,
        })
    }
}
