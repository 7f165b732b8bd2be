//! Lines, taxes and total of an invoice: they must add up to the minor unit.
//!
//! Rounding is half up, away from zero for negatives: once per line (quantity times price) and
//! once per tax rate, on the sum of its bases.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::commands::InvoiceLine;
use crate::currency::Currency;
use crate::event::{Line, Rate, Tax};
use crate::limits::MAX_LINES;
use crate::money::{self, Money};
use crate::refusal::{Reason, Refusal};
use crate::text;

/// A rate above this is refused: 100 %.
pub const MAX_RATE: Rate = Rate(100_000);

/// The tax of a base in minor units, rounded half up.
///
/// ```
/// use encours_domain::event::Rate;
/// use encours_domain::tax::tax;
/// assert_eq!(tax(250, Rate(5_500)).unwrap(), 14); // 5.5 % of 2.50 is 0.1375
/// assert_eq!(tax(-250, Rate(5_500)).unwrap(), -14);
/// ```
///
/// # Errors
/// `AMOUNT_OVERFLOW`.
pub fn tax(base: i64, rate: Rate) -> Result<i64, Refusal> {
    let exact = i128::from(base) * i128::from(rate.0);
    let half = 50_000 * exact.signum();
    i64::try_from((exact + half) / 100_000).map_err(|_| {
        Refusal::new(Reason::AmountOverflow, "taxes", format!("the tax on {base} does not fit"))
    })
}

/// Reads the lines of an invoice; amounts left out are quantity times price.
///
/// # Errors
/// The field and the figures of the first line that does not add up.
pub fn lines(asked: &[InvoiceLine], currency: Currency) -> Result<Vec<Line>, Refusal> {
    if asked.len() > MAX_LINES {
        return Err(text::too_many("lines", asked.len(), MAX_LINES));
    }
    asked
        .iter()
        .enumerate()
        .map(|(at, asked)| line(asked, currency).map_err(|no| no.within(&format!("lines[{at}]"))))
        .collect()
}

fn line(asked: &InvoiceLine, currency: Currency) -> Result<Line, Refusal> {
    text::check("description", &asked.description)?;
    check_rate(asked.rate)?;
    let computed = match (asked.quantity, asked.unit_price) {
        (Some(quantity), Some(price)) => {
            let exact = quantity.checked_mul(price).ok_or_else(|| {
                Refusal::new(Reason::AmountOverflow, "amount", "quantity times price is too large")
            })?;
            let rounded = exact
                .round_dp_with_strategy(currency.digits(), RoundingStrategy::MidpointAwayFromZero);
            Some(Money::from_decimal("amount", rounded, currency)?.minor)
        }
        _ => None,
    };
    let amount = match (asked.amount, computed) {
        (Some(amount), Some(computed)) if amount != computed => {
            return Err(mismatch("amount", "quantity times price", computed, amount, currency));
        }
        (Some(amount), _) | (None, Some(amount)) => amount,
        (None, None) => return Err(Refusal::missing("amount")),
    };
    Ok(Line {
        description: asked.description.clone(),
        quantity: asked.quantity.map(|quantity| quantity.normalize()),
        unit_price: asked.unit_price.map(|price| price.normalize()),
        amount,
        rate: asked.rate,
    })
}

fn check_rate(rate: Rate) -> Result<(), Refusal> {
    if rate <= MAX_RATE {
        return Ok(());
    }
    let percent = Decimal::new(i64::from(rate.0), 3);
    Err(Refusal::new(
        Reason::TotalMismatch,
        "tax_rate",
        format!("the tax rate is {percent} %, above 100 %"),
    ))
}

/// Taxes by rate, and the total with tax: computed from the lines, or checked where given.
///
/// # Errors
/// `TOTAL_MISMATCH` with the figures, or `MISSING_FIELD` where nothing tells the total.
pub fn add_up(
    lines: &[Line],
    given: &[Tax],
    total: Option<i64>,
    currency: Currency,
) -> Result<(Vec<Tax>, i64), Refusal> {
    let taxes = if lines.is_empty() { checked(given, currency)? } else { of_lines(lines)? };
    if !lines.is_empty() && !given.is_empty() && checked(given, currency)? != taxes {
        return Err(Refusal::new(
            Reason::TotalMismatch,
            "taxes",
            "the taxes are not those of the lines, summed by rate",
        ));
    }
    let sum = money::sum("total", taxes.iter().flat_map(|tax| [tax.base, tax.tax]))?;
    match total {
        Some(total) if (!taxes.is_empty()) && total != sum => {
            Err(mismatch("total", "lines and taxes", sum, total, currency))
        }
        Some(total) => Ok((taxes, total)),
        None if taxes.is_empty() => Err(Refusal::missing("total")),
        None => Ok((taxes, sum)),
    }
}

fn of_lines(lines: &[Line]) -> Result<Vec<Tax>, Refusal> {
    let mut bases = BTreeMap::<Rate, i64>::new();
    for line in lines {
        let base = bases.entry(line.rate).or_default();
        *base = money::add("lines", *base, line.amount)?;
    }
    bases.into_iter().map(|(rate, base)| Ok(Tax { rate, base, tax: tax(base, rate)? })).collect()
}

fn checked(given: &[Tax], currency: Currency) -> Result<Vec<Tax>, Refusal> {
    let mut taxes = given.to_vec();
    taxes.sort_by_key(|tax| tax.rate);
    if taxes.windows(2).any(|pair| pair[0].rate == pair[1].rate) {
        return Err(Refusal::new(Reason::TotalMismatch, "taxes", "a tax rate is given twice"));
    }
    for given in &taxes {
        check_rate(given.rate)?;
        let computed = tax(given.base, given.rate)?;
        if given.tax != computed {
            return Err(mismatch("taxes", "base times rate", computed, given.tax, currency));
        }
    }
    Ok(taxes)
}

fn mismatch(field: &str, what: &str, computed: i64, given: i64, currency: Currency) -> Refusal {
    let (computed, given) = (Money::new(computed, currency), Money::new(given, currency));
    Refusal::new(
        Reason::TotalMismatch,
        field,
        format!("{field} is {given}, {what} give {computed}"),
    )
    .with("given", given)
    .with("computed", computed)
}
