//! Clocks as followers see them, and the days that the system's time opens.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use encours_domain::commands::OpenDay;
use encours_domain::state::{Clock, Rows};
use encours_domain::{ClockNo, Day, Id, Micros};
use tracing::warn;

/// A clock of the log, as of a durable frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockInfo {
    /// Its number.
    pub no: ClockNo,
    /// Its id.
    pub id: Id,
    /// Whether commands move it.
    pub test: bool,
    /// The IANA time zone that its days are counted in.
    pub zone: Arc<str>,
    /// The last day opened.
    pub today: Day,
    /// The last day finished: all that falls due on it was emitted.
    pub finished: Day,
    /// The day that a test clock was told to reach.
    pub target: Day,
}

/// How far a clock is behind the time, or the day that it was told to reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Days that have begun and are not finished.
    pub days: u32,
    /// Seconds since the first of them began; 0 for test clocks, which time does not move.
    pub seconds: u64,
}

impl ClockInfo {
    /// How far it is behind at `now`. A zone that is not known counts as standing still.
    #[must_use]
    pub fn behind(&self, now: Micros) -> Behind {
        let zone = if self.test { None } else { self.zone.parse::<Tz>().ok() };
        let local = zone.and_then(|zone| day_in(zone, now));
        let wanted = self.today.max(self.target).max(local.unwrap_or(self.today));
        let days = u32::try_from(wanted.since(self.finished)).unwrap_or(0);
        let begun = zone.zip(self.finished.plus(1)).and_then(|(zone, day)| {
            let midnight = day.date().and_time(NaiveTime::MIN);
            midnight_at(zone, midnight, DateTime::from_timestamp_micros(now.0)?)
        });
        let micros = begun.map_or(0, |begun| now.0.saturating_sub(begun.timestamp_micros()));
        let seconds = if days == 0 { 0 } else { u64::try_from(micros / 1_000_000).unwrap_or(0) };
        Behind { days, seconds }
    }
}

/// The clocks in these rows.
pub(crate) fn clock_infos(rows: &Rows) -> Arc<[ClockInfo]> {
    (0..)
        .zip(rows.clocks.iter())
        .map(|(no, clock)| ClockInfo {
            no: ClockNo(no),
            id: clock.id.clone(),
            test: clock.test,
            zone: Arc::clone(&clock.zone),
            today: clock.today,
            finished: clock.finished,
            target: clock.target,
        })
        .collect()
}

/// The civil day at `now` in a zone; `None` where there is no such zone.
#[must_use]
pub fn local_day(zone: &str, now: Micros) -> Option<Day> {
    day_in(zone.parse().ok()?, now)
}

fn day_in(zone: Tz, now: Micros) -> Option<Day> {
    Day::from_date(DateTime::from_timestamp_micros(now.0)?.with_timezone(&zone).date_naive())
}

/// Finds the days that the system's clocks have to open.
///
/// WHY an instant is kept: the question is asked before every command, and the answer is no all day.
#[derive(Debug, Default)]
pub(crate) struct Days {
    /// Nothing is to be opened before.
    quiet_until: Option<Micros>,
    /// The zones of the clocks by number; `None` for test clocks.
    zones: Vec<Option<Tz>>,
}

impl Days {
    /// The next day to open: for each system clock whose local date has come further, the day after
    /// its today. Call again after that was decided, until `None`.
    pub(crate) fn next(&mut self, rows: &Rows, now: Micros) -> Option<OpenDay> {
        let known = u32::try_from(self.zones.len()).unwrap_or(u32::MAX);
        if known != rows.clocks.len() {
            self.zones = rows.clocks.iter().map(zone_of).collect();
        } else if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        let mut quiet_until = Micros(i64::MAX);
        for ((no, clock), zone) in (0..).zip(rows.clocks.iter()).zip(&self.zones) {
            let Some(zone) = *zone else { continue };
            let (Some(local), Some(day)) = (day_in(zone, now), clock.today.plus(1)) else {
                continue;
            };
            if local >= day {
                self.quiet_until = None;
                return Some(OpenDay { clock: ClockNo(no), day, on_time: day == local });
            }
            quiet_until = quiet_until.min(not_before(zone, day, now));
        }
        self.quiet_until = Some(quiet_until);
        None
    }
}

