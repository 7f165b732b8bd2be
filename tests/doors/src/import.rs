//! The reader of CSV files, as `encours import` has it.

#[path = "../../../crates/cli/src/import/columns.rs"]
mod columns;
#[path = "../../../crates/cli/src/import/raw.rs"]
mod raw;
#[path = "../../../crates/cli/src/import/rows.rs"]
pub(crate) mod rows;
