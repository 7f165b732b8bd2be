//! Checkpoints come back as they were, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use encours_domain::balance::Balance;
use encours_domain::calendar::Calendar;
use encours_domain::dunning::{Channel, Emitted, Policy, Step};
use encours_domain::event::{CreditPolicy, Method, ReversalKind};
use encours_domain::state::{ManualReminder, PlannedPayment};
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{Day, Position};
use encours_log::EventLog as _;
use tempfile::TempDir;

use super::paged::{Paged, TableId, Visit};
use super::store::{Loaded, StoreError, load, write};
use super::{Checkpoint, PAGE_MAX, Snapshot};
use crate::digest::Digest;
use crate::heap::{Block, HEAP_PAGE, Heap};
use crate::model::Model;
use crate::rows::{
    AllocationRow, BalanceRow, Change, ChangeKind, ClockRow, CorrectionRow, CreditNoteRow,
    CustomerRow, DayRow, InvoiceFlags, InvoiceRow, LedgerRow, LimitRow, PaymentRow, Plans,
    ReminderRow,
};
use crate::testing::{Book, LOG, Random, currency, random_book, seeds};

fn folder(dir: &TempDir) -> PathBuf {
    dir.path().join("views").join("v3")
}

fn snapshot(model: &Model) -> Snapshot {
    Snapshot::of(LOG, model)
}

/// A model that stands at the end of all frames of the book.
fn model_of(book: &mut Book) -> Model {
    let read = book.read();
    read.stop();
    let seen = read.shared.model().seen;
    let mut model = book.model();
    model.seen = seen;
    model
}

fn digest_of(snapshot: &Snapshot) -> Digest {
    let Snapshot { seen, root, ledgers, .. } = snapshot.clone();
    Model::of(seen, root, ledgers).unwrap().digest()
}

