//! The engine on the real disk: durable commands a second from many callers at once, compared with
//! the same commands decided and applied in memory by one thread, without log, answers or disk.
//!
//! `cargo bench -p encours-benches --bench engine -- 100000` (invoices, default 100,000); `TMPDIR`
//! chooses the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::sync::Arc;

use encours_benches::company::{CALLERS, STREAMS, in_memory, play, play_by_batches, prepare};
use encours_benches::cpu::Cpu;
use encours_benches::{Took, line};
use encours_engine::{Engine, EngineOptions};
use encours_log::{Journal, JournalOptions, LogId, OsDisk, SystemClock};

/// Issues and pays by batches or by callers that wait for every answer.
fn durable(dir: &std::path::Path, invoices: u64, by_batches: bool, limit: Took) {
    let disk = Arc::new(OsDisk);
    let options = JournalOptions { create: Some(LogId([1; 16])), ..Default::default() };
    let (journal, _) = Journal::open(disk.clone(), &dir.join("log"), options).unwrap();
    let options = EngineOptions::new(Box::new(journal), disk, Arc::new(SystemClock::default()));
    let engine = Engine::open(options, dir).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let handle = engine.handle();
    runtime.block_on(prepare(&handle));
    let (before, cpu) = (handle.metrics(), Cpu::now(&[]));
    let took = Took::of(invoices * 2, || {
        if by_batches {
            runtime.block_on(play_by_batches(&handle, invoices));
        } else {
            runtime.block_on(play(&handle, invoices));
        }
    });
    let used = Cpu::now(&[]);
    let frames = handle.metrics().frames - before.frames;
    runtime.block_on(handle.stop()).unwrap();
    let who = if by_batches { "by batches" } else { "lone callers" };
    line(&format!("  durable, {who}, {} a frame", took.count / frames.max(1)), took, limit);
    used.print_since(&cpu, took);
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let invoices = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    println!("{invoices} invoices issued and paid; {STREAMS} streams, {CALLERS} callers");
    let limit = in_memory(invoices);
    line("  decide and apply in memory (the limit)", limit, limit);
    for by_batches in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        durable(dir.path(), invoices, by_batches, limit);
    }
}
