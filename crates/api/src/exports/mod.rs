//! Exports: lists as comma-separated text, streamed.
//!
//! The list is read page by page off the async workers; its lines go out in parts of bounded size
//! through a short queue. A caller that reads slowly is waited for with no more in memory than one
//! page and that queue, until it leaves, its deadline comes or the server stops.

mod csv;
mod lists;

use std::time::Duration;

use encours_domain::number::LedgerNo;
use encours_domain::{Position, Refusal};
use encours_projections::{AsOf, CustomerFilter, InvoiceFilter, Key, Page, PaymentFilter};
use encours_proto::money::{missing, optional_day};
use encours_proto::v1;
use encours_proto::v1::export_csv_request::Export as Asked;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::api::{Api, blocking};
use crate::call::stream_patience;
use crate::exports::csv::Table;
use crate::failure::{EXPORT_NOT_FINISHED, Failure};
use crate::filters::customer_filter;

/// A part of an export.
pub(crate) type Exported = Result<v1::ExportCsvResponse, Status>;

/// The most bytes of a part, but for one line that is longer.
const PART_BYTES: usize = 64 * 1024;
/// Parts that may wait for a slow caller; past them reading pauses.
const QUEUE: usize = 4;
/// Rows read at once.
const PAGE_ROWS: usize = 500;

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
        let (to, stream) = mpsc::channel(QUEUE);
        let (api, patience) = (self.clone(), stream_patience(metadata));
        tokio::spawn(async move {
            let ended = match patience {
                None => api.send(ledger, &export, &to).await,
                Some(patience) => {
                    match tokio::time::timeout(patience, api.send(ledger, &export, &to)).await {
                        Ok(ended) => ended,
                        Err(_) => Err(not_finished(patience)),
                    }
                }
            };
            if let Err(failure) = ended {
                // Where the queue is full, the caller's own deadline ends the call.
                let _ = to.send(Err(failure.into())).await;
            }
        });
        Ok(ReceiverStream::new(stream))
    }

    fn asked(&self, ledger: LedgerNo, asked: Asked) -> Result<Export, Failure> {
        let within = |field| move |refusal: Refusal| Failure::from(refusal.within(field));
        Ok(match asked {
            Asked::Invoices(asked) => {
                Export::Invoices(self.invoice_filter(ledger, &asked.filter.unwrap_or_default())?)
            }
            Asked::Customers(asked) => {
                let filter = customer_filter(&asked.filter.unwrap_or_default())?;
                let date = optional_day("as_of_date", asked.as_of_date);
                let date = date.map_err(within("customers"))?;
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
        let mut stopping = self.stopping.subscribe();
        let mut after = None;
        let mut part = export.head();
        loop {
            if *stopping.borrow_and_update() {
                return Err(Failure::stopping());
            }
            let page = Page { after, ..Page::first(PAGE_ROWS) };
            let (api, what) = (self.clone(), export.clone());
            let lines = blocking(move || api.lines(ledger, &what, page)).await?;
            let position = lines.position.0;
            let mut parts = Vec::new();
            for line in lines.table.lines() {
                if !part.is_empty() && part.len() + line.len() > PART_BYTES {
                    parts.push(std::mem::take(&mut part));
                }
                part.push_str(line);
            }
            if lines.next.is_none() {
                parts.push(std::mem::take(&mut part));
            }
            for csv in parts {
                let part = v1::ExportCsvResponse { csv, position };
                tokio::select! {
                    sent = to.send(Ok(part)) => if sent.is_err() { return Ok(()) },
                    _ = stopping.wait_for(|stopping| *stopping) => {
                        return Err(Failure::stopping());
                    }
                }
            }
            after = lines.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

fn not_finished(patience: Duration) -> Failure {
    let message = format!("the export was not finished within {patience:?} of the call's time");
    Failure::new(EXPORT_NOT_FINISHED, message)
}
