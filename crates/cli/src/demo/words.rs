//! The labels of the demo, in English and in French.

use clap::ValueEnum;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Language {
    /// The one or the other.
    pub(super) const fn say(self, english: &'static str, french: &'static str) -> &'static str {
        match self {
            Self::En => english,
            Self::Fr => french,
        }
    }

    /// The status of a customer or an invoice.
    pub(super) fn status(self, name: &str) -> &'static str {
        match name {
            "OVERDUE" => self.say("overdue", "en retard"),
            "AWAITING_PAYMENT" => self.say("awaiting payment", "en attente de règlement"),
            "IN_CREDIT" => self.say("in credit", "créditeur"),
            "UP_TO_DATE" => self.say("up to date", "à jour"),
            _ => "",
        }
    }

    /// What happened to an invoice.
    pub(super) fn event(self, name: &str) -> &str {
        match (self, name) {
            (Self::En, _) => name,
            (Self::Fr, "invoice.issued") => "facture émise",
            (Self::Fr, "invoice.sent") => "facture envoyée",
            (Self::Fr, "invoice.due") => "échéance",
            (Self::Fr, "invoice.overdue") => "en retard",
            (Self::Fr, "invoice.paid") => "soldée",
            (Self::Fr, "invoice.reopened") => "rouverte",
            (Self::Fr, "allocation.made") => "règlement affecté",
            (Self::Fr, "allocation.undone") => "affectation annulée",
            (Self::Fr, "payment.recorded") => "encaissement",
            (Self::Fr, "payment.reversed") => "rejet de paiement",
            (Self::Fr, other) => other,
        }
    }

    /// What there is to say about an event.
    pub(super) fn detail(self, english: &str) -> String {
        match self {
            Self::En => english.to_owned(),
            Self::Fr => english
                .replace("due 20", "échéance 20")
                .replace("from payment ", "par ")
                .replace("back to payment ", "retour à "),
        }
    }
}
