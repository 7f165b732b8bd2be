//! `encours export invoices|customers|payments`: lists as CSV files, as the server writes them.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use encours_domain::Day;
use encours_log::{Disk as _, OsDisk};
use encours_proto::v1;
use encours_proto::v1::export_csv_request::Export;
use indicatif::{ProgressBar, ProgressStyle};

use super::day;
use super::filters::{CustomerFilterArgs, InvoiceFilterArgs, PaymentFilterArgs};
use crate::client::{Client, ServerArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::output;

#[derive(Subcommand, Debug)]
pub(crate) enum ExportVerb {
    /// Invoices, drafts and opening items
    #[command(after_help = INVOICES_EXAMPLES)]
    Invoices(Box<InvoicesArgs>),
    /// Customers with their balances, now or at the end of a day
    #[command(after_help = CUSTOMERS_EXAMPLE)]
    Customers(Box<CustomersArgs>),
    /// Payments and what they are put against
    #[command(after_help = "Examples:\n  encours export payments --ledger acme --customer dupont")]
    Payments(PaymentsArgs),
}

const INVOICES_EXAMPLES: &str = "\
Examples:
  encours export invoices --ledger acme --out invoices.csv
  encours export invoices --ledger acme --customer dupont --status overdue > dupont.csv";

const CUSTOMERS_EXAMPLE: &str = "\
Examples:
  encours export customers --ledger acme --as-of 2026-06-30 --out june.csv --force";

/// From where and to where.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The ledger
    #[arg(long, env = "ENCOURS_LEDGER", value_name = "ID")]
    ledger: String,
    #[command(flatten)]
    server: ServerArgs,
    /// Writes this file, which is there once it is whole; standard output where left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replaces the file where it exists
    #[arg(long, requires = "out")]
    force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct InvoicesArgs {
    #[command(flatten)]
    export: ExportArgs,
    #[command(flatten)]
    filter: InvoiceFilterArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CustomersArgs {
    #[command(flatten)]
    export: ExportArgs,
    #[command(flatten)]
    filter: CustomerFilterArgs,
    /// At the end of this business day; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    as_of: Option<Day>,
}

#[derive(Args, Debug)]
pub(crate) struct PaymentsArgs {
    #[command(flatten)]
    export: ExportArgs,
    #[command(flatten)]
    filter: PaymentFilterArgs,
}

pub(crate) async fn run(verb: &ExportVerb) -> Outcome {
    let args = match verb {
        ExportVerb::Invoices(args) => &args.export,
        ExportVerb::Customers(args) => &args.export,
        ExportVerb::Payments(args) => &args.export,
    };
    args.check()?;
    let client = Client::connect(&args.server).await?;
    let export = match verb {
        ExportVerb::Invoices(args) => Export::Invoices(v1::InvoicesExport {
            filter: Some(args.filter.filter(&client, &args.export.ledger).await?),
        }),
        ExportVerb::Customers(args) => Export::Customers(v1::CustomersExport {
            filter: Some(args.filter.filter(&client, &args.export.ledger).await?),
            as_of_date: args.as_of.map(output::day),
        }),
        ExportVerb::Payments(args) => {
            Export::Payments(v1::PaymentsExport { filter: Some(args.filter.filter()) })
        }
    };
    tokio::select! {
        written = args.write(&client, export) => written,
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Failure, "interrupted")),
    }
}

impl ExportArgs {
    /// Whether the file may be written.
    fn check(&self) -> Outcome {
        match &self.out {
            Some(path) if !self.force && path.exists() => {
                Err(Failure::usage(format!("--out {}: it exists", path.display()))
                    .hint("--force replaces it"))
            }
            _ => Ok(()),
        }
    }

    async fn write(&self, client: &Client, export: Export) -> Outcome {
        let request = v1::ExportCsvRequest {
            ledger_id: self.ledger.clone(),
            export: Some(export),
            min_position: client.position(&self.ledger).await?,
        };
        let mut parts = client.report_streams().export_csv(request).await?.into_inner();
        let mut sink = Sink::open(self.out.as_deref())?;
        let bar = bar(&sink);
        while let Some(part) = parts.message().await? {
            sink.write(part.csv.as_bytes())?;
            bar.inc(part.csv.len() as u64);
        }
        bar.finish_and_clear();
        // Where another process made the file meanwhile.
        self.check()?;
        sink.close()
    }
}

/// Where an export goes.
enum Sink {
    Stdout(io::StdoutLock<'static>),
    File(Part),
}

impl Sink {
    fn open(path: Option<&Path>) -> Outcome<Self> {
        match path {
            None => Ok(Self::Stdout(io::stdout().lock())),
            Some(path) => Part::open(path).map(Self::File).map_err(|error| {
                Failure::new(Exit::Failure, format!("--out {}: {error}", path.display()))
            }),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome {
        match self {
            Self::Stdout(out) => out.write_all(bytes)?,
            Self::File(part) => part.file.write_all(bytes)?,
        }
        Ok(())
    }

    fn close(self) -> Outcome {
        match self {
            Self::Stdout(mut out) => out.flush()?,
            Self::File(part) => part.keep()?,
        }
        Ok(())
    }
}

/// A file that is not whole yet, beside the one that it is to be; removed where it never is.
struct Part {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl Part {
    fn open(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let name = format!(".{}.{}.part", name.to_string_lossy(), std::process::id());
        let path = target.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, target: target.to_owned() })
    }

    fn keep(self) -> io::Result<()> {
        self.file.sync_all()?;
        OsDisk.rename(&self.path, &self.target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // WHY ignored: once it is whole it has another name.
        let _ = OsDisk.remove(&self.path);
    }
}

/// How much was read, on standard error; nothing where that is no terminal, or where the lines
/// themselves go to one.
fn bar(sink: &Sink) -> ProgressBar {
    if matches!(sink, Sink::Stdout(_)) && io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner:.cyan} {bytes} {elapsed:.dim}");
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_there_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.csv");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut part = Part::open(&target).unwrap();
        part.file.write_all(b"a,b\r\n").unwrap();
        assert!(!target.exists());
        drop(part);
        assert_eq!(names(), 0, "what is never whole is removed");
        let mut part = Part::open(&target).unwrap();
        part.file.write_all(b"a,b\r\n").unwrap();
        part.keep().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"a,b\r\n");
        assert_eq!(names(), 1);
    }
}
