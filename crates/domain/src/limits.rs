//! The limits that bound a command, stated once.

/// The most bytes a text may have.
pub const MAX_TEXT_BYTES: usize = 4_096;
/// The most characters the number of a document may have.
pub const MAX_NUMBER_CHARS: usize = 64;
/// The most lines an invoice may have.
pub const MAX_LINES: usize = 1_000;
/// The most metadata pairs an invoice may have.
pub const MAX_METADATA: usize = 50;
/// The most live allocations of a payment, a credit note or an invoice; `auto` stops there.
pub const MAX_ALLOCATIONS: usize = 1_000;
/// The most contacts of a customer.
pub const MAX_CONTACTS: usize = 50;
/// The most days one command moves a test clock: ten years.
pub const MAX_ADVANCE_DAYS: i32 = 3_660;
/// The most items one `RunDay` emits facts about.
pub const MAX_RUN_DAY_ITEMS: u32 = 1_000;
/// The most bytes of events one command yields.
pub const MAX_COMMAND_BYTES: usize = 256 * 1024;
/// The most that the invoices, payments and credit notes of a ledger in one currency may add up to,
/// in minor units, whatever became of them: a quarter of 64 bits, 23 quadrillion euros.
pub const MAX_VOLUME: i64 = i64::MAX / 4;
