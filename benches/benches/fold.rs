//! The read model: how fast it folds a log in memory, against decoding the events alone, and how
//! fast it ages a ledger, against reading as many rows of memory.
//!
//! `cargo bench -p encours-benches --bench fold -- 1000000` (events, default 1,000,000).

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use encours_benches::{Took, line};
use encours_domain::calendar::Calendar;
use encours_domain::dunning::Policy;
use encours_domain::event::{
    Allocated, ClockCreated, CustomerCreated, DayOpened, InvoiceContent, InvoiceIssued,
    InvoicePaid, InvoiceSent, LedgerCreated, LogCreated, Method, PaymentRecorded,
};
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{
    ClockNo, Currency, CustomerNo, Day, Event, Id, InvoiceNo, LedgerNo, Micros, PaymentNo,
    Position, Source,
};
use encours_log::{
    CommandRecord, Epoch, EventLog, EventRecord, FrameDraft, FrameNumber, LogId, LogReader,
    MemoryLog, SealWith, SystemClock,
};
use encours_projections::{AsOf, Checkpoint, ReadModel, ReadModelOptions};

const LOG: LogId = LogId([1; 16]);
const LEDGER: LedgerNo = LedgerNo(0);
const CUSTOMERS: u32 = 2_000;
const FRAME_EVENTS: usize = 500;

fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

fn day(number: u32) -> Day {
    Day::from_number(18_000).unwrap().plus(i32::try_from(number).unwrap()).unwrap()
}

/// Clock, ledger and customers.
fn start() -> Vec<Event> {
    let mut events: Vec<Event> = vec![
        LogCreated { log_id: LOG.0 }.into(),
        ClockCreated {
            clock: ClockNo(0),
            id: id("test"),
            test: true,
            zone: "UTC".into(),
            day: day(0),
        }
        .into(),
        LedgerCreated {
            ledger: LEDGER,
            id: id("acme"),
            name: "Acme".into(),
            currency: Currency::parse("currency", "EUR").unwrap(),
            clock: ClockNo(0),
            terms: Terms::DEFAULT,
            invoice_pattern: "FA-{seq:5}".into(),
            credit_note_pattern: "AV-{seq:5}".into(),
            calendar: Calendar::default(),
            reminders: Policy::default(),
        }
        .into(),
    ];
    events.extend((0..CUSTOMERS).map(|no| {
        let (ledger, customer) = (LEDGER, CustomerNo(no));
        let id = id(&format!("customer-{no}"));
        CustomerCreated { ledger, customer, id, currency: None, terms: None, details: Vec::new() }
            .into()
    }));
    events
}

/// An invoice, sent; most are paid in full by a payment of their own.
fn invoice(no: u32, today: Day, events: &mut Vec<Event>) {
    let (ledger, invoice) = (LEDGER, InvoiceNo(no));
    let customer = CustomerNo(no.wrapping_mul(2_654_435_761) % CUSTOMERS);
    let currency = Currency::parse("currency", "EUR").unwrap();
    let total = i64::from(no % 9_000 + 100);
    events.push(
        InvoiceIssued {
            ledger,
            invoice,
            id: id(&format!("invoice-{no}")),
            customer,
            number: format!("FA-{no:07}").into(),
            allotted: true,
            currency,
            total,
            issue_date: today,
            due: DueTerms { date: today.plus(30).unwrap(), grace_days: 0 },
            reference: format!("RF18{no:09}").into(),
            content: Arc::new(InvoiceContent::default()),
        }
        .into(),
    );
    events.push(InvoiceSent { ledger, invoice, date: today }.into());
    let payment = PaymentNo(no);
    events.push(
        PaymentRecorded {
            ledger,
            payment,
            id: id(&format!("payment-{no}")),
            customer,
            currency,
            amount: total,
            method: Method::Transfer,
            received_on: today,
            reference: format!("FA-{no:07}").into(),
        }
        .into(),
    );
    let amount = if no.is_multiple_of(10) { total / 2 } else { total };
    let source = Source::Payment(payment);
    let (open_after, unapplied_after) = (total - amount, total - amount);
    events.push(
        Allocated { ledger, source, invoice, amount, date: today, open_after, unapplied_after }
            .into(),
    );
    if open_after == 0 {
        events.push(InvoicePaid { ledger, invoice, date: today }.into());
    }
}

