//! Money: integer minor units of an ISO 4217 currency, exact and checked.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::refusal::{Reason, Refusal};

/// An amount of money: `minor` units of `currency` (cents of EUR, yen of JPY, fils of BHD).
///
/// ```
/// use encours_domain::{Currency, Money};
/// let eur = Currency::parse("currency", "EUR").unwrap();
/// assert_eq!(Money::parse("amount", "40.5", eur).unwrap().minor, 4_050);
/// assert_eq!(Money::new(4_050, eur).to_string(), "40.50 EUR");
/// assert!(Money::parse("amount", "40.505", eur).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount of minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a decimal such as `40`, `40.5` or `-3.20`.
    ///
    /// # Errors
    /// `INVALID_AMOUNT`, `TOO_MANY_DECIMALS` or `AMOUNT_OVERFLOW`, naming `field`.
    pub fn parse(field: &str, text: &str, currency: Currency) -> Result<Self, Refusal> {
        // The library takes `1_000` for a thousand.
        let exact = Decimal::from_str_exact(text).ok().filter(|_| !text.contains('_'));
        let decimal = exact.ok_or_else(|| {
            Refusal::new(
                Reason::InvalidAmount,
                field,
                format!("{field} is not a decimal number: {text:?}"),
            )
        })?;
        Self::from_decimal(field, decimal, currency)
    }

    /// The amount that a decimal number of whole units stands for.
    ///
    /// # Errors
    /// `TOO_MANY_DECIMALS` or `AMOUNT_OVERFLOW`, naming `field`.
    pub fn from_decimal(field: &str, amount: Decimal, currency: Currency) -> Result<Self, Refusal> {
        let digits = currency.digits();
        let exact = amount.normalize();
        if exact.scale() > digits {
            return Err(too_many_decimals(field, &exact, currency));
        }
        let overflow = || amount_overflow(field, &exact);
        let minor = exact
            .checked_mul(Decimal::from(10_i64.pow(digits)))
            .and_then(|minor| minor.to_i64())
            .ok_or_else(overflow)?;
        Ok(Self::new(minor, currency))
    }

    /// The amount that whole `units` and `nanos` (billionths, same sign) stand for, as in
    /// `google.type.Money`.
    ///
    /// # Errors
    /// `INVALID_AMOUNT`, `TOO_MANY_DECIMALS` or `AMOUNT_OVERFLOW`, naming `field`.
    pub fn from_units(
        field: &str,
        units: i64,
        nanos: i32,
        currency: Currency,
    ) -> Result<Self, Refusal> {
        let mixed = (units > 0 && nanos < 0) || (units < 0 && nanos > 0);
        if mixed || nanos.unsigned_abs() > 999_999_999 {
            return Err(Refusal::new(
                Reason::InvalidAmount,
                field,
                format!("{field} has units {units} and nanos {nanos}: signs or range do not fit"),
            ));
        }
        let digits = currency.digits();
        let nanos_per_minor = 10_i32.pow(9 - digits);
        if nanos % nanos_per_minor != 0 {
            let exact = Decimal::from(units) + Decimal::new(i64::from(nanos), 9);
            return Err(too_many_decimals(field, &exact.normalize(), currency));
        }
        units
            .checked_mul(10_i64.pow(digits))
            .and_then(|minor| minor.checked_add(i64::from(nanos / nanos_per_minor)))
            .map(|minor| Self::new(minor, currency))
            .ok_or_else(|| amount_overflow(field, &units))
    }

    /// Whole units and billionths of the same sign, as in `google.type.Money`.
    #[must_use]
    pub fn to_units(self) -> (i64, i32) {
        let digits = self.currency.digits();
        let scale = 10_i64.pow(digits);
        let fraction = i32::try_from(self.minor % scale).unwrap_or_default();
        (self.minor / scale, fraction * 10_i32.pow(9 - digits))
    }

    /// The amount as a decimal number of whole units.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.digits())
    }

    /// The number alone, with the fraction digits of the currency: `40.50`.
    #[must_use]
    pub fn number(self) -> String {
        self.to_decimal().to_string()
    }
}

fn too_many_decimals(field: &str, amount: &Decimal, currency: Currency) -> Refusal {
    let digits = currency.digits();
    Refusal::new(
        Reason::TooManyDecimals,
        field,
        format!("{field} is {amount}: {currency} has {digits} fraction digits"),
    )
    .with("amount", amount)
    .with("fraction_digits", digits)
}

fn amount_overflow(field: &str, amount: &dyn fmt::Display) -> Refusal {
    Refusal::new(
        Reason::AmountOverflow,
        field,
        format!("{field} is {amount}: it does not fit 64 bits of minor units"),
    )
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

/// `a + b`, refused where it does not fit.
///
/// # Errors
/// `AMOUNT_OVERFLOW`, naming `field`.
pub fn add(field: &str, a: i64, b: i64) -> Result<i64, Refusal> {
    a.checked_add(b).ok_or_else(|| amount_overflow(field, &format!("{a} + {b}")))
}

/// A sum of minor units, refused where it does not fit.
///
/// # Errors
/// `AMOUNT_OVERFLOW`, naming `field`.
pub fn sum(field: &str, amounts: impl IntoIterator<Item = i64>) -> Result<i64, Refusal> {
    amounts.into_iter().try_fold(0, |total, amount| add(field, total, amount))
}
