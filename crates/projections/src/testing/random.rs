//! Random numbers from a seed, and books of random events.

use encours_domain::number::{CreditNoteNo, PaymentNo, Source};

use super::Book;

/// Numbers from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(crate) fn within(&mut self, first: i32, last: i32) -> i32 {
        first + i32::try_from(self.below(u64::try_from(last - first).unwrap() + 1)).unwrap()
    }
}

/// The seeds of a test: `count` of them or as many as `ENCOURS_SEEDS` says, or the one that
/// `ENCOURS_SEED` names.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    match number("ENCOURS_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("ENCOURS_SEEDS").unwrap_or(count)).collect(),
    }
}

/// What a random book knows of a document.
#[derive(Clone, Copy)]
struct Document {
    customer: u32,
    code: usize,
    date: i32,
    left: i64,
}

struct Placed {
    source: Source,
    invoice: usize,
    amount: i64,
    date: i32,
}

const CODES: [&str; 3] = ["USD", "EUR", "JPY"];

/// A book of random, possible events.
pub(crate) fn random_book(seed: u64, steps: usize) -> Book {
    let mut random = Random::new(seed);
    let mut book = Book::new();
    let mut invoices: Vec<Document> = Vec::new();
    let mut sources: Vec<(Source, Document)> = Vec::new();
    let mut placed: Vec<Placed> = Vec::new();
    book.customer();
    for _ in 0..steps {
        let today = book.today;
        let customer = u32::try_from(random.below(u64::from(book.customers))).unwrap();
        let code = usize::try_from(random.below(3)).unwrap();
        let date = today + random.within(-20, 20);
        match random.below(12) {
            0 => _ = book.customer(),
            1..=3 => {
                let total = i64::from(random.within(0, 500));
                let grace = u8::try_from(random.below(4)).unwrap();
                let due = date + random.within(0, 40);
                book.invoice_in(CODES[code], customer, total, date, due, grace);
                invoices.push(Document { customer, code, date, left: total });
            }
            4..=5 => {
                let left = i64::from(random.within(1, 700));
                let no = book.payment_in(CODES[code], customer, left, date);
                let document = Document { customer, code, date, left };
                sources.push((Source::Payment(PaymentNo(no)), document));
            }
            6 => {
                let Some(at) = pick(&mut random, invoices.len()) else { continue };
                let invoice = invoices[at];
                let date = date.max(invoice.date);
                let left = i64::from(random.within(1, 50));
                let (no, code) = (u32::try_from(at).unwrap(), CODES[invoice.code]);
                let no = book.credit_note(code, invoice.customer, no, left, date);
                let document = Document { date, left, ..invoice };
                sources.push((Source::CreditNote(CreditNoteNo(no)), document));
            }
            7..=8 => allocate(&mut random, &mut book, &mut invoices, &mut sources, &mut placed),
            9 => deallocate(&mut random, &mut book, &mut invoices, &mut sources, &mut placed),
            10 => {
                let Some(at) = pick(&mut random, sources.len()) else { continue };
                let (Source::Payment(no), document) = &mut sources[at] else { continue };
                if document.left > 0 {
                    book.reverse(no.0, document.left, document.date.max(today));
                    document.left = 0;
                }
            }
            _ => book.open_day(today + random.within(1, 5)),
        }
        if random.below(4) == 0 {
            book.commit();
        }
    }
    book
}

fn allocate(
    random: &mut Random,
    book: &mut Book,
    invoices: &mut [Document],
    sources: &mut [(Source, Document)],
    placed: &mut Vec<Placed>,
) {
    let Some(at) = pick(random, sources.len()) else { return };
    let (source, from) = &mut sources[at];
    let fits = |invoice: &&usize| {
        let invoice = &invoices[**invoice];
        invoice.customer == from.customer && invoice.code == from.code && invoice.left > 0
    };
    let candidates: Vec<usize> = (0..invoices.len()).collect();
    let Some(&at) = candidates.iter().find(fits) else { return };
    let invoice = &mut invoices[at];
    let amount = from.left.min(invoice.left).min(i64::from(random.within(1, 300)));
    if amount == 0 {
        return;
    }
    from.left -= amount;
    invoice.left -= amount;
    let own = book.today + random.within(-10, 10);
    let date = own.max(from.date).max(invoice.date);
    placed.push(Placed { source: *source, invoice: at, amount, date });
    book.allocate(*source, u32::try_from(at).unwrap(), amount, date);
}

fn deallocate(
    random: &mut Random,
    book: &mut Book,
    invoices: &mut [Document],
    sources: &mut [(Source, Document)],
    placed: &mut Vec<Placed>,
) {
    let Some(at) = pick(random, placed.len()) else { return };
    let (source, invoice) = (placed[at].source, placed[at].invoice);
    let mut left = i64::from(random.within(1, 200));
    let (mut amount, mut date) = (0, book.today);
    for part in placed.iter_mut().rev() {
        if part.source == source && part.invoice == invoice && left > 0 {
            let taken = part.amount.min(left);
            part.amount -= taken;
            left -= taken;
            amount += taken;
            date = date.max(part.date);
        }
    }
    placed.retain(|part| part.amount > 0);
    invoices[invoice].left += amount;
    let document = sources.iter_mut().find(|(other, _)| *other == source).unwrap();
    document.1.left += amount;
    book.deallocate(source, u32::try_from(invoice).unwrap(), amount, date);
}

fn pick(random: &mut Random, len: usize) -> Option<usize> {
    (len > 0).then(|| usize::try_from(random.below(len as u64)).unwrap())
}
