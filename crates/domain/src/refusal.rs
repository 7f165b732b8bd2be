//! Refusals: what a command is told when a rule says no. A refused command changes nothing.

use std::fmt;

/// Which rule said no. The text form is stable: clients match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Stable name, such as `OVER_ALLOCATION`.
    pub code: &'static str,
    /// What kind of no it is.
    pub kind: Kind,
}

/// What kind of no a refusal is; maps one to one to a canonical gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The command is malformed, whatever the state of the ledger.
    InvalidArgument,
    /// It names something that does not exist.
    NotFound,
    /// It creates something that exists already with other content.
    AlreadyExists,
    /// The state of the ledger does not allow it.
    FailedPrecondition,
    /// `expected_version` names an older version.
    Aborted,
    /// A limit is reached.
    ResourceExhausted,
}

macro_rules! reasons {
    ($(#[doc = $doc:literal] $name:ident = $code:literal, $kind:ident;)*) => {
        /// The rules that refuse, one variant each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason { $(#[doc = $doc] $name,)* }

        impl Reason {
            /// Every reason, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name and kind.
            #[must_use]
            pub const fn rule(self) -> Rule {
                match self { $(Self::$name => Rule { code: $code, kind: Kind::$kind },)* }
            }

            /// What the rule says, in one sentence.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $doc.trim_ascii(),)* }
            }
        }
    };
}

reasons! {
    /// An id is empty, longer than 64 characters or has a character outside `A-Z a-z 0-9 _ - : /`.
    InvalidId = "INVALID_ID", InvalidArgument;
    /// A field that must be given is missing.
    MissingField = "MISSING_FIELD", InvalidArgument;
    /// Two fields that exclude each other are both given.
    ConflictingFields = "CONFLICTING_FIELDS", InvalidArgument;
    /// An enumerated field has a value this version does not know.
    UnknownValue = "UNKNOWN_VALUE", InvalidArgument;
    /// A text is empty where it must not be, or holds control characters.
    InvalidText = "INVALID_TEXT", InvalidArgument;
    /// A text is longer than its limit, or a list has more entries than its limit.
    TooLarge = "TOO_LARGE", InvalidArgument;
    /// A currency is not an active ISO 4217 code with a minor unit.
    InvalidCurrency = "INVALID_CURRENCY", InvalidArgument;
    /// An amount is not a decimal number, or its units and nanos have different signs.
    InvalidAmount = "INVALID_AMOUNT", InvalidArgument;
    /// An amount has more fraction digits than its currency.
    TooManyDecimals = "TOO_MANY_DECIMALS", InvalidArgument;
    /// An amount is zero or negative where it must be positive.
    NotPositive = "NOT_POSITIVE", InvalidArgument;
    /// An amount or a sum of amounts does not fit 64 bits of minor units.
    AmountOverflow = "AMOUNT_OVERFLOW", InvalidArgument;
    /// A date is no civil date, or lies outside 1900-01-01 to 2199-12-31.
    InvalidDate = "INVALID_DATE", InvalidArgument;
    /// A due date lies before the issue date.
    DueBeforeIssue = "DUE_BEFORE_ISSUE", InvalidArgument;
    /// A time zone is not in the IANA database.
    InvalidTimeZone = "INVALID_TIME_ZONE", InvalidArgument;
    /// Payment terms are out of range.
    InvalidTerms = "INVALID_TERMS", InvalidArgument;
    /// A number pattern is malformed.
    InvalidPattern = "INVALID_PATTERN", InvalidArgument;
    /// A payment reference looks like ISO 11649 but its check digits do not fit.
    InvalidReference = "INVALID_REFERENCE", InvalidArgument;
    /// Lines, taxes and total of an invoice do not add up.
    TotalMismatch = "TOTAL_MISMATCH", InvalidArgument;
    /// There is no such ledger.
    UnknownLedger = "UNKNOWN_LEDGER", NotFound;
    /// There is no such clock.
    UnknownClock = "UNKNOWN_CLOCK", NotFound;
    /// There is no such customer in the ledger.
    UnknownCustomer = "UNKNOWN_CUSTOMER", NotFound;
    /// There is no such invoice in the ledger.
    UnknownInvoice = "UNKNOWN_INVOICE", NotFound;
    /// There is no such payment in the ledger.
    UnknownPayment = "UNKNOWN_PAYMENT", NotFound;
    /// There is no such credit note in the ledger.
    UnknownCreditNote = "UNKNOWN_CREDIT_NOTE", NotFound;
    /// The id exists already with other content.
    IdExists = "ID_EXISTS", AlreadyExists;
    /// The request id was used before for a command with other content.
    RequestIdReused = "REQUEST_ID_REUSED", AlreadyExists;
    /// The invoice or credit-note number is used already in the ledger.
    NumberExists = "NUMBER_EXISTS", AlreadyExists;
    /// A given number has the form that the ledger's own series allots.
    NumberReserved = "NUMBER_RESERVED", FailedPrecondition;
    /// `expected_version` is not the version of the resource.
    VersionMismatch = "VERSION_MISMATCH", Aborted;
    /// The currencies of the two sides differ.
    CurrencyMismatch = "CURRENCY_MISMATCH", FailedPrecondition;
    /// The two sides belong to different customers.
    CustomerMismatch = "CUSTOMER_MISMATCH", FailedPrecondition;
    /// More is asked than is open on the invoice, or than is unapplied of the payment or credit.
    OverAllocation = "OVER_ALLOCATION", FailedPrecondition;
    /// Nothing is left to allocate, to take back or to credit.
    NothingLeft = "NOTHING_LEFT", FailedPrecondition;
    /// The document is not in a state that allows the command.
    WrongState = "WRONG_STATE", FailedPrecondition;
    /// A series allots numbers in date order: the issue date lies before its last, or after today.
    IssueDateOrder = "ISSUE_DATE_ORDER", FailedPrecondition;
    /// What undoes a fact is dated before it.
    DatedBeforeFact = "DATED_BEFORE_FACT", FailedPrecondition;
    /// The credit is above what is creditable, or an offset above what is open.
    OverCredit = "OVER_CREDIT", FailedPrecondition;
    /// Money is allocated to the invoice and the command does not say what becomes of it.
    MoneyAllocated = "MONEY_ALLOCATED", FailedPrecondition;
    /// The invoice would take its customer past its credit limit, whose policy is to refuse.
    CreditLimitExceeded = "CREDIT_LIMIT_EXCEEDED", FailedPrecondition;
    /// The clock is the system's: only a test clock is moved by a command.
    NotATestClock = "NOT_A_TEST_CLOCK", FailedPrecondition;
    /// A clock never moves backwards.
    DayBackwards = "DAY_BACKWARDS", FailedPrecondition;
    /// A limit on allocations, days or entities is reached.
    LimitReached = "LIMIT_REACHED", ResourceExhausted;
}

/// A decision against a command: the rule, the field, a sentence for people and the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that said no.
    pub reason: Reason,
    /// The field of the command that the rule is about, in the names of the protocol.
    pub field: String,
    /// One sentence with the figures.
    pub message: String,
    /// The figures, by name, for programs.
    pub figures: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal without figures.
    #[must_use]
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into(), figures: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &'static str, figure: impl fmt::Display) -> Self {
        self.figures.push((name, figure.to_string()));
        self
    }

    /// `field` is missing.
    #[must_use]
    pub fn missing(field: &'static str) -> Self {
        Self::new(Reason::MissingField, field, format!("{field} is missing"))
    }

    /// The same refusal about a field inside `parent`, such as `lines[2].amount`.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.rule().code, self.message)
    }
}

impl std::error::Error for Refusal {}