/// The zone of a system clock; `None` for a test clock.
fn zone_of(clock: &Clock) -> Option<Tz> {
    if clock.test {
        return None;
    }
    let zone = clock.zone.parse().ok();
    if zone.is_none() {
        warn!(clock = clock.id.as_str(), zone = &*clock.zone, "unknown zone: its days stand still");
    }
    zone
}

/// An instant before which `day` does not begin in the zone; `now` where that is not known.
fn not_before(zone: Tz, day: Day, now: Micros) -> Micros {
    let Some(now_utc) = DateTime::from_timestamp_micros(now.0) else { return now };
    let midnight = day.date().and_time(NaiveTime::MIN);
    // WHY two offsets: where the zone changes its own between now and then, midnight comes by the
    // other one. The earlier instant is safe: it is only asked once more.
    let one = midnight_at(zone, midnight, now_utc);
    let two = one.and_then(|then| midnight_at(zone, midnight, then));
    let earlier = match (one, two) {
        (Some(one), Some(two)) => one.min(two),
        _ => return now,
    };
    Micros(earlier.timestamp_micros())
}

/// The instant of a local time by the offset that the zone has at `at`.
fn midnight_at(zone: Tz, local: NaiveDateTime, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    Some(local.checked_sub_offset(offset)?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn at(text: &str) -> Micros {
        Micros(text.parse::<DateTime<Utc>>().unwrap().timestamp_micros())
    }

    fn day(text: &str) -> Day {
        Day::from_date(text.parse::<NaiveDate>().unwrap()).unwrap()
    }

    #[test]
    fn the_local_day_follows_the_zone() {
        assert_eq!(local_day("Europe/Paris", at("2026-01-31T23:30:00Z")), Some(day("2026-02-01")));
        assert_eq!(
            local_day("America/New_York", at("2026-02-01T03:00:00Z")),
            Some(day("2026-01-31"))
        );
        assert_eq!(local_day("Nowhere/Land", at("2026-02-01T03:00:00Z")), None);
    }

    #[test]
    fn a_clock_tells_how_far_it_is_behind() {
        let clock = |test, finished: &str, today: &str| ClockInfo {
            no: ClockNo(0),
            id: Id::parse("clock_id", "c").unwrap(),
            test,
            zone: "Europe/Paris".into(),
            today: day(today),
            finished: day(finished),
            target: day(today),
        };
        let now = at("2026-02-03T00:30:00Z");
        let behind = |days, seconds| Behind { days, seconds };
        assert_eq!(clock(false, "2026-02-03", "2026-02-03").behind(now), behind(0, 0));
        assert_eq!(clock(false, "2026-02-02", "2026-02-03").behind(now), behind(1, 5_400));
        // The days that nobody has opened yet count too.
        assert_eq!(clock(false, "2026-02-01", "2026-02-01").behind(now), behind(2, 91_800));
        assert_eq!(clock(true, "2026-01-01", "2026-01-11").behind(now), behind(10, 0));
        assert_eq!(clock(true, "2027-01-01", "2027-01-01").behind(now), behind(0, 0));
    }

    #[test]
    fn the_bound_never_lies_after_midnight() {
        // Beirut skips midnight in spring, São Paulo did; Paris changes at 1:00 UTC.
        for (zone, from) in [
            ("Asia/Beirut", "2026-03-26T22:00:00Z"),
            ("America/Sao_Paulo", "2018-11-03T00:00:00Z"),
            ("Europe/Paris", "2026-03-28T12:00:00Z"),
            ("Europe/Paris", "2026-10-24T12:00:00Z"),
            ("Pacific/Apia", "2011-12-29T12:00:00Z"),
        ] {
            let tz: Tz = zone.parse().unwrap();
            let start = at(from);
            for minutes in 0..3 * 24 * 60 {
                let now = Micros(start.0 + minutes * 60_000_000);
                let next = day_in(tz, now).unwrap().plus(1).unwrap();
                let bound = not_before(tz, next, now);
                if bound > now {
                    let just_before = Micros(bound.0 - 1);
                    assert!(day_in(tz, just_before).unwrap() < next, "{zone} {now:?}");
                }
            }
        }
    }
}
