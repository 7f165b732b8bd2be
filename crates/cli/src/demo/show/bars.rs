//! Ageing, and what was open on earlier days, as bars.

use std::fmt::Write as _;

use encours_api::Api;
use encours_domain::{Day, Money};
use encours_proto::v1;
use encours_proto::v1::report_service_server::ReportService;
use tonic::Request;

use super::heading;
use crate::demo::company::LEDGER;
use crate::demo::words::Language;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{self, Cell, Paint, line_width};

/// The longest bar,
const BAR: usize = 36;
/// and what stands before it in its line.
const BEFORE: usize = 33;

/// The longest bar that the terminal has room for.
fn longest() -> i64 {
    let room = line_width().map_or(BAR, |width| width.saturating_sub(BEFORE).min(BAR));
    i64::try_from(room).unwrap_or_default()
}

async fn report(api: &Api, day: Day) -> Outcome<v1::GetAgeingResponse> {
    let request = v1::GetAgeingRequest {
        ledger_id: LEDGER.to_owned(),
        page_size: 1,
        as_of_date: Some(output::day(day)),
        ..Default::default()
    };
    Ok(api.get_ageing(Request::new(request)).await?.into_inner())
}

fn minor(amount: Option<&v1::Money>) -> Outcome<Money> {
    let none = || Failure::new(Exit::Failure, "an amount is missing");
    output::amount(amount.ok_or_else(none)?)
}

/// `value` of `most` as a bar.
fn bar(value: i64, most: i64, paint: Paint) -> String {
    let eighths = (i128::from(value) * i128::from(longest()) * 8 / i128::from(most.max(1))).max(0);
    let eighths = usize::try_from(eighths).unwrap_or_default();
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    paint.on(&format!("{}{part}", "█".repeat(eighths / 8)))
}

pub(super) async fn ageing(api: &Api, lang: Language, day: Day) -> Outcome<String> {
    let report = report(api, day).await?;
    let total = report.totals.first().cloned().unwrap_or_default();
    let bands = [
        (lang.say("not due", "non échu"), &total.not_due, Paint::Good),
        (lang.say("1-30 days", "1-30 jours"), &total.days_1_to_30, Paint::Warn),
        (lang.say("31-60 days", "31-60 jours"), &total.days_31_to_60, Paint::Warn),
        (lang.say("61-90 days", "61-90 jours"), &total.days_61_to_90, Paint::Bad),
        (lang.say("91-120 days", "91-120 jours"), &total.days_91_to_120, Paint::Bad),
        (lang.say("over 120 days", "plus de 120 jours"), &total.days_over_120, Paint::Bad),
    ];
    let amounts: Vec<Money> =
        bands.iter().map(|(_, amount, _)| minor(amount.as_ref())).collect::<Outcome<_>>()?;
    let most = amounts.iter().map(|money| money.minor).max().unwrap_or_default();
    let title = lang.say("Ageing on", "Balance âgée au");
    let mut out = heading(&format!("{title} {}", lang.day(output::day(day))));
    for ((label, _, paint), amount) in bands.iter().zip(&amounts) {
        let shown = Cell::Money(*amount).shown(lang);
        let line = format!("{label:<18} {shown:>12}  {}", bar(amount.minor, most, *paint));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let unapplied = Cell::Money(minor(total.unapplied.as_ref())?).shown(lang);
    let balance = Cell::Money(minor(total.balance.as_ref())?).shown(lang);
    let label = lang.say("unapplied", "reste à utiliser");
    let _ =
        writeln!(out, "{}", Paint::Dim.on(&format!("{label:<18} {:>12}", format!("-{unapplied}"))));
    let label = lang.say("balance", "solde");
    let open =
        format!("  {} {}", report.open_invoices, lang.say("open invoices", "factures ouvertes"));
    let balance = format!("{label:<18} {balance:>12}");
    let needed = balance.chars().count() + open.chars().count();
    let gap = if line_width().is_some_and(|width| width < needed) { "\n" } else { "" };
    let _ = writeln!(out, "{}{gap}{}", Paint::Strong.on(&balance), Paint::Dim.on(&open));
    Ok(out)
}

/// The same question on earlier days.
pub(super) async fn past(api: &Api, lang: Language, last: Day) -> Outcome<String> {
    let mut quarters = Vec::new();
    for year in [2025, 2026] {
        for (month, day) in [(3, 31), (6, 30), (9, 30), (12, 31)] {
            quarters.extend(Day::from_ymd(year, month, day).filter(|day| *day <= last));
        }
    }
    let mut rows = Vec::new();
    for day in quarters {
        let total = report(api, day).await?.totals.first().cloned().unwrap_or_default();
        let not_due = minor(total.not_due.as_ref())?;
        let balance = minor(total.balance.as_ref())?.minor;
        let open = balance + minor(total.unapplied.as_ref())?.minor;
        rows.push((day, not_due, Money::new(open, not_due.currency)));
    }
    let most = rows.iter().map(|(_, _, open)| open.minor).max().unwrap_or_default();
    let mut out = heading(lang.say(
        "Outstanding as of any past day: █ not due, ░ past due",
        "Encours à toute date passée : █ non échu, ░ échu",
    ));
    for (day, not_due, open) in rows {
        let late = open.minor - not_due.minor;
        let _ = writeln!(
            out,
            "{:<18} {:>12}  {}{}",
            lang.day(output::day(day)),
            Cell::Money(open).shown(lang),
            bar(not_due.minor, most, Paint::Good),
            Paint::Bad
                .on(&"░".repeat(usize::try_from(late * longest() / most.max(1)).unwrap_or(0)))
        );
    }
    Ok(out)
}
