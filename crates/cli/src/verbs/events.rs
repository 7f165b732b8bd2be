//! `encours events read|watch`: public events, as they stand in the log or as they are recorded.
//!
//! Printed one by one as they come: lines for people, JSON Lines (the public event message as proto3
//! JSON) or CSV. Where a command ends, the position to go on from is told on standard error.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use encours_proto::json::{self, Reflection};
use encours_proto::v1;
use tokio::signal::unix::{SignalKind, signal};

use super::{VerbArgs, activity};
use crate::client::{Client, PAGE};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Cell, Column, Format, OutputArgs, fields, line_width};

#[derive(Subcommand, Debug)]
pub(crate) enum EventsVerb {
    /// The events that are there
    #[command(after_help = READ_EXAMPLES)]
    Read(EventsArgs),
    /// The events that are there, then new ones as they are recorded, until Ctrl-C
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(EventsArgs),
}

const READ_EXAMPLES: &str = "\
Examples:
  encours events read --ledger acme --event invoice.overdue,invoice.paid
  encours events read --ledger acme --customer dupont --from 120 --limit 50 --output json";

const WATCH_EXAMPLES: &str = "\
Examples:
  encours events watch --ledger acme --entity payment --from 120 --output json
  encours events watch --subject 'payment.>,*.overdue'

A pattern is <entity>.<event>, or encours.v1.<ledger>.<entity>.<event> as messages to NATS have it;
* stands for any one part, > at the end for all that follow.

Each event comes once and in order. When it ends it tells the position to go on from, so that
`--from` of the next run misses nothing and repeats nothing.";

#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    /// Only those of this ledger and of the days of its clock
    #[arg(
        long,
        env = "ENCOURS_LEDGER",
        value_name = "ID",
        default_value = "",
        hide_default_value = true
    )]
    ledger: String,
    /// Only those of this customer; needs a ledger
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    customer: String,
    /// Only those of this name, such as invoice.overdue; several with commas between
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    event: Vec<String>,
    /// Only those about this kind of thing, such as payment; several with commas between
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    entity: Vec<String>,
    /// Only those with a subject that fits, such as payment.> or encours.v1.acme.invoice.*; several
    /// with commas between
    #[arg(long, value_name = "PATTERN,...", value_delimiter = ',')]
    subject: Vec<String>,
    /// The first position to look at
    #[arg(long, value_name = "POSITION", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// The log, where the server keeps several and no ledger is named
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    log: String,
    /// Ends after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    common: VerbArgs,
}

impl EventsArgs {
    fn filter(&self) -> v1::EventFilter {
        v1::EventFilter {
            ledger_id: self.ledger.clone(),
            entities: self.entity.clone(),
            events: self.event.clone(),
            customer_id: self.customer.clone(),
            subjects: self.subject.clone(),
        }
    }
}

pub(crate) async fn run(verb: &EventsVerb) -> Outcome {
    match verb {
        EventsVerb::Read(args) => read(args).await,
        EventsVerb::Watch(args) => watch(args).await,
    }
}

async fn read(args: &EventsArgs) -> Outcome {
    let client = Client::connect(&args.common.server).await?;
    let min_position = client.head(&args.log, &args.ledger).await?.position;
    let mut lines = Lines::start(args.common.output)?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut after_position = args.from - 1;
    while left > 0 {
        let page_size = i32::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let filter = Some(args.filter());
        let request = v1::ReadEventsRequest {
            filter,
            after_position,
            page_size,
            min_position,
            log: args.log.clone(),
        };
        let page = client.event_log().read_events(request).await?.into_inner();
        lines.head()?;
        for event in &page.events {
            lines.event(event)?;
            left -= 1;
        }
        // A page that is full ends before what it did not look at.
        after_position = page.last_position;
        if page.end {
            break;
        }
    }
    lines.flush()?;
    told(
        &args.common,
        |values| Cell::phrase("read up to position {}; go on with --from {}", values),
        after_position,
    );
    Ok(())
}

async fn watch(args: &EventsArgs) -> Outcome {
    // WHY first: from here on Ctrl-C ends the watch, not the process.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let client = Client::connect(&args.common.server).await?;
    let min_position = client.head(&args.log, &args.ledger).await?.position;
    let mut at = args.from - 1;
    let request = v1::WatchEventsRequest {
        filter: Some(args.filter()),
        after_position: at,
        min_position,
        log: args.log.clone(),
    };
    let mut events = client.event_streams().watch_events(request).await?.into_inner();
    let mut lines = Lines::start(args.common.output)?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let message = tokio::select! {
            _ = interrupt.recv() => break,
            message = events.message() => message,
        };
        let go_on = || format!("go on with --from {}", at + 1);
        match message {
            Ok(Some(message)) => {
                lines.head()?;
                if let Some(event) = &message.event {
                    lines.event(event)?;
                    left -= 1;
                }
                lines.flush()?;
                at = message.position;
            }
            Ok(None) => {
                let message = "the server has ended the watch";
                return Err(Failure::new(Exit::Unavailable, message).hint(go_on()));
            }
            Err(status) => return Err(Failure::from_status(&status).hint(go_on())),
        }
    }
    told(
        &args.common,
        |values| Cell::phrase("watched up to position {}; go on with --from {}", values),
        at,
    );
    Ok(())
}

