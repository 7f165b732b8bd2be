//! The kinds of commands, and how often the generator makes each.
//!
//! A new command of the domain does not compile here until it is named ([`Kind::of`]), and not in the
//! generator until it is made (`Workload::sensible`); the tests of the simulation fail until it was
//! accepted at least once.

use encours_domain::Command;

macro_rules! kinds {
    ($($name:ident = $weight:literal,)*) => {
        /// A kind of command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "as the command of that name")]
        pub enum Kind { $($name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name of the command.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The kind of a command.
            #[must_use]
            pub const fn of(command: &Command) -> Self {
                match command { $(Command::$name(_) => Self::$name,)* }
            }
        }

        impl Default for Weights {
            fn default() -> Self {
                Self { of: vec![$((Kind::$name, $weight),)*], careless: 7 }
            }
        }
    };
}

kinds! {
    CreateLedger = 1,
    AdvanceClock = 6,
    CreateCustomer = 4,
    UpdateCustomer = 3,
    IssueInvoice = 26,
    MarkSent = 14,
    DisputeInvoice = 4,
    ResolveDispute = 4,
    CancelInvoice = 4,
    RecordPayment = 22,
    Allocate = 8,
    Deallocate = 5,
    ReversePayment = 4,
    IssueCreditNote = 7,
    CreateDraft = 6,
    UpdateDraft = 3,
    DeleteDraft = 2,
    IssueDraft = 5,
    AddOpeningItem = 6,
    CorrectOpeningItem = 4,
    PlanPayment = 4,
    CancelPlannedPayment = 2,
    SetCreditLimit = 2,
    RefundPayment = 3,
    StopReminders = 1,
    RecordReminder = 2,
    OpenDay = 0,
    RunDay = 1,
}

/// How often the generator makes what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    of: Vec<(Kind, u64)>,
    /// One in so many commands breaks a rule on purpose.
    pub(crate) careless: u64,
}

impl Weights {
    /// All of them together.
    pub(crate) fn total(&self) -> u64 {
        self.of.iter().map(|(_, weight)| weight).sum()
    }

    /// The kind at a place below [`total`](Self::total).
    pub(crate) fn at(&self, mut place: u64) -> Kind {
        for (kind, weight) in &self.of {
            match place.checked_sub(*weight) {
                None => return *kind,
                Some(rest) => place = rest,
            }
        }
        Kind::IssueInvoice
    }

    /// Reads changes of the usual weights, such as `IssueInvoice=50,careless=2`: names of commands,
    /// and `careless` for the share of commands that break a rule on purpose (one in so many).
    ///
    /// # Errors
    /// Which part cannot be meant, and which names there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut weights = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| {
                format!("weight {part:?} is not of the form Command=number, such as Allocate=20")
            })?;
            let value = value.trim().parse::<u32>().map_err(|_| {
                format!("weight {part:?}: {value:?} is not a number from 0 to {}", u32::MAX)
            })?;
            if name.trim() == "careless" {
                weights.careless = value.into();
                continue;
            }
            let row = weights.of.iter_mut().find(|(kind, _)| kind.name() == name.trim());
            let Some((_, weight)) = row else {
                let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                let names = names.join(", ");
                return Err(format!("there is no weight {name:?}: there are careless, {names}"));
            };
            *weight = value.into();
        }
        if weights.total() == 0 {
            return Err("all weights are 0: nothing would be tried".to_owned());
        }
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_wrong_ones_named() {
        let weights = Weights::parse("Allocate=20, careless=2").unwrap();
        assert_eq!((weights.careless, weights.total()), (2, Weights::default().total() + 12));
        assert!(
            Weights::parse("Alocate=1").unwrap_err().contains("there is no weight \"Alocate\"")
        );
        assert!(Weights::parse("Allocate").unwrap_err().contains("not of the form"));
        assert!(Weights::parse("Allocate=-1").unwrap_err().contains("not a number"));
        let none: Vec<String> = Kind::ALL.iter().map(|k| format!("{}=0", k.name())).collect();
        assert!(Weights::parse(&none.join(",")).unwrap_err().contains("all weights are 0"));
    }

    #[test]
    fn every_place_has_its_kind() {
        let weights = Weights::default();
        let mut seen: Vec<Kind> = (0..weights.total()).map(|place| weights.at(place)).collect();
        seen.dedup();
        assert_eq!(seen.len(), Kind::ALL.len() - 1, "all but OpenDay, which the engine makes");
    }
}
