//! Credit limits: how far a customer is in debt, and what an amount more would do.

use crate::balance::Balance;
use crate::currency::Currency;
use crate::event::CreditPolicy;
use crate::state::CreditLimit;

/// What a credit limit says to an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It stays within the limit, there is none, or passing it is allowed.
    Allowed,
    /// It is issued, and the log says that it passed the limit.
    Warned,
    /// It is refused, unless the command overrides that.
    Refused,
}

impl Verdict {
    /// The name in interfaces: `WARNED`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "ALLOWED",
            Self::Warned => "WARNED",
            Self::Refused => "REFUSED",
        }
    }
}

/// A customer's credit in one currency, and an invoice to be weighed against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The limit; `None` where the customer has none in the currency.
    pub limit: Option<CreditLimit>,
    /// The net balance now, in minor units; negative where more is left than owed.
    pub exposure: i64,
    /// The total of the invoice in minor units; 0 or more.
    pub amount: i64,
}

impl Credit {
    /// The credit of a customer with these limits and balances.
    ///
    /// ```
    /// use encours_domain::credit::{Credit, Verdict};
    /// use encours_domain::event::CreditPolicy;
    /// use encours_domain::state::CreditLimit;
    /// let currency = encours_domain::Currency::parse("currency", "EUR").unwrap();
    /// let limit = CreditLimit { currency, limit: 10_000, policy: CreditPolicy::Refuse };
    /// let credit = |amount| Credit::of(&[limit], &[], currency, amount);
    /// assert_eq!(credit(10_000).verdict(), Verdict::Allowed);
    /// assert_eq!(credit(10_001).verdict(), Verdict::Refused);
    /// assert_eq!(credit(10_001).available(), Some(10_000));
    /// ```
    #[must_use]
    pub fn of(
        limits: &[CreditLimit],
        balances: &[Balance],
        currency: Currency,
        amount: i64,
    ) -> Self {
        let balance = balances.iter().find(|balance| balance.currency == currency);
        Self {
            limit: limits.iter().find(|limit| limit.currency == currency).copied(),
            exposure: balance.map_or(0, Balance::net),
            amount,
        }
    }

    /// The net balance with the invoice.
    #[must_use]
    pub const fn exposure_after(&self) -> i64 {
        self.exposure.saturating_add(self.amount)
    }

    /// What may be invoiced within the limit; negative where it is passed already, `None` where
    /// there is no limit.
    #[must_use]
    pub fn available(&self) -> Option<i64> {
        self.limit.map(|limit| limit.limit.saturating_sub(self.exposure))
    }

    /// What the limit says. An invoice over 0 passes no limit.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let passed = self.limit.filter(|limit| self.exposure_after() > limit.limit);
        match passed.filter(|_| self.amount > 0).map(|limit| limit.policy) {
            None | Some(CreditPolicy::Allow) => Verdict::Allowed,
            Some(CreditPolicy::Warn) => Verdict::Warned,
            Some(CreditPolicy::Refuse) => Verdict::Refused,
        }
    }
}