/// Writes a snapshot as the thread does.
fn save(folder: &Path, snapshot: Snapshot, last: Option<&Loaded>) -> Loaded {
    let (number, stamps) = write(folder, &snapshot, last, &mut |_| {}).unwrap();
    Loaded { snapshot, stamps, number }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a row of every table")]
fn the_fullest_page_of_every_table_fits() {
    fn fits<T: Paged>(row: T::Row)
    where
        T::Row: Clone,
    {
        let page = vec![row; T::ROWS];
        let bytes = postcard::to_stdvec(&page).unwrap().len() + 4;
        assert!(bytes <= PAGE_MAX, "{}: {bytes} bytes", std::any::type_name::<T>());
    }
    let (texts, no, n, far) = (Block(u64::MAX), u32::MAX, u64::MAX, Day::MAX);
    let eur = currency("EUR");
    let terms = Terms::NetDays { days: u16::MAX, grace_days: u8::MAX };
    let most = i64::MIN;
    let balance = Balance {
        currency: eur,
        opening: most,
        invoiced: most,
        credited: most,
        collected: most,
        refunded: most,
        outstanding: most,
        overdue: most,
        unapplied: most,
    };
    fits::<Heap>(u8::MAX);
    assert_eq!(Heap::ROWS, HEAP_PAGE);
    fits::<crate::rows::Clocks>(ClockRow {
        texts,
        test: true,
        today: far,
        finished: far,
        target: far,
    });
    fits::<crate::rows::Days>(DayRow { position: n, clock: no, day: far });
    let plans = Plans { policy: Policy::None, calendar: Calendar::Weekdays };
    let ledger = LedgerRow { texts, currency: eur, clock: no, terms, plans, created: n };
    fits::<crate::rows::Ledgers>(ledger);
    fits::<crate::rows::Customers>(CustomerRow {
        texts,
        details: texts,
        currency: Some(eur),
        terms: Some(terms),
        balance: no,
        limit: no,
        reminder: Some(ManualReminder { level: u8::MAX, date: far }),
        created: n,
        version: n,
        first: no,
        last: no,
    });
    fits::<crate::rows::Balances>(BalanceRow { balance, next: no });
    fits::<crate::rows::Limits>(LimitRow {
        currency: eur,
        limit: Some(most),
        policy: CreditPolicy::Refuse,
        next: no,
    });
    let mut flags = InvoiceFlags::default();
    flags.set(u16::MAX, true);
    let due = DueTerms { date: far, grace_days: u8::MAX };
    let step = Step::Overdue(u8::MAX);
    fits::<crate::rows::Invoices>(InvoiceRow {
        texts,
        customer: no,
        currency: eur,
        total: most,
        left: most,
        credited: most,
        credit_noted: most,
        by_others: most,
        paid_before: most,
        over_limit: most,
        issue_date: Some(far),
        due: Some(due),
        sent_on: Some(far),
        flags,
        planned: Some(PlannedPayment { amount: most, remaining: most, date: far }),
        last_step: Some(Emitted { step, planned: far, date: far }),
        level: u8::MAX,
        content: n,
        allocation: no,
        first: no,
        last: no,
    });
    let correction = CorrectionRow { invoice: no, position: n, date: far, before: due };
    fits::<crate::rows::Corrections>(correction);
    fits::<crate::rows::Reminders>(ReminderRow {
        step: Some(step),
        level: u8::MAX,
        channel: Channel::Phone,
        planned: far,
    });
    fits::<crate::rows::Payments>(PaymentRow {
        texts,
        customer: no,
        currency: eur,
        amount: most,
        unapplied: most,
        refunded: most,
        reversed: most,
        reversal: Some(ReversalKind::Chargeback),
        method: Method::Other,
        received_on: far,
        allocation: no,
        first: no,
        last: no,
    });
    fits::<crate::rows::CreditNotes>(CreditNoteRow {
        texts,
        invoice: no,
        customer: no,
        currency: eur,
        amount: most,
        unapplied: most,
        issue_date: far,
        allocation: no,
        first: no,
        last: no,
    });
    let (invoice, amount, date) = (no, most, far);
    fits::<crate::rows::Allocations>(AllocationRow { invoice, amount, date, next: no });
    let kind = ChangeKind::OpeningDeallocated;
    fits::<crate::rows::History>(Change { position: n, amount, item: no, other: no, date, kind });
}

#[test]
fn a_checkpoint_comes_back_as_it_was() {
    for seed in seeds(8) {
        let dir = TempDir::new().unwrap();
        let folder = folder(&dir);
        let repeat = format!("ENCOURS_SEED={seed} cargo test -p encours-projections comes_back");
        let mut book = random_book(seed, 1_500);
        let mut model = book.model();
        let mut last = save(&folder, snapshot(&model), None);
        let first_pages = PageCount::of(&last.snapshot, None);
        // Later checkpoints write what changed only.
        for round in 0..3 {
            let more = book.events.len();
            book.customer();
            let customer = model.ledgers[0].tables.customers.len();
            book.invoice(customer, 5 + round, book.today, book.today + 9);
            for (position, event) in (1..).zip(&book.events).skip(more) {
                model.fold(Position(position), event).unwrap();
            }
            let next = snapshot(&model);
            assert!(PageCount::of(&next, Some(&last.snapshot)) < first_pages, "{repeat}");
            last = save(&folder, next, Some(&last));
            let loaded = load(&folder).unwrap().unwrap();
            assert_eq!(loaded.number, last.number, "{repeat}");
            assert_eq!(loaded.stamps, last.stamps, "{repeat}");
            assert_eq!(loaded.snapshot.seen, model.seen, "{repeat}");
            assert_eq!(digest_of(&loaded.snapshot), model.digest(), "{repeat}");
        }
    }
}

/// Counts the pages that a checkpoint would write.
struct PageCount(usize);

impl PageCount {
    fn of(snapshot: &Snapshot, before: Option<&Snapshot>) -> usize {
        let mut count = Self(0);
        let Ok(()) = snapshot.visit(before, &mut count);
        count.0
    }
}

impl Visit for PageCount {
    type Error = std::convert::Infallible;

    fn table<P: Paged>(
        &mut self,
        _: TableId,
        table: &P,
        before: Option<&P>,
    ) -> Result<(), Self::Error> {
        let before = before.map_or(&[][..], P::stored_pages);
        let changed = table.stored_pages().iter().enumerate().filter(|(at, page)| {
            !before.get(*at).is_some_and(|before| std::sync::Arc::ptr_eq(before, page))
        });
        self.0 += changed.count();
        Ok(())
    }
}

/// Start, stop and start again of the whole read model.
#[test]
fn a_start_goes_on_from_the_checkpoint() {
    let dir = TempDir::new().unwrap();
    let views = dir.path().join("views");
    let mut book = random_book(5, 600);
    let read = book.read_from(Some(Checkpoint::load(&views)));
    let digest = read.digest().value;
    read.stop();
    drop(read);

    let checkpoint = Checkpoint::load(&views);
    let known = checkpoint.known().unwrap();
    assert_eq!((known.number, known.hash), {
        let tail = book.log.tail();
        (tail.number, tail.hash)
    });
    book.customer();
    book.open_day(book.today + 30);
    let read = book.read_from(Some(checkpoint));
    assert_eq!(read.health().rebuilt, None);
    let fresh = book.read();
    assert_eq!(read.digest(), fresh.digest());
    assert_ne!(read.digest().value, digest, "something has happened since");
    read.stop();
    fresh.stop();
    assert!(Checkpoint::load(&views).known().unwrap().number > known.number);
}

#[test]
fn the_checkpoint_of_another_log_is_refused() {
    let dir = TempDir::new().unwrap();
    let views = dir.path().join("views");
    let read = random_book(1, 100).read_from(Some(Checkpoint::load(&views)));
    read.stop();
    let mut other = random_book(2, 300);
    let read = other.read_from(Some(Checkpoint::load(&views)));
    assert!(read.health().rebuilt.unwrap().contains("another log"));
    assert_eq!(read.digest(), other.read().digest());
    read.stop();
    assert!(views.join(".damaged-v3").exists());
    // The next start finds the checkpoint of this log.
    let read = other.read_from(Some(Checkpoint::load(&views)));
    assert_eq!(read.health().rebuilt, None);
    read.stop();
}

/// Copies a folder of sled.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn a_flipped_bit_never_gives_other_figures() {
    let dir = TempDir::new().unwrap();
    let folder = folder(&dir);
    let mut book = random_book(3, 400);
    let model = model_of(&mut book);
    let first = save(&folder, snapshot(&model), None);
    let first_digest = model.digest();
    // A second one, so that the file holds old pages too.
    book.customer();
    let model = model_of(&mut book);
    save(&folder, snapshot(&model), Some(&first));
    let (mut found, mut harmless, mut older) = (0, 0, 0);
    for seed in seeds(150) {
        let mut random = Random::new(seed);
        let damaged = dir.path().join(format!("{seed}")).join("v3");
        copy(&folder, &damaged);
        let files = files(&damaged);
        let file = &files[usize::try_from(random.below(files.len() as u64)).unwrap()];
        let mut bytes = fs::read(file).unwrap();
        // WHY: most of a segment of sled is empty; a flip there shows nothing.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
        let at = usize::try_from(random.below(used as u64)).unwrap();
        bytes[at] ^= 1 << random.below(8);
        overwrite(file, &bytes);
        let repeat = format!(
            "ENCOURS_SEED={seed} cargo test -p encours-projections flipped_bit ({}, byte {at})",
            file.file_name().unwrap().display()
        );
        let checkpoint = Checkpoint::load(damaged.parent().unwrap());
        match checkpoint.loaded {
            // sled may take the damage for the end of its log; then the checkpoint before is whole.
            Some(loaded) if loaded.number == first.number => {
                assert_eq!(loaded.snapshot.seen, first.snapshot.seen, "{repeat}");
                assert_eq!(digest_of(&loaded.snapshot), first_digest, "{repeat}");
                older += 1;
            }
            Some(loaded) => {
                assert_eq!(digest_of(&loaded.snapshot), model.digest(), "{repeat}");
                harmless += 1;
            }
            None => {
                assert!(checkpoint.refused.is_some(), "{repeat}");
                found += 1;
            }
        }
        fs::remove_dir_all(damaged.parent().unwrap()).unwrap();
    }
    println!(
        "flips: {found} found, {older} end in the checkpoint before, {harmless} without effect"
    );
}

