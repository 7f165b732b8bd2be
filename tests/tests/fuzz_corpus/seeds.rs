//! The seeds of the corpus, made from the golden files and from messages of every method. Written
//! anew with `ENCOURS_UPDATE_CORPUS=1`.

use std::collections::BTreeMap;

use encours_audit::{Checkpoint, Signer};
use encours_doors::{commands_of_acme, methods};
use encours_log::{FrameNumber, Hash, LogId, Micros};
use encours_proto::{FILE_DESCRIPTOR_SET, Message as _, v1};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value,
};

/// Inputs by name, of each target.
pub(crate) type Seeds = BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>;

/// How deep messages are filled.
const DEPTH: usize = 4;

pub(crate) fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    seeds.insert("frame", frames());
    seeds.insert("event", events());
    seeds.insert("journal", journals());
    seeds.insert("request", requests());
    seeds.insert("csv", files());
    seeds.insert("note", notes());
    seeds
}

fn frames() -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let segments: [&[u8]; 2] = [
        include_bytes!("../../../crates/log/tests/golden/v1/00000000000000000001.seg"),
        include_bytes!("../../../crates/log/tests/golden/v1/00000000000000000003.seg"),
    ];
    for segment in segments {
        for at in (512..segment.len()).step_by(512) {
            if segment[at..].starts_with(b"ENCF") {
                let len = u32::from_le_bytes(segment[at + 64..at + 68].try_into().unwrap());
                let frame = &segment[at..at + 144 + len as usize];
                for how in [0, 1] {
                    let name = format!("golden-{}-{how}", found.len());
                    found.insert(name, [&[how], frame].concat());
                }
            }
        }
    }
    found
}

fn events() -> BTreeMap<String, Vec<u8>> {
    let tables = [
        include_str!("../../../crates/schema/tests/golden/v1.txt"),
        include_str!("../../../crates/schema/tests/golden/v2.txt"),
    ];
    let lines = tables.iter().flat_map(|table| table.lines()).filter(|line| line.contains('\t'));
    let seed = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let number = |at: usize| fields[at].parse::<u16>().unwrap().to_le_bytes();
        let hex = fields[3].as_bytes().chunks(2);
        let hex = hex.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
        let name = format!("{}-v{}", fields[0].replace(['/', ' '], "-"), fields[2]);
        (name, number(1).into_iter().chain(number(2)).chain(hex).collect())
    };
    lines.map(seed).collect()
}

/// A change: bytes to put somewhere into a file.
fn change(file: u8, at: u16, bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).unwrap();
    [&[file], &at.to_le_bytes()[..], &[len], bytes].concat()
}

fn journals() -> BTreeMap<String, Vec<u8>> {
    let changes = [
        ("as-it-is", vec![]),
        ("epoch", change(1, 512 + 24, &[2])),
        ("count", change(1, 512 + 56, &[9])),
        ("body", change(1, 512 + 144, &[1, 0, 1])),
        ("log-id", change(0, 8, &[1; 16])),
        ("anchor-ahead", change(0, 32, &[200])),
        ("second-slot", change(0, 512, b"ENCA\x01\0\x01\0")),
        ("no-last-frame", change(2, 512, &[0; 144])),
        ("cut", change(0x80 | 2, 700, &[])),
        ("no-anchor", change(0x80, 0, &[])),
        ("number", change(2, 512 + 32, &[4])),
        ("segment-length", change(2, 40, &[0, 16])),
        ("behind-the-end", change(2, 2_000, &[1])),
        // Where frame 2, and the last frame, end: a mark that is damaged, cut short, or missing.
        ("other-mark", change(1, 1_952, b"E")),
        ("damaged-mark", change(2, 1_362, b"M")),
        ("cut-mark", change(2, 1_364, &[0; 6])),
        ("no-mark", change(2, 1_362, &[0; 8])),
    ];
    let seed = |(name, change): (&str, Vec<u8>)| {
        let each = move |how: u8| (format!("{name}-{how}"), [&[how], &*change].concat());
        [0, 1].map(each)
    };
    changes.into_iter().flat_map(seed).collect()
}

fn requests() -> BTreeMap<String, Vec<u8>> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut found = BTreeMap::new();
    for (no, path) in methods().enumerate() {
        let no = u8::try_from(no).unwrap();
        let (service, method) = path.split_once('/').unwrap();
        let service = pool.get_service_by_name(&format!("encours.v1.{service}Service")).unwrap();
        let method = service.methods().find(|found| found.name() == method).unwrap();
        let short = path.replace('/', "-");
        found.insert(format!("{short}-empty"), vec![no]);
        for choice in 0..2 {
            let message = filled(&DynamicMessage::new(method.input()), choice, DEPTH);
            let seed = [&[no], &*message.encode_to_vec()].concat();
            found.insert(format!("{short}-{choice}"), seed);
        }
    }
    for (at, command) in commands_of_acme().into_iter().enumerate() {
        let request =
            v1::ExecuteStreamRequest { command: Some(v1::Command { command: Some(command) }) };
        found.insert(format!("acme-{at}"), [&[1], &*request.encode_to_vec()].concat());
    }
    found
}