fn log_of(count: usize) -> MemoryLog {
    let mut log = MemoryLog::new(LOG);
    let mut events = start();
    let (mut today, mut no, mut written) = (0, 0, 0);
    while written < count {
        if no % 200 == 199 {
            today += 1;
            events.push(DayOpened { clock: ClockNo(0), day: day(today), on_time: true }.into());
        }
        invoice(no, day(today), &mut events);
        no += 1;
        if events.len() >= FRAME_EVENTS {
            written += events.len();
            commit(&mut log, &std::mem::take(&mut events));
        }
    }
    log
}

fn commit(log: &mut MemoryLog, events: &[Event]) {
    for events in events.chunks(FRAME_EVENTS * 2) {
        let records: Vec<EventRecord> = events
            .iter()
            .map(|event| encours_schema::encode(event).unwrap())
            .map(|e| EventRecord { kind: e.kind, version: e.version, payload: e.payload })
            .collect();
        let tail = log.tail();
        let mut draft = FrameDraft::new(tail.next_position);
        let command = CommandRecord {
            request_id: String::new(),
            digest: [0; 32],
            actor: "bench".into(),
            reason: String::new(),
            causation: Position::START,
            event_count: u32::try_from(records.len()).unwrap(),
        };
        draft.push(&command, &records).unwrap();
        let with = SealWith {
            log_id: LOG,
            epoch: Epoch(1),
            number: tail.number.next(),
            recorded_at: Micros(1),
            previous: tail.hash,
        };
        log.submit(draft.seal(with).unwrap());
        assert!(log.settle().unwrap().1.is_committed());
    }
}

fn decode(reader: &dyn LogReader) {
    for number in 1..=reader.tail().number.0 {
        let frame = reader.read(FrameNumber(number)).unwrap().unwrap();
        for (_, event) in frame.events() {
            let event = encours_schema::decode(event.kind, event.version, event.payload);
            black_box(event.unwrap());
        }
    }
}

fn open(reader: &Arc<dyn LogReader>, checkpoint: Option<Checkpoint>) -> ReadModel {
    let clock = Arc::new(SystemClock::new());
    let options = ReadModelOptions { reader: Arc::clone(reader), checkpoint, clock };
    let model = ReadModel::open(options).unwrap();
    let last = Position(reader.tail().next_position.0 - 1);
    while model.position() < last {
        assert!(model.health().stopped.is_none(), "{:?}", model.health());
        std::thread::sleep(Duration::from_millis(1));
    }
    model
}

/// Reads as many bytes as the rows of a history have: 32 each.
fn read_memory(rows: u64) -> Took {
    let memory = vec![1_i64; usize::try_from(rows * 4).unwrap()];
    Took::of(rows, || {
        black_box(memory.chunks(4).map(|row| row[0] + row[3]).sum::<i64>());
    })
}

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let log = log_of(count);
    let reader = log.reader();
    let events = reader.tail().next_position.0 - 1;

    decode(&*reader);
    let decoding = Took::of(events, || decode(&*reader));
    line("decode events", decoding, decoding);
    let mut model = None;
    line("decode and fold", Took::of(events, || model = Some(open(&reader, None))), decoding);
    let model = model.unwrap();

    let memory = read_memory(events);
    line("read memory, 32 bytes a row", memory, memory);
    let past = AsOf { date: Some(day(5)), known: None };
    for (what, as_of) in
        [("ageing today, rows of history", AsOf::default()), ("ageing of day 5", past)]
    {
        let ageing = Took::of(events, || {
            black_box(model.ageing(LEDGER, as_of, false).value.unwrap());
        });
        line(what, ageing, memory);
    }
    let digest = Took::of(events, || {
        black_box(model.digest());
    });
    line("digest", digest, decoding);
    model.stop();

    let dir = tempfile::tempdir().unwrap();
    let model = open(&reader, Some(Checkpoint::load(dir.path())));
    let digest = model.digest();
    line("last checkpoint at stop", Took::of(events, || model.stop()), decoding);
    let start = Took::of(events, || {
        let model = open(&reader, Some(Checkpoint::load(dir.path())));
        assert_eq!(model.digest(), digest);
        assert!(model.health().rebuilt.is_none());
        model.stop();
    });
    line("start from a checkpoint, and a digest", start, decoding);
}
