//! The events of drafts, limits, opening items, plans, refunds and reminders, drawn at random.

use std::sync::Arc;

use encours_domain::dunning::{Channel, Step};
use encours_domain::event::{
    CreditLimitExceeded, CreditLimitSet, CreditPolicy, CustomerReminderRecorded, Direction, Draft,
    DraftCreated, DraftDeleted, DraftUpdated, Method, OpeningItemAdded, OpeningItemCorrected,
    PaymentPlanned, PaymentRefunded, PlannedPaymentCancelled, PlannedPaymentCleared,
    PlannedPaymentLapsed, ReminderEmitted, ReminderRecorded, RemindersStopped,
};
use encours_domain::terms::Due;
use encours_domain::{CustomerNo, Event, InvoiceNo, LedgerNo, PaymentNo};
use encours_schema::EventKind;

use crate::draw::Draw;

impl Draw {
    /// An event of a kind that came after the first ones.
    pub(crate) fn later(&mut self, kind: EventKind) -> Option<Event> {
        let (ledger, invoice) = (LedgerNo(self.number()), InvoiceNo(self.number()));
        let date = self.day();
        Some(match kind {
            EventKind::CreditLimitSet => self.limit().into(),
            EventKind::DraftCreated => {
                DraftCreated { ledger, invoice, id: self.id(), draft: self.draft() }.into()
            }
            EventKind::DraftUpdated => DraftUpdated { ledger, invoice, draft: self.draft() }.into(),
            EventKind::DraftDeleted => DraftDeleted { ledger, invoice }.into(),
            EventKind::CreditLimitExceeded => self.exceeded().into(),
            EventKind::OpeningItemAdded => self.opening().into(),
            EventKind::OpeningItemCorrected => self.corrected().into(),
            EventKind::PaymentPlanned => {
                let (amount, planned_for) = (self.positive(), self.day());
                PaymentPlanned { ledger, invoice, amount, planned_for, date }.into()
            }
            EventKind::PlannedPaymentCancelled => {
                PlannedPaymentCancelled { ledger, invoice, date }.into()
            }
            EventKind::PlannedPaymentCleared => {
                PlannedPaymentCleared { ledger, invoice, date }.into()
            }
            EventKind::PlannedPaymentLapsed => {
                PlannedPaymentLapsed { ledger, invoice, date }.into()
            }
            EventKind::PaymentRefunded => self.refund().into(),
            EventKind::RemindersStopped => {
                RemindersStopped { ledger, invoice, date, reason: self.text().into() }.into()
            }
            other => return self.reminder(other),
        })
    }

    fn limit(&mut self) -> CreditLimitSet {
        use CreditPolicy::{Allow, Refuse, Warn};
        CreditLimitSet {
            ledger: LedgerNo(self.number()),
            customer: CustomerNo(self.number()),
            currency: self.currency(),
            limit: self.maybe(Self::amount),
            policy: self.of(&[Allow, Warn, Refuse]),
        }
    }

    fn exceeded(&mut self) -> CreditLimitExceeded {
        let limit = self.amount() / 2;
        CreditLimitExceeded {
            ledger: LedgerNo(self.number()),
            invoice: InvoiceNo(self.number()),
            customer: CustomerNo(self.number()),
            limit,
            exposure: limit + 1 + self.amount() / 2,
            overridden: self.flag(),
        }
    }

    fn draft(&mut self) -> Arc<Draft> {
        Arc::new(Draft {
            customer: CustomerNo(self.number()),
            currency: self.currency(),
            total: self.amount(),
            number: self.maybe(|draw| draw.text().into()),
            issue_date: self.maybe(Self::day),
            due: self.maybe(|draw| {
                if draw.flag() { Due::Date(draw.day()) } else { Due::Terms(draw.terms()) }
            }),
            reference: self.maybe(|draw| draw.text().into()),
            content: self.content(),
        })
    }

    fn part_of(&mut self, whole: i64) -> i64 {
        self.amount() % (whole / 2 + 1) + self.amount() % (whole - whole / 2 + 1)
    }

    fn opening(&mut self) -> OpeningItemAdded {
        let amount = self.positive();
        OpeningItemAdded {
            ledger: LedgerNo(self.number()),
            invoice: InvoiceNo(self.number()),
            id: self.id(),
            customer: CustomerNo(self.number()),
            number: self.text().into(),
            direction: self.of(&[Direction::Owed, Direction::Owing]),
            currency: self.currency(),
            amount,
            paid: self.part_of(amount),
            date: self.day(),
            due: self.due(),
            reference: self.text().into(),
            sent_on: self.maybe(Self::day),
        }
    }

    fn corrected(&mut self) -> OpeningItemCorrected {
        let amount = self.amount();
        OpeningItemCorrected {
            ledger: LedgerNo(self.number()),
            invoice: InvoiceNo(self.number()),
            amount,
            paid: self.part_of(amount),
            due: self.due(),
            date: self.day(),
            left_after: self.amount(),
            not_overdue: self.flag(),
        }
    }

    fn refund(&mut self) -> PaymentRefunded {
        use Method::{Card, Cash, Cheque, DirectDebit, Other, Transfer};
        PaymentRefunded {
            ledger: LedgerNo(self.number()),
            payment: PaymentNo(self.number()),
            amount: self.positive(),
            method: self.of(&[Transfer, Card, DirectDebit, Cheque, Cash, Other]),
            date: self.day(),
            reference: self.text().into(),
            unapplied_after: self.amount(),
        }
    }

    fn reminder(&mut self, kind: EventKind) -> Option<Event> {
        use Channel::{Email, Letter, Phone, Sms};
        let (ledger, invoice) = (LedgerNo(self.number()), InvoiceNo(self.number()));
        let (date, other) = (self.day(), self.day());
        let channel = self.of(&[Email, Letter, Sms, Phone]);
        let level = u8::try_from(1 + self.below(9)).unwrap();
        let text = self.text().into();
        Some(match kind {
            EventKind::CustomerReminderRecorded => {
                let customer = CustomerNo(self.number());
                CustomerReminderRecorded { ledger, customer, level, channel, date, text }.into()
            }
            EventKind::ReminderRecorded => {
                ReminderRecorded { ledger, invoice, level, channel, date, text }.into()
            }
            EventKind::ReminderEmitted => {
                let step = Step::by_code(u8::try_from(self.below(12)).unwrap()).unwrap();
                ReminderEmitted {
                    ledger,
                    invoice,
                    step,
                    level: step.level(),
                    channel,
                    template: text,
                    planned: date.min(other),
                    date: date.max(other),
                    open: self.positive(),
                }
                .into()
            }
            _ => return None,
        })
    }
}