#[expect(clippy::disallowed_methods, reason = "a test damages files")]
fn overwrite(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
}

/// Opens the database of a checkpoint by itself.
fn open(folder: &Path) -> sled::Db {
    super::folder::prepare(folder).unwrap();
    sled::Config::new().path(folder).open().unwrap()
}

fn tamper(folder: &Path, change: impl FnOnce(&sled::Db)) {
    let db = open(folder);
    change(&db);
    db.flush().unwrap();
}

#[test]
fn a_missing_or_older_page_is_never_taken() {
    let dir = TempDir::new().unwrap();
    let folder = folder(&dir);
    let mut book = random_book(4, 200);
    let first = save(&folder, snapshot(&model_of(&mut book)), None);
    let kept = dir.path().join("kept");
    book.customer();
    save(&folder, snapshot(&model_of(&mut book)), Some(&first));
    copy(&folder, &kept);
    let keys: Vec<Vec<u8>> = {
        let db = open(&folder);
        db.iter().keys().map(|key| key.unwrap().to_vec()).collect()
    };
    assert!(keys.len() > 10);
    let restore = || {
        fs::remove_dir_all(&folder).unwrap();
        copy(&kept, &folder);
    };
    for key in &keys {
        restore();
        tamper(&folder, |db| _ = db.remove(key).unwrap());
        assert!(matches!(load(&folder), Err(StoreError::Damaged(_))), "{key:02x?} removed");
        restore();
        // Another page's bytes, with a checksum that passes for that page.
        let other = keys.iter().find(|other| other[0] == key[0] && *other != key);
        let Some(other) = other else { continue };
        tamper(&folder, |db| {
            let bytes = db.get(other).unwrap().unwrap();
            db.insert(key.as_slice(), bytes).unwrap();
        });
        assert!(matches!(load(&folder), Err(StoreError::Damaged(_))), "{key:02x?} swapped");
    }
    restore();
    tamper(&folder, |db| db.clear().unwrap());
    assert!(matches!(load(&folder), Err(StoreError::Damaged(_))), "emptied");
}

