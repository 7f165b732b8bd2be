//! `ReportService`.

use encours_domain::Currency;
use encours_domain::number::CustomerNo;
use encours_projections::{AgeingFigures, AgeingRow, CustomerCounts, InvoiceCounts};
use encours_proto::money::{balance_message, date_message, money_message};
use encours_proto::v1;
use encours_proto::v1::report_service_server::ReportService;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::api::{Api, blocking};
use crate::exports::Exported;
use crate::paging::{List, page_size};

#[tonic::async_trait]
impl ReportService for Api {
    type ExportCsvStream = ReceiverStream<Exported>;

    async fn export_csv(
        &self,
        request: Request<v1::ExportCsvRequest>,
    ) -> Result<Response<Self::ExportCsvStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        Ok(Response::new(self.export(&metadata, request).await?))
    }

    async fn get_ledger_totals(
        &self,
        request: Request<v1::GetLedgerTotalsRequest>,
    ) -> Result<Response<v1::GetLedgerTotalsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let view = self.model.totals(ledger);
        let totals = view.value;
        Ok(Response::new(v1::GetLedgerTotalsResponse {
            balances: totals.balances.iter().map(balance_message).collect(),
            customers: Some(customer_counts(totals.customers)),
            invoices: Some(invoice_counts(totals.invoices)),
            open_invoices: totals.open_items,
            ever_overdue_invoices: totals.ever_overdue,
            position: view.position.0,
        }))
    }

    async fn get_ageing(
        &self,
        request: Request<v1::GetAgeingRequest>,
    ) -> Result<Response<v1::GetAgeingResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let as_of = self.as_of(&metadata, request.as_of_date, request.as_known_at).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let scope = v1::GetAgeingRequest {
            ledger_id: request.ledger_id,
            as_of_date: request.as_of_date,
            as_known_at: request.as_known_at,
            include_settled: request.include_settled,
            ..Default::default()
        };
        let list = List::of("GetAgeing", &scope);
        let settled = request.include_settled;
        let limit = page_size(request.page_size)?;
        let after = list.place(&request.page_token)?;
        let model = self.model.clone();
        let response = blocking(move || {
            let view = model.ageing(ledger, as_of, settled);
            // The ledger was found, and ledgers stay; only a rebuilt model has none.
            let Some(ageing) = view.value else {
                return Err(crate::failure::Failure::internal("the ledger has no tables"));
            };
            let on = |row: &&AgeingRow| after.is_none_or(|after| place(row) > after);
            let mut rows = ageing.rows.iter().filter(on).peekable();
            let page: Vec<&AgeingRow> = rows.by_ref().take(limit).collect();
            let last = page.last().filter(|_| rows.peek().is_some());
            Ok(v1::GetAgeingResponse {
                next_page_token: last.map_or_else(String::new, |row| list.token(place(row))),
                rows: page.into_iter().map(row_message).collect(),
                totals: ageing
                    .totals
                    .iter()
                    .map(|(currency, figures)| figures_message(*currency, figures))
                    .collect(),
                as_of_date: Some(date_message(ageing.date)),
                known_position: ageing.known.0,
                open_invoices: ageing.open_items,
                customers: Some(customer_counts(ageing.customers)),
                position: view.position.0,
            })
        });
        Ok(Response::new(response.await?))
    }
}

/// Where a row stands in the order of customers, then currencies.
fn place(row: &AgeingRow) -> u64 {
    let CustomerNo(customer) = row.customer;
    let currency = row.currency.code().bytes().fold(0, |sum, byte| sum << 8 | u64::from(byte));
    u64::from(customer) << 24 | currency
}

fn row_message(row: &AgeingRow) -> v1::AgeingRow {
    v1::AgeingRow {
        customer_id: row.customer_id.to_string(),
        ageing: Some(figures_message(row.currency, &row.figures)),
    }
}

fn figures_message(currency: Currency, figures: &AgeingFigures) -> v1::Ageing {
    let money = |minor| Some(money_message(minor, currency));
    v1::Ageing {
        currency_code: currency.to_string(),
        not_due: money(figures.not_due),
        days_1_to_30: money(figures.d1_30),
        days_31_to_60: money(figures.d31_60),
        days_61_to_90: money(figures.d61_90),
        days_91_to_120: money(figures.d91_120),
        days_over_120: money(figures.d121_plus),
        unapplied: money(figures.unapplied),
        balance: money(figures.balance),
    }
}

const fn customer_counts(counts: CustomerCounts) -> v1::CustomerCounts {
    v1::CustomerCounts {
        overdue: counts.overdue,
        awaiting_payment: counts.awaiting_payment,
        in_credit: counts.in_credit,
        up_to_date: counts.up_to_date,
    }
}

const fn invoice_counts(counts: InvoiceCounts) -> v1::InvoiceCounts {
    v1::InvoiceCounts {
        cancelled: counts.cancelled,
        paid: counts.paid,
        overdue: counts.overdue,
        partially_paid: counts.partially_paid,
        not_due: counts.not_due,
        draft: counts.draft,
        payment_planned: counts.payment_planned,
    }
}