/// Tells where to go on: beside the events, which programs read.
fn told(args: &VerbArgs, phrase: impl FnOnce([Cell; 2]) -> Cell, at: u64) {
    // WHY texts: the second one is to be typed as it stands.
    let values = [at, at.saturating_add(1)].map(|position| Cell::text(position.to_string()));
    let told = phrase(values).shown(args.output.lang);
    // WHY ignored: nobody needs to read it.
    let _ = writeln!(anstream::stderr(), "{told}");
}

const COLUMNS: [Column; 11] = [
    Column::right("position"),
    Column::left("date"),
    Column::left("event"),
    Column::left("subject"),
    Column::left("customer_id"),
    Column::right("amount"),
    Column::left("currency"),
    Column::left("detail"),
    Column::left("ledger_id"),
    Column::left("actor"),
    Column::left("recorded_at"),
];

/// Widths of the columns that a line for people has; the last one is as long as it is.
const WIDTHS: [usize; 8] = [8, 10, 29, 14, 14, 12, 8, 0];

/// The values of an event, one per column.
fn cells(event: &v1::PublicEvent) -> Outcome<Vec<Cell>> {
    let mut row = activity::row(event)?.into_iter();
    let mut next = || row.next().unwrap_or(Cell::Empty);
    let [position, date, name, amount] = [next(), next(), next(), next()];
    let [detail, actor, recorded] = [next(), next(), next()];
    let currency = match &amount {
        Cell::Money(money) => Cell::text(money.currency.code()),
        _ => Cell::Empty,
    };
    let customer = Cell::text(&event.customer_id);
    let ledger = Cell::text(&event.ledger_id);
    let subject = Cell::text(activity::subject(event));
    Ok(vec![
        position, date, name, subject, customer, amount, currency, detail, ledger, actor, recorded,
    ])
}

/// The width of a line for people, its last column apart.
const NARROWEST: usize = 109;

fn broken(why: String) -> Failure {
    Failure::new(Exit::Failure, why)
}

/// Prints events as they come.
struct Lines {
    out: io::BufWriter<io::StdoutLock<'static>>,
    how: OutputArgs,
    reflection: Reflection,
    headed: bool,
    /// Whether a line for people is wider than the terminal: then every value has its own.
    is_narrow: bool,
}

impl Lines {
    fn start(how: OutputArgs) -> Outcome<Self> {
        let reflection = Reflection::new().map_err(broken)?;
        let out = io::BufWriter::new(io::stdout().lock());
        let is_narrow = line_width().is_some_and(|width| width < NARROWEST);
        Ok(Self { out, how, reflection, headed: false, is_narrow })
    }

    /// Prints the names of the columns, once; not before the server has accepted what was asked.
    fn head(&mut self) -> Outcome {
        if std::mem::replace(&mut self.headed, true) {
            return Ok(());
        }
        let OutputArgs { format, lang } = self.how;
        let names = COLUMNS.iter().map(|column| column.name);
        match format {
            Format::Json => Ok(()),
            Format::Csv => self.csv(names.map(str::to_owned)),
            Format::Table if self.is_narrow => Ok(()),
            Format::Table => self.line(names.map(|name| lang.heading(name))),
        }
    }

    fn event(&mut self, event: &v1::PublicEvent) -> Outcome {
        self.head()?;
        let OutputArgs { format, lang } = self.how;
        match format {
            Format::Json => self.json(event),
            Format::Csv => self.csv(cells(event)?.iter().map(Cell::plain)),
            Format::Table if self.is_narrow => {
                let named = COLUMNS.iter().map(|column| column.name).zip(cells(event)?);
                let named = named.take(WIDTHS.len()).filter(|(_, cell)| !cell.plain().is_empty());
                let block = fields(&named.collect::<Vec<_>>(), lang);
                writeln!(self.out, "{}", anstream::adapter::strip_str(&block))?;
                Ok(())
            }
            Format::Table => self.line(cells(event)?.iter().map(|cell| cell.shown(lang))),
        }
    }

    /// An event as one line of proto3 JSON.
    fn json(&mut self, event: &v1::PublicEvent) -> Outcome {
        let event = self.reflection.event(event).map_err(broken)?;
        json::write(&event, &mut self.out)?;
        writeln!(self.out)?;
        Ok(())
    }

    fn csv(&mut self, texts: impl Iterator<Item = String>) -> Outcome {
        csv::Writer::from_writer(&mut self.out).write_record(texts)?;
        Ok(())
    }

    fn line(&mut self, texts: impl Iterator<Item = String>) -> Outcome {
        let mut line = String::new();
        for ((text, column), width) in texts.zip(&COLUMNS).zip(WIDTHS) {
            let fill = " ".repeat(width.saturating_sub(text.chars().count()));
            let (before, after) = if column.right { (&*fill, "") } else { ("", &*fill) };
            line.extend([before, &text, after, "  "]);
        }
        writeln!(self.out, "{}", line.trim_end())?;
        Ok(())
    }

    fn flush(&mut self) -> Outcome {
        Ok(self.out.flush()?)
    }
}