#[test]
fn an_emptied_or_missing_database_is_built_anew() {
    for damage in ["db", "folder", "zeros"] {
        let dir = TempDir::new().unwrap();
        let views = dir.path().join("views");
        let mut book = random_book(6, 200);
        let read = book.read_from(Some(Checkpoint::load(&views)));
        let digest = read.digest();
        read.stop();
        let db = folder(&dir).join("db");
        match damage {
            "folder" => fs::remove_dir_all(folder(&dir)).unwrap(),
            "zeros" => overwrite(&db, &vec![0; fs::read(&db).unwrap().len()]),
            file => overwrite(&folder(&dir).join(file), &[]),
        }
        let checkpoint = Checkpoint::load(&views);
        assert!(checkpoint.known().is_none(), "{damage}");
        let read = book.read_from(Some(checkpoint));
        assert_eq!(read.digest(), digest, "{damage}");
        assert_eq!(read.health().rebuilt.is_some(), damage != "folder", "{damage}");
        read.stop();
        assert!(Checkpoint::load(&views).known().is_some(), "{damage}");
    }
}

#[test]
fn an_interrupted_checkpoint_leaves_the_last_one() {
    let dir = TempDir::new().unwrap();
    let folder = folder(&dir);
    let mut book = random_book(7, 400);
    let model = model_of(&mut book);
    let first = save(&folder, snapshot(&model), None);
    let kept = dir.path().join("kept");
    copy(&folder, &kept);
    for _ in 0..200 {
        book.customer();
    }
    let later = snapshot(&model_of(&mut book));
    fs::remove_dir_all(&folder).unwrap();
    copy(&kept, &folder);
    // The pages are written, and then the process dies: no manifest.
    let died = write(&folder, &later, Some(&first), &mut |_| panic!("killed"));
    assert!(matches!(died, Err(StoreError::Panicked(_))));
    overwrite(&folder.join("snap.0000000000000001.generating"), b"half");
    let loaded = load(&folder).unwrap().unwrap();
    assert_eq!(digest_of(&loaded.snapshot), model.digest());
    assert!(!folder.join("snap.0000000000000001.generating").exists());
    // The next one is written over what was left.
    let again = save(&folder, later, Some(&loaded));
    let loaded = load(&folder).unwrap().unwrap();
    assert_eq!(digest_of(&loaded.snapshot), digest_of(&again.snapshot));
}

#[test]
fn a_database_in_use_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let folder = folder(&dir);
    let mut book = random_book(8, 50);
    save(&folder, snapshot(&model_of(&mut book)), None);
    let holder = open(&folder);
    let checkpoint = Checkpoint::load(folder.parent().unwrap());
    assert!(checkpoint.loaded.is_none() && checkpoint.refused.is_some());
    assert!(folder.exists() && !folder.with_file_name(".damaged-v3").exists());
    drop(holder);
    assert!(Checkpoint::load(folder.parent().unwrap()).known().is_some());
}

#[test]
fn older_versions_alone_are_retired() {
    let dir = tempfile::tempdir().unwrap();
    let own = folder(&dir);
    let views = own.parent().unwrap();
    for name in ["v2", ".damaged-v2", "v3", ".damaged-v3", "v4", "v", "vx", "other"] {
        fs::create_dir_all(views.join(name).join("blobs")).unwrap();
        fs::create_dir(views.join(name).join("db")).unwrap();
    }
    super::folder::retire_older(&own);
    let mut left: Vec<_> = fs::read_dir(views)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [".damaged-v3", "other", "v", "v3", "v4", "vx"]);
}
