//! How far the clock of a server may jump.

use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};
use clap::Args;
use encours_domain::Micros;
use encours_engine::{ClockLimit, Limits};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What `encours serve` takes about the clock.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ClockArgs {
    /// Days that the clock may jump ahead, also while the server is off; past that, ledgers that go by
    /// the system's time stand still
    #[arg(long, env = "ENCOURS_MAX_CLOCK_JUMP", default_value_t = 40, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(1..=36_500))]
    max_clock_jump: u32,

    /// Confirms that the clock is right, however far it has jumped, until the end of this day (UTC),
    /// such as 2026-12-31
    #[arg(long, value_name = "DATE")]
    confirm_clock: Option<NaiveDate>,
}

impl ClockArgs {
    /// The limits of an engine that goes by this clock.
    pub(crate) fn limits(self) -> Limits {
        let next = self.confirm_clock.and_then(|day| day.succ_opt());
        let confirmed = next.map_or(Micros(i64::MIN), |next| {
            Micros(next.and_time(NaiveTime::MIN).and_utc().timestamp_micros() - 1)
        });
        let clock = Some(ClockLimit { ahead: DAY * self.max_clock_jump, confirmed });
        Limits { clock, ..Limits::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_confirmed_to_its_end() {
        let args = |confirm_clock| ClockArgs { max_clock_jump: 3, confirm_clock };
        let day = NaiveDate::from_ymd_opt(1970, 1, 2);
        let limit = args(day).limits().clock.unwrap();
        assert_eq!(limit.confirmed, Micros(2 * 86_400_000_000 - 1));
        assert_eq!(limit.ahead, Duration::from_secs(3 * 86_400));
        assert_eq!(args(None).limits().clock.unwrap().confirmed, Micros(i64::MIN));
    }
}
