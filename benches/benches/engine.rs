//! The engine on the real disk: durable commands a second from many callers at once, compared with
//! the same commands decided and applied in memory by one thread, without log, answers or disk.
//!
//! `cargo bench -p encours-benches --bench engine`; `TMPDIR` chooses the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::sync::Arc;

use encours_benches::company::{CALLERS, in_memory, play, prepare};
use encours_benches::{Took, line};
use encours_engine::{Engine, EngineOptions};
use encours_log::{Journal, JournalOptions, LogId, OsDisk, SystemClock};

const INVOICES: u64 = 100_000;

fn durable(dir: &std::path::Path) -> (Took, String) {
    let disk = Arc::new(OsDisk);
    let options = JournalOptions { create: Some(LogId([1; 16])), ..Default::default() };
    let (journal, _) = Journal::open(disk.clone(), &dir.join("log"), options).unwrap();
    let options = EngineOptions::new(Box::new(journal), disk, Arc::new(SystemClock::default()));
    let engine = Engine::open(options, dir).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let handle = engine.handle();
    runtime.block_on(prepare(&handle));
    let before = handle.metrics();
    let took = Took::of(INVOICES * 2, || runtime.block_on(play(&handle, INVOICES)));
    let frames = handle.metrics().frames - before.frames;
    runtime.block_on(handle.stop()).unwrap();
    (took, format!("{} commands a frame", INVOICES * 2 / frames.max(1)))
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let dir = tempfile::tempdir().unwrap();
    println!("{INVOICES} invoices issued and paid, {CALLERS} callers");
    let limit = in_memory(INVOICES);
    line("  decide and apply in memory (the limit)", limit, limit);
    let (took, frames) = durable(dir.path());
    line("  durable, answered, with request ids", took, limit);
    println!("  {frames}");
}
