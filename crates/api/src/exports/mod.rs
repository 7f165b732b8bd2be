//! Exports: lists as comma-separated text, streamed.
//!
//! The list is read page by page off the async workers; its lines go out in parts of bounded size
//! through a short queue. A caller that reads slowly is waited for with no more in memory than one
//! page and that queue, until it leaves, takes nothing for a minute, its deadline comes or the
//! server stops. A bounded number of exports goes on at a time.

mod csv;
mod lists;

use std::sync::Arc;
use std::time::Duration;

use encours_domain::Position;
use encours_domain::number::LedgerNo;
use encours_projections::{AsOf, CustomerFilter, InvoiceFilter, Key, Page, PaymentFilter};
use encours_proto::money::{missing, optional_day};
use encours_proto::v1;
use encours_proto::v1::export_csv_request::Export as Asked;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::api::{Api, blocking};
use crate::call::stream_patience;
use crate::exports::csv::Table;
use crate::failure::{EXPORT_NOT_FINISHED, EXPORTS_RUNNING, Failure};
use crate::filters::customer_filter;

/// A part of an export.
pub(crate) type Exported = Result<v1::ExportCsvResponse, Status>;

/// The most bytes of a part, but for one line that is longer.
const PART_BYTES: usize = 64 * 1024;
/// Parts that may wait for a slow caller; past them reading pauses.
const QUEUE: usize = 4;
/// Rows read at once.
const PAGE_ROWS: usize = 500;

/// A caller that takes no part for this long is left.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// The most exports at a time.
pub const MAX_EXPORTS: usize = 32;
/// When to try again where there are as many.
const RETRY: Duration = Duration::from_secs(5);

/// What is exported.
#[derive(Clone)]
enum Export {
    Invoices(InvoiceFilter),
    Customers(CustomerFilter, AsOf),
    Payments(PaymentFilter),
}

/// The lines of a page and where the next one begins.
struct Lines {
    table: Table,
    next: Option<Key>,
    position: Position,
}

impl Api {
    /// Checks what is asked for, and streams it.
    pub(crate) async fn export(
        &self,
        metadata: &MetadataMap,
        request: v1::ExportCsvRequest,
    ) -> Result<ReceiverStream<Exported>, Failure> {
        self.ready(metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let asked = request.export.ok_or_else(|| missing("export"))?;
        let export = self.asked(ledger, asked)?;
        let place = Arc::clone(&self.exporting).try_acquire_owned().map_err(|_| {
            let message = format!("{MAX_EXPORTS} exports are under way already");
            Failure::new(EXPORTS_RUNNING, message).retry_after(RETRY)
        })?;
        let (to, stream) = mpsc::channel(QUEUE);
        let (api, patience) = (self.clone(), stream_patience(metadata));
        tokio::spawn(async move {
            let sending = api.send(ledger, &export, &to);
            let ended = match patience {
                None => sending.await,
                Some(patience) => timeout(patience, sending)
                    .await
                    .unwrap_or_else(|_| Err(not_finished(patience, "of the call's time"))),
            };
            // Only the queue is left, which a caller that does not read may keep.
            drop(place);
            if let Err(failure) = ended {
                // WHY not dropped where the queue is full: the stream would end as if it were whole.
                let _ = to.send(Err(failure.into())).await;
            }
        });
        Ok(ReceiverStream::new(stream))
    }

    fn asked(&self, ledger: LedgerNo, asked: Asked) -> Result<Export, Failure> {
        Ok(match asked {
            Asked::Invoices(asked) => {
                Export::Invoices(self.invoice_filter(ledger, &asked.filter.unwrap_or_default())?)
            }
            Asked::Customers(asked) => {
                let filter = customer_filter(&asked.filter.unwrap_or_default())?;
                let date = optional_day("customers.as_of_date", asked.as_of_date)?;
                Export::Customers(filter, AsOf { date, known: None })
            }
            Asked::Payments(asked) => {
                Export::Payments(self.payment_filter(ledger, &asked.filter.unwrap_or_default())?)
            }
        })
    }

    /// Sends the lines, page after page, until nothing follows or the caller leaves.
    async fn send(
        &self,
        ledger: LedgerNo,
        export: &Export,
        to: &mpsc::Sender<Exported>,
    ) -> Result<(), Failure> {
        let mut page = Page::first(PAGE_ROWS);
        let mut csv = export.head();
        loop {
            let (api, what) = (self.clone(), export.clone());
            let lines = blocking(move || api.lines(ledger, &what, page)).await?;
            let position = lines.position.0;
            for line in lines.table.lines() {
                if csv.len() + line.len() > PART_BYTES && !csv.is_empty() {
                    let part = v1::ExportCsvResponse { csv: std::mem::take(&mut csv), position };
                    if !self.hand(part, to).await? {
                        return Ok(());
                    }
                }
                csv.push_str(line);
            }
            if lines.next.is_none() {
                return self.hand(v1::ExportCsvResponse { csv, position }, to).await.map(drop);
            }
            page.after = lines.next;
        }
    }

    /// Sends a part; false where the caller has left.
    async fn hand(
        &self,
        part: v1::ExportCsvResponse,
        to: &mpsc::Sender<Exported>,
    ) -> Result<bool, Failure> {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => Err(Failure::stopping()),
            sent = timeout(STALL_LIMIT, to.send(Ok(part))) => match sent {
                Ok(sent) => Ok(sent.is_ok()),
                Err(_) => Err(not_finished(STALL_LIMIT, "without anything read")),
            },
        }
    }
}

fn not_finished(after: Duration, of: &str) -> Failure {
    let message = format!("the export was not finished within {after:?} {of}");
    Failure::new(EXPORT_NOT_FINISHED, message)
}
