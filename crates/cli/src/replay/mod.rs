//! `encours replay`: the ledgers, built from the log alone, at the end of the log or at any point of it.
//!
//! No snapshot, no checkpoint and no index is read, and nothing is written: a server may have the folder.
//! Both sides are built, the state that decides commands and the read model that answers queries, and
//! have to agree on every balance.

mod books;
mod live;
mod player;
mod told;

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime};
use clap::Args;
use encours_log::{LogReader, Micros, Position};
use encours_projections::position_at;

use self::books::Books;
use self::live::Live;
use self::player::Player;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::OutputArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  encours replay --data ./encours-data
  encours replay --data ./encours-data --to 2026-01-31 --output csv
  encours replay --data ./encours-data --to 1200 --compare 1500
  encours replay --data ./encours-data --server http://127.0.0.1:50051

Nothing is written, and a server may go on writing. The figures are those of `encours ledger totals` and,
at an earlier position, of `encours ageing --as-known POSITION`. Exit code 5 where the log is damaged, or
where what it gives is not what the server shows.";

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Up to this position, or what was recorded by the end of this day in UTC, or by this moment; the
    /// end of the log where left out
    #[arg(long, value_name = "POSITION|DATE|TIME", value_parser = point)]
    to: Option<Point>,

    /// Shows what is different at this other point
    #[arg(long, value_name = "POSITION|DATE|TIME", value_parser = point, conflicts_with = "server")]
    compare: Option<Point>,

    /// Compares with what this server shows, which has to have the same log
    #[arg(long, value_name = "URL")]
    server: Option<String>,

    /// The log, where that server keeps several
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        requires = "server"
    )]
    log: String,

    #[command(flatten)]
    output: OutputArgs,
}

/// A point of the log on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Position(Position),
    /// What was recorded by then.
    Time(Micros),
}

fn point(text: &str) -> Result<Point, String> {
    if let Ok(position) = text.parse() {
        return Ok(Point::Position(Position(position)));
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let next = date.succ_opt().ok_or("that day is too late")?;
        let end = next.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        return Ok(Point::Time(Micros(end.saturating_sub(1))));
    }
    DateTime::parse_from_rfc3339(text).map(|at| Point::Time(Micros(at.timestamp_micros()))).map_err(
        |_| "give a position, a day as YYYY-MM-DD or a moment as 2026-01-31T18:00:00Z".to_owned(),
    )
}

pub(crate) async fn run(args: &ReplayArgs) -> Outcome {
    // WHY the server first: what it shows is in the log that is read afterwards.
    let live = match &args.server {
        Some(url) => Some(Live::ask(url, &args.log).await?),
        None => None,
    };
    let reader = player::open(&args.data)?;
    let end = Position(reader.tail().next_position.0.saturating_sub(1));
    let to = match (args.to, &live) {
        (Some(point), _) => place(&*reader, point, end)?,
        (None, Some(live)) => live.position,
        (None, None) => end,
    };
    let mut player = Player::new(reader, args.output.lang);
    match (args.compare, live) {
        (Some(point), _) => {
            let other = place(&*player.reader(), point, end)?;
            player.play(to.min(other))?;
            let before = (Books::of(&player.model), player.model.position().0);
            let digest = player.digest();
            player.play(to.max(other))?;
            told::compared(args.output, &player, &before, &digest)
        }
        (None, None) => {
            player.play(to)?;
            told::played(args.output, &player)
        }
        (None, Some(live)) => {
            live.is_of(player.reader().log_id(), end, to)?;
            player.play(to)?;
            against(args, &player, &live).await
        }
    }
}

/// Holds what the log gives against what a server shows.
async fn against(args: &ReplayArgs, player: &Player, live: &Live) -> Outcome {
    let position = player.model.position();
    let same_place = position == live.position;
    if same_place && player.digest() == live.digest {
        return told::equal(args.output, player, live);
    }
    let books = Books::of(&player.model);
    let shown = live.books(&books, position).await?;
    let differences = told::differences(args.output, &books, &shown)?;
    if differences == 0 && !same_place {
        return told::equal(args.output, player, live);
    }
    let why = if differences > 0 {
        format!("{differences} figures are others")
    } else {
        format!("the digest here is {}, there {}", player.digest(), live.digest)
    };
    let message = format!(
        "replay_differs: at position {position} {} does not show what the log gives: {why}",
        live.url
    );
    Err(Failure::new(Exit::Damaged, message)
        .hint("`encours read-model rebuild` has that server build its figures anew"))
}

/// The position that a point of the command line stands for.
fn place(reader: &dyn LogReader, point: Point, end: Position) -> Outcome<Position> {
    match point {
        Point::Position(position) if position > end => {
            let message = format!("the log ends at position {end}, before {position}");
            Err(Failure::new(Exit::Refused, message).hint("give a position that it has"))
        }
        Point::Position(position) => Ok(position),
        Point::Time(time) => Ok(position_at(reader, reader.tail().number, time)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_position_a_day_or_a_moment() {
        assert_eq!(point("12"), Ok(Point::Position(Position(12))));
        let midnight = 1_769_904_000_000_000;
        assert_eq!(point("2026-01-31"), Ok(Point::Time(Micros(midnight - 1))));
        assert_eq!(point("2026-02-01T01:00:00+01:00"), Ok(Point::Time(Micros(midnight))));
        for wrong in ["", "-1", "31/01/2026", "2026-02-30", "yesterday"] {
            assert!(point(wrong).is_err(), "{wrong}");
        }
    }
}
