//! The labels of the demo, in English and in French.

pub(super) use crate::output::Language;

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
}
