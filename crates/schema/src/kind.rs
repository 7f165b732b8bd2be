//! The registry of event types: numbers that stand in the log for ever.
//!
//! A number is never reused and never changes its meaning; the tens group what belongs together
//! and leave room.

use encours_domain::Event;

macro_rules! kinds {
    ($($name:ident = $code:literal,)*) => {
        /// The type of an event, by its number in the log.
        ///
        /// ```
        /// use encours_schema::EventKind;
        /// assert_eq!(EventKind::InvoiceIssued.code(), 40);
        /// assert_eq!(EventKind::from_code(40), Some(EventKind::InvoiceIssued));
        /// assert_eq!(EventKind::name(40), Some("InvoiceIssued"));
        /// assert_eq!(EventKind::name(9_999), None);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "each variant is the type of the event of its name")]
        pub enum EventKind { $($name = $code,)* }

        impl EventKind {
            /// Every type, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The type with this number.
            #[must_use]
            pub const fn from_code(kind: u16) -> Option<Self> {
                match kind {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name of the event.
            #[must_use]
            pub const fn event_name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The type of an event.
            #[must_use]
            pub const fn of(event: &Event) -> Self {
                match event { $(Event::$name(_) => Self::$name,)* }
            }
        }
    };
}

kinds! {
    LogCreated = 1,
    WriterOpened = 2,
    LogForked = 3,

    ClockCreated = 10,
    ClockAdvanced = 11,
    DayOpened = 12,
    DayFinished = 13,

    LedgerCreated = 20,

    CustomerCreated = 30,
    CustomerUpdated = 31,
    CreditLimitSet = 32,
    CustomerReminderRecorded = 33,

    InvoiceIssued = 40,
    InvoiceSent = 41,
    InvoiceDisputed = 42,
    DisputeResolved = 43,
    InvoiceDue = 44,
    InvoiceOverdue = 45,
    InvoicePaid = 46,
    InvoiceReopened = 47,
    InvoiceCancelled = 48,

    DraftCreated = 50,
    DraftUpdated = 51,
    DraftDeleted = 52,
    OpeningItemAdded = 53,
    OpeningItemCorrected = 54,
    PaymentPlanned = 55,
    PlannedPaymentCancelled = 56,
    PlannedPaymentCleared = 57,
    PlannedPaymentLapsed = 58,
    CreditLimitExceeded = 59,

    PaymentRecorded = 60,
    PaymentReversed = 61,
    PaymentRefunded = 62,

    CreditNoteIssued = 70,

    Allocated = 80,
    Deallocated = 81,

    ReminderEmitted = 90,
    ReminderRecorded = 91,
    RemindersStopped = 92,
}

impl EventKind {
    /// The number that stands in the log.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The name of the event with this type number.
    #[must_use]
    pub const fn name(kind: u16) -> Option<&'static str> {
        match Self::from_code(kind) {
            Some(kind) => Some(kind.event_name()),
            None => None,
        }
    }
}