/// A message with every field set; of fields that exclude each other the one that `choice` says.
fn filled(empty: &DynamicMessage, choice: usize, depth: usize) -> DynamicMessage {
    let mut message = empty.clone();
    for field in message.descriptor().fields() {
        if let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
            let which = choice % oneof.fields().count();
            if oneof.fields().nth(which) != Some(field.clone()) {
                continue;
            }
        }
        if depth == 0 && matches!(field.kind(), Kind::Message(_)) {
            continue;
        }
        let value = value(&field, choice, depth);
        message.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
    }
    message
}

fn value(field: &FieldDescriptor, choice: usize, depth: usize) -> Value {
    match field.kind() {
        Kind::Bool => Value::Bool(field.name() != "validate_only"),
        Kind::Int32 | Kind::Sint32 => Value::I32(match field.name() {
            "year" => 2026,
            "nanos" => 0,
            _ => 1,
        }),
        Kind::Int64 | Kind::Sint64 => Value::I64(1),
        Kind::Uint32 => Value::U32(1),
        Kind::Uint64 => Value::U64(1),
        Kind::Bytes => Value::Bytes(vec![1, 2, 3].into()),
        Kind::Enum(of) => Value::EnumNumber(of.values().nth(1 + choice).map_or(1, |v| v.number())),
        Kind::Message(of) => Value::Message(filled(&DynamicMessage::new(of), choice, depth - 1)),
        Kind::String => Value::String(text(field.name()).to_owned()),
        other => panic!("the contract has no fields of kind {other:?}"),
    }
}

fn text(field: &str) -> &'static str {
    match field {
        "ledger_id" => "acme",
        "customer_id" => "ada",
        "invoice_id" => "F1",
        "payment_id" => "P1",
        "clock_id" => "sim",
        "currency_code" => "EUR",
        "time_zone" => "Europe/Paris",
        "subjects" => "invoice.>",
        "country_code" => "FR",
        "page_token" | "number" | "log" => "",
        "credit_note_id" => "C1",
        "order_by" => "due_date desc",
        _ => "text",
    }
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let header = "customer_id,invoice_id,issue_date,due_date,total,disputed,paid_on,number";
    let row = "ada,F1,2026-01-05,2026-02-04,\"1,234.50\",no,2026-02-01,N-1";
    let seeds: [(&str, u8, Vec<u8>); 8] = [
        ("plain", 0, format!("{header}\n{row}\nbob,F2,2026-01-06,,10,yes,,\n").into_bytes()),
        ("semicolons", 1, format!("{header}\n{row}\n").replace(',', ";").into_bytes()),
        (
            "american",
            4,
            format!("{header}\n{row}\n").replace("2026-01-05", "1/5/2026").into_bytes(),
        ),
        ("german", 8, format!("{header}\n{row}\n").replace("2026-01-05", "05.01.26").into_bytes()),
        ("yen", 0x10, format!("{header}\nada,F1,2026-01-05,,1234,0,,\n").into_bytes()),
        (
            "named",
            0x40,
            b"customer_id,invoice_id,issue_date,amount,paid\na,F1,2026-01-05,1,\n".to_vec(),
        ),
        ("open-quote", 0, format!("{header}\n{row}\n\"ada,F2\n").into_bytes()),
        ("not-utf8", 0, [header.as_bytes(), b"\nad\xff,F1,2026-01-05,,1,,,\n"].concat()),
    ];
    seeds.into_iter().map(|(name, how, file)| (name.into(), [&[how], &*file].concat())).collect()
}

fn notes() -> BTreeMap<String, Vec<u8>> {
    let checkpoint = Checkpoint {
        log_id: LogId([7; 16]),
        size: 300,
        root: Hash([1; 32]),
        frame: FrameNumber(12),
        frame_hash: Hash([2; 32]),
        recorded_at: Micros(1_767_600_000_000_000),
    };
    let text = checkpoint.to_text();
    // No key of anybody: one of zeros, so that the seed is the same each time.
    let key = "PRIVATE+KEY+x+";
    let unsigned = format!("{text}\n\u{2014} x AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
    let proof = [&[1], &5_u64.to_le_bytes()[..], &9_u64.to_le_bytes(), &[3; 32 * 5]].concat();
    let mut seeds = BTreeMap::new();
    seeds.insert("checkpoint".to_owned(), [&[0], unsigned.as_bytes()].concat());
    seeds.insert("key".to_owned(), [&[0], key.as_bytes()].concat());
    seeds.insert("proof".to_owned(), proof);
    let consistency = [&[1], &4_u64.to_le_bytes()[..], &4_u64.to_le_bytes(), &[3; 64]].concat();
    seeds.insert("consistency".to_owned(), consistency);
    let signed = Signer::random("x").map(|signer| signer.sign(&text));
    assert!(signed.is_ok_and(|note| Checkpoint::unchecked(&note).is_ok()), "a form of notes");
    seeds
}
