//! Text search over a written book, with names sealed.

use std::collections::BTreeMap;

use encours_domain::commands::{CreateDraft, DeleteDraft, IssueInvoice};

use super::writer::{Writer, open};
use super::{NOW, all};
use crate::testing::{LEDGER, id};
use crate::{AsOf, CustomerFilter, InvoiceFilter, Page};

/// Three items of three customers, and a draft that was given up.
fn book() -> Writer {
    let mut writer = Writer::new(3, false);
    let ledger_id = id("acme");
    let mut issue = |no: u32, customer: &str, text: &str, drafted: bool| {
        let invoice = IssueInvoice {
            invoice_id: Some(id(&format!("inv:{no}"))),
            customer_id: id(customer),
            currency: None,
            purchase_order: format!("PO-{no}"),
            text: text.into(),
            metadata: BTreeMap::from([("site".into(), format!("Dépôt {}", no + 40))]),
            number: (!drafted).then(|| format!("X/{no}/Z")),
            ..writer.invoice(id("unused"))
        };
        if drafted {
            assert!(writer.submit(CreateDraft { invoice }));
        } else {
            assert!(writer.submit(invoice));
        }
    };
    issue(0, "C0", "Pose de câble", false);
    issue(1, "C1", "Maintenance annuelle", false);
    issue(2, "C2", "Œuvre", true);
    issue(3, "C0", "câblage", true);
    assert!(writer.submit(DeleteDraft { ledger_id, invoice_id: id("inv:3") }));
    writer
}

#[test]
fn a_search_finds_words_of_every_field() {
    let read = book().book.read();
    let found = |text: &str| -> Vec<u32> {
        let filter = InvoiceFilter { text: text.into(), ..InvoiceFilter::default() };
        let list = |page| read.invoices(LEDGER, &filter, page, &open).value;
        all(1, list).iter().map(|invoice| invoice.no.0).collect()
    };
    for (text, wanted) in [
        ("", &[0, 1, 2][..]),
        ("CABL", &[0]),
        ("cable elodie", &[0]),
        ("elodie durand", &[]),
        ("sarl maint", &[1]),
        ("x/1/z", &[1]),
        ("inv:2", &[2]),
        ("inv", &[0, 1, 2]),
        ("oeuvre lodz", &[2]),
        ("po-2", &[2]),
        ("depot 41", &[1]),
        ("rf", &[0, 1]),
        ("draft", &[2]),
        ("cablage", &[]),
        ("able", &[]),
    ] {
        assert_eq!(found(text), wanted, "{text}");
    }
    // References are typed in groups.
    let reference = read.invoice(LEDGER, "inv:1").value.unwrap().reference;
    let grouped = format!("{} {}", &reference[..4], &reference[4..]);
    assert_eq!(found(&grouped), [1], "{grouped}");
    // Each name is opened once a call.
    let opened = std::cell::Cell::new(0);
    let count = |no, sealed: &[u8]| {
        opened.set(opened.get() + 1);
        open(no, sealed)
    };
    let filter = InvoiceFilter { text: "nothing like it".into(), ..InvoiceFilter::default() };
    assert!(read.invoices(LEDGER, &filter, Page::first(5), &count).value.items.is_empty());
    assert_eq!(opened.get(), 3);
    read.stop();
}

#[test]
fn customers_are_found_by_name() {
    let read = book().book.read();
    let named = |text: &str| -> Vec<u32> {
        let filter = CustomerFilter { text: text.into(), ..CustomerFilter::default() };
        let list = |page| read.customers(LEDGER, &filter, NOW, page, &open).value;
        all(1, list).iter().map(|customer| customer.no.0).collect()
    };
    assert_eq!(named("editions"), [3]);
    assert_eq!(named("c0"), [0]);
    assert_eq!(named("e"), [0, 2, 3]);
    let past = AsOf { date: None, known: Some(read.position()) };
    let filter = CustomerFilter { text: "rhone".into(), ..CustomerFilter::default() };
    let then = read.customers(LEDGER, &filter, past, Page::first(5), &open).value;
    assert_eq!(then.items[0].no.0, 3);
    read.stop();
}
