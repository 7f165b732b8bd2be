//! Labels: the words in which known products show a status, derived from the same facts.
//!
//! A label is the first of its set that applies. A state for which a set has no word shows the
//! name of the headline.

use crate::status::{CustomerStatus, Document, Facets, Settlement, Timing};

/// A set of labels of invoices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvoiceLabels {
    /// Libeo: paid, partly paid, planned, overdue, not due.
    Libeo,
    /// Clicfacture: by document, then by the level of the last reminder.
    Clicfacture,
}

/// A set of labels of customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CustomerLabels {
    /// Tiime: overdue, awaiting, in credit, up to date.
    Tiime,
}

/// A label of an invoice, in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvoiceLabel {
    /// The set.
    pub set: InvoiceLabels,
    /// One of [`InvoiceLabels::words`].
    pub word: &'static str,
}

/// A label of a customer, in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CustomerLabel {
    /// The set.
    pub set: CustomerLabels,
    /// One of [`CustomerLabels::words`].
    pub word: &'static str,
}

impl InvoiceLabels {
    /// Every set.
    pub const ALL: &'static [Self] = &[Self::Libeo, Self::Clicfacture];

    /// The id in interfaces.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Libeo => "libeo",
            Self::Clicfacture => "clicfacture",
        }
    }

    /// The set with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|set| set.id() == id)
    }

    /// Every label that an invoice can have in this set.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Libeo => &[
                // The headlines' own names.
                "DRAFT",
                "CANCELLED",
                "encaissée",
                "solde à encaisser",
                "planifié",
                "à encaisser",
                "non échue",
            ],
            Self::Clicfacture => {
                &["provisoire", "annulé", "payé", "relance 2", "relance 1", "retard", "validé"]
            }
        }
    }

    /// The label of an invoice with these facets.
    #[must_use]
    pub const fn label(self, facets: Facets) -> &'static str {
        match self {
            Self::Libeo => libeo(facets),
            Self::Clicfacture => clicfacture(facets),
        }
    }

    /// The label with this word; `None` where the set has no such word.
    #[must_use]
    pub fn parse(self, word: &str) -> Option<InvoiceLabel> {
        let word = self.words().iter().copied().find(|known| *known == word)?;
        Some(InvoiceLabel { set: self, word })
    }
}

const fn libeo(facets: Facets) -> &'static str {
    match (facets.document, facets.settlement, facets.timing) {
        (Document::Draft | Document::Cancelled, _, _) => facets.headline().name(),
        (_, Settlement::Paid, _) => "encaissée",
        (_, Settlement::PartiallyPaid, _) => "solde à encaisser",
        _ if facets.planned => "planifié",
        (_, _, Timing::Overdue) => "à encaisser",
        _ => "non échue",
    }
}

const fn clicfacture(facets: Facets) -> &'static str {
    match (facets.document, facets.settlement, facets.timing) {
        (Document::Draft, _, _) => "provisoire",
        (Document::Cancelled, _, _) => "annulé",
        (_, Settlement::Paid, _) => "payé",
        _ if facets.level >= 2 => "relance 2",
        _ if facets.level == 1 => "relance 1",
        (_, _, Timing::Overdue) => "retard",
        _ => "validé",
    }
}

impl InvoiceLabel {
    /// Whether an invoice with these facets has this label.
    #[must_use]
    pub fn is_of(self, facets: Facets) -> bool {
        self.set.label(facets) == self.word
    }
}

impl CustomerLabels {
    /// Every set.
    pub const ALL: &'static [Self] = &[Self::Tiime];

    /// The id in interfaces.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Tiime => "tiime",
        }
    }

    /// The set with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|set| set.id() == id)
    }

    /// Every label that a customer can have in this set.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Tiime => &["en retard", "en attente de règlement", "créditeur", "à jour"],
        }
    }

    /// The label of a customer with this status.
    #[must_use]
    pub const fn label(self, status: CustomerStatus) -> &'static str {
        match (self, status) {
            (Self::Tiime, CustomerStatus::Overdue) => "en retard",
            (Self::Tiime, CustomerStatus::AwaitingPayment) => "en attente de règlement",
            (Self::Tiime, CustomerStatus::InCredit) => "créditeur",
            (Self::Tiime, CustomerStatus::UpToDate) => "à jour",
        }
    }

    /// The label with this word; `None` where the set has no such word.
    #[must_use]
    pub fn parse(self, word: &str) -> Option<CustomerLabel> {
        let word = self.words().iter().copied().find(|known| *known == word)?;
        Some(CustomerLabel { set: self, word })
    }
}

impl CustomerLabel {
    /// Whether a customer with this status has this label.
    #[must_use]
    pub fn is_of(self, status: CustomerStatus) -> bool {
        self.set.label(status) == self.word
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Day;
    use crate::status::Standing;
    use crate::terms::DueTerms;

    fn day(number: i32) -> Day {
        Day::from_number(number).unwrap()
    }

    fn standing() -> Standing {
        Standing {
            document: Document::Issued,
            left: 100,
            total: 100,
            due: Some(DueTerms { date: day(10), grace_days: 0 }),
            today: day(5),
            disputed: false,
            planned: false,
            stopped: false,
            exhausted: false,
            level: 0,
        }
    }

    #[test]
    fn the_first_label_that_applies_is_shown() {
        let late = day(11);
        #[rustfmt::skip]
        let cases = [
            (Standing { document: Document::Draft, ..standing() }, "DRAFT", "provisoire"),
            (Standing { document: Document::Cancelled, left: 0, ..standing() }, "CANCELLED", "annulé"),
            (Standing { left: 0, level: 3, planned: true, ..standing() }, "encaissée", "payé"),
            (Standing { left: 40, today: late, ..standing() }, "solde à encaisser", "retard"),
            (Standing { planned: true, today: late, ..standing() }, "planifié", "retard"),
            (Standing { today: late, ..standing() }, "à encaisser", "retard"),
            (Standing { today: late, level: 1, ..standing() }, "à encaisser", "relance 1"),
            (Standing { level: 2, stopped: true, ..standing() }, "non échue", "relance 2"),
            (Standing { level: 9, ..standing() }, "non échue", "relance 2"),
            (standing(), "non échue", "validé"),
        ];
        for (standing, libeo, clicfacture) in cases {
            let facets = Facets::of(&standing);
            assert_eq!(InvoiceLabels::Libeo.label(facets), libeo, "{standing:?}");
            assert_eq!(InvoiceLabels::Clicfacture.label(facets), clicfacture, "{standing:?}");
            for set in InvoiceLabels::ALL {
                let label = set.parse(set.label(facets)).unwrap();
                assert!(label.is_of(facets));
                let others = set.words().iter().filter(|word| **word != label.word);
                assert!(others.flat_map(|word| set.parse(word)).all(|other| !other.is_of(facets)));
            }
        }
    }

    #[test]
    fn customers_have_one_label_by_status() {
        let tiime = CustomerLabels::by_id("tiime").unwrap();
        let statuses = [
            CustomerStatus::Overdue,
            CustomerStatus::AwaitingPayment,
            CustomerStatus::InCredit,
            CustomerStatus::UpToDate,
        ];
        for (status, word) in statuses.into_iter().zip(tiime.words()) {
            assert!(tiime.parse(word).unwrap().is_of(status), "{word}");
        }
        assert_eq!(tiime.parse("validé"), None);
        assert_eq!(InvoiceLabels::by_id("tiime"), None);
        assert_eq!(InvoiceLabels::by_id("libeo"), Some(InvoiceLabels::Libeo));
    }
}
