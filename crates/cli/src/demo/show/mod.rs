//! What the demo shows: customers, ageing, the past, reminders, an invoice's life, the log.

mod bars;
mod tables;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use encours_api::Api;
use encours_domain::Day;
use encours_log::{VerifyProgress, verify_reader};

use super::company::{LEDGER, NAME};
use super::story::Story;
use super::words::Language;
use super::{LISTEN, Played};
use crate::failure::{Exit, Failure, Outcome};
use crate::node::Node;
use crate::output::{self, Cell, Paint, line_width, print_text, wrapped};

/// Where `--keep` is suggested to put the data.
const FOLDER: &str = "./demo-data";

/// Shows everything.
pub(super) async fn all(
    node: &Node,
    api: &Api,
    lang: Language,
    story: &Story,
    played: &Played,
    last: Day,
) -> Outcome {
    node.caught_up().await?;
    let customers = tables::every_customer(api).await?;
    let mut out = headline(node, lang, played);
    out += &tables::customers(api, lang, &customers).await?;
    out += &bars::ageing(api, lang, last).await?;
    out += &bars::past(api, lang, last).await?;
    out += &tables::reminders(api, lang, &customers).await?;
    out += &tables::invoice(api, lang, &story.bounced).await?;
    out += &log(node, lang).await?;
    print_text(&out)
}

/// What to do next: with the data kept or not, with a server there already or not.
pub(super) fn farewell(lang: Language, kept: Option<&Path>, served: Option<SocketAddr>) -> Outcome {
    let mut out = heading(lang.say("And now", "Et maintenant"));
    // A command goes on in the next line, as shells read it: at a `\n`, and where it is too long.
    let width = line_width().map(|width| width.saturating_sub(4));
    let mut line = |command: &str| {
        let parts = command.split('\n').flat_map(|part| wrapped(part, width, "  "));
        for line in parts.collect::<Vec<_>>().join(" \\\n").lines() {
            let _ = writeln!(out, "  {}", Paint::Note.on(line));
        }
    };
    let folder = kept.map_or_else(|| FOLDER.to_owned(), |path| path.display().to_string());
    if kept.is_none() && served.is_none() {
        line(&format!("encours demo --keep {folder}"));
    }
    if served.is_none() {
        line(&format!("encours serve --data {folder}"));
    }
    let address = served.map_or_else(|| LISTEN.to_owned(), |address| address.to_string());
    line(&format!(
        "grpcurl -plaintext -d '{{\"ledger_id\":\"{LEDGER}\"}}'\n  {address} \
         encours.v1.CustomerService/ListCustomers"
    ));
    let server = match address.as_str() {
        LISTEN => String::new(),
        other => format!(" --server http://{other}"),
    };
    line(&format!("encours invoice list --ledger {LEDGER} --status overdue{server}"));
    line(&format!("encours ageing --ledger {LEDGER} --as-of 2026-03-31{server}"));
    if kept.is_some() {
        line(&format!("encours log verify --data {folder}"));
    }
    print_text(&out)
}

fn heading(text: &str) -> String {
    format!("\n{}", paragraph(text, Paint::Strong))
}

/// A text in lines as long as the terminal is wide.
fn paragraph(text: &str, paint: Paint) -> String {
    let lines = text.lines().flat_map(|line| wrapped(line, line_width(), "  "));
    lines.map(|line| format!("{}\n", paint.on(&line))).collect()
}

fn grouped(lang: Language, count: u64) -> String {
    Cell::Count(count).shown(lang)
}

fn headline(node: &Node, lang: Language, played: &Played) -> String {
    let tail = node.engine().reader().tail();
    let events = tail.next_position.0.saturating_sub(1);
    let (seconds, rest) = (played.took.as_secs(), played.took.subsec_millis() / 10);
    let took = format!("{} s", lang.number(&format!("{seconds}.{rest:02}")));
    let (commands, days) =
        (grouped(lang, played.commands as u64), grouped(lang, played.days as u64));
    let (events, frames) = (grouped(lang, events), grouped(lang, tail.number.0));
    let text = match lang {
        Language::En => format!(
            "{days} days played in {took}: {commands} commands made {events} events in {frames} \
             frames,\neach frame synced to disk before it was answered"
        ),
        Language::Fr => format!(
            "{days} jours joués en {took} : {commands} commandes, {events} événements en {frames} \
             trames,\nchacune écrite sur disque avant d'être confirmée"
        ),
    };
    heading(&format!("{NAME}, 2025-2026")) + &paragraph(&text, Paint::Dim)
}

async fn log(node: &Node, lang: Language) -> Outcome<String> {
    let (reader, model) = (node.engine().reader(), node.model());
    let checked = tokio::task::spawn_blocking(move || {
        let report = verify_reader(&*reader, &mut |_: VerifyProgress| {})?;
        Ok::<_, Failure>((report, model.digest().value))
    });
    let checked = checked.await.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    let (report, digest) = checked?;
    let mut out = heading(lang.say("The log, verified", "Le journal, vérifié"));
    let facts = [
        ("result", Cell::Status("OK".to_owned())),
        ("frames", Cell::Count(report.frames)),
        ("events", Cell::Count(report.events)),
        ("bytes", Cell::Count(report.bytes)),
        ("tail_hash", Cell::text(report.tail.hash.to_string())),
        ("digest", Cell::text(digest.to_string())),
    ];
    out += &output::fields(&facts, lang);
    Ok(out)
}
