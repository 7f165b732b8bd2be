//! The languages that tables for people come in, and the one dictionary of their words.
//!
//! English is what programs read too: names of columns, words of the protocol, phrases. French is
//! looked up by it. CSV and JSON are the same in every language.

use std::borrow::Cow;

use clap::ValueEnum;
use encours_proto::v1;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English: 1,234.56 and 2026-01-31.
    #[default]
    En,
    /// French: 1 234,56 and 31/01/2026.
    Fr,
}

/// Names of columns and of single values.
const HEADINGS: &[(&str, &str)] = &[
    ("actor", "auteur"),
    ("address", "adresse"),
    ("after", "après"),
    ("against", "comparé à"),
    ("allocated", "affecté"),
    ("amount", "montant"),
    ("as_known", "connu à la position"),
    ("as_of", "situation au"),
    ("available", "disponible"),
    ("balance", "solde"),
    ("before", "avant"),
    ("bytes", "octets"),
    ("calendar", "calendrier"),
    ("channel", "moyen"),
    ("check", "contrôle"),
    ("clock", "horloge"),
    ("collected", "encaissé"),
    ("contacts", "contacts"),
    ("copied", "copiés"),
    ("count", "nombre"),
    ("credit_limit", "plafond d'encours"),
    ("credit_note_id", "avoir"),
    ("credit_notes", "avoirs"),
    ("credited", "crédité"),
    ("currency", "devise"),
    ("customer_id", "client"),
    ("customers", "clients"),
    ("customers_awaiting_payment", "clients en attente"),
    ("customers_in_credit", "clients créditeurs"),
    ("customers_overdue", "clients en retard"),
    ("customers_up_to_date", "clients à jour"),
    ("d121_plus", "plus de 120 jours"),
    ("d1_30", "1-30 jours"),
    ("d31_60", "31-60 jours"),
    ("d61_90", "61-90 jours"),
    ("d91_120", "91-120 jours"),
    ("date", "date"),
    ("deleted", "supprimé"),
    ("detail", "détail"),
    ("difference", "écart"),
    ("digest", "empreinte"),
    ("digest_after", "empreinte après"),
    ("digest_before", "empreinte avant"),
    ("disputed", "contestée"),
    ("done", "fait"),
    ("drafts", "brouillons"),
    ("due_date", "échéance"),
    ("dunning", "relances"),
    ("event", "événement"),
    ("event_type", "type d'événement"),
    ("events", "événements"),
    ("ever_overdue", "déjà en retard"),
    ("ever_overdue_invoices", "factures déjà en retard"),
    ("exposure", "encours net"),
    ("exposure_after", "encours net après"),
    ("figure", "chiffre"),
    ("file", "fichier"),
    ("files", "fichiers"),
    ("finding", "constat"),
    ("folder", "dossier"),
    ("forked_at", "bifurqué à la position"),
    ("forked_from", "bifurqué de"),
    ("frame", "trame"),
    ("frames", "trames"),
    ("invoice_id", "facture"),
    ("invoiced", "facturé"),
    ("invoices", "factures"),
    ("invoices_cancelled", "factures annulées"),
    ("invoices_draft", "factures en brouillon"),
    ("invoices_not_due", "factures non échues"),
    ("invoices_overdue", "factures en retard"),
    ("invoices_paid", "factures payées"),
    ("invoices_partially_paid", "factures payées en partie"),
    ("invoices_payment_planned", "factures planifiées"),
    ("issue_date", "émise le"),
    ("kept", "gardés"),
    ("keys", "clés"),
    ("kind", "nature"),
    ("last_step", "dernière étape"),
    ("last_step_date", "date de la dernière étape"),
    ("ledger_id", "grand livre"),
    ("level", "niveau"),
    ("lines", "lignes"),
    ("log", "journal"),
    ("log_id", "journal"),
    ("made_at", "fait le"),
    ("metadata", "métadonnées"),
    ("method", "mode"),
    ("milliseconds", "millisecondes"),
    ("name", "nom"),
    ("net", "net"),
    ("next", "à faire"),
    ("next_step", "prochaine étape"),
    ("next_step_date", "date de l'étape"),
    ("not_due", "non échu"),
    ("note", "note"),
    ("number", "numéro"),
    ("number_wanted", "numéro prévu"),
    ("offset", "octet"),
    ("open", "reste dû"),
    ("open_invoices", "factures ouvertes"),
    ("opening", "reprise"),
    ("outstanding", "encours"),
    ("over_limit", "au-delà du plafond"),
    ("overdue", "échu"),
    ("paid_before", "réglé avant"),
    ("payment_id", "paiement"),
    ("payments", "paiements"),
    ("plan", "plan"),
    ("planned_amount", "montant planifié"),
    ("planned_date", "date prévue"),
    ("planned_remaining", "reste planifié"),
    ("policy", "règle"),
    ("position", "position"),
    ("position_after", "position après"),
    ("position_before", "position avant"),
    ("problem", "problème"),
    ("purchase_order", "bon de commande"),
    ("received_on", "reçu le"),
    ("recorded_at", "enregistré le"),
    ("reference", "référence"),
    ("refunded", "remboursé"),
    ("refused", "refusés"),
    ("reminded_on", "relancé le"),
    ("reminder_level", "niveau de relance"),
    ("reminders", "relances"),
    ("replayed", "relu"),
    ("result", "résultat"),
    ("reversal", "motif du retour"),
    ("reversed", "repris"),
    ("rows", "lignes"),
    ("seconds", "secondes"),
    ("segments", "segments"),
    ("sent_on", "envoyée le"),
    ("settlement", "règlement"),
    ("shown", "affiché"),
    ("state", "état"),
    ("status", "statut"),
    ("stopped", "arrêt"),
    ("subject", "objet"),
    ("tail_hash", "hachage final"),
    ("template", "modèle"),
    ("text", "texte"),
    ("time_zone", "fuseau horaire"),
    ("timing", "terme"),
    ("today", "aujourd'hui"),
    ("total", "total"),
    ("unapplied", "reste à utiliser"),
    ("until", "jusqu'à l'octet"),
    ("verdict", "verdict"),
    ("version", "version"),
];

/// Words of the protocol: statuses, methods, kinds, names of events.
const WORDS: &[(&str, &str)] = &[
    // Of customers.
    ("AWAITING_PAYMENT", "en attente de règlement"),
    ("IN_CREDIT", "créditeur"),
    ("UP_TO_DATE", "à jour"),
    // Of invoices and of customers.
    ("OVERDUE", "en retard"),
    // Of invoices.
    ("CANCELLED", "annulée"),
    ("DRAFT", "brouillon"),
    ("DUE", "à échéance"),
    ("ISSUED", "émise"),
    ("NOT_DUE", "non échue"),
    ("PAID", "payée"),
    ("PARTIALLY_PAID", "payée en partie"),
    ("PAYMENT_PLANNED", "paiement prévu"),
    ("UNPAID", "non payée"),
    // What an invoice is, and how opening items and credit limits stand.
    ("ALLOW", "autoriser"),
    ("ALLOWED", "autorisé"),
    ("INVOICE", "facture"),
    ("OPENING_OWED", "reprise due"),
    ("OPENING_OWING", "reprise en faveur du client"),
    ("OWED", "due"),
    ("OWING", "en faveur du client"),
    ("REFUSE", "refuser"),
    ("REFUSED", "refusé"),
    ("WARN", "avertir"),
    ("WARNED", "averti"),
    // Reminders: where they stand, what they are, how they go out.
    ("DUE_DATE", "jour de l'échéance"),
    ("EMAIL", "courriel"),
    ("ENDED", "terminé"),
    ("EXHAUSTED", "étapes épuisées"),
    ("ISSUE_NOTICE", "avis d'émission"),
    ("LETTER", "lettre"),
    ("LEVEL", "relancée"),
    ("MIDPOINT", "à mi-terme"),
    ("NONE", "aucune"),
    ("NOT_PLANNED", "non prévu"),
    ("NOT_SENT", "facture non envoyée"),
    ("ON_HOLD", "suspendue"),
    ("PAUSED", "en pause"),
    ("PHONE", "téléphone"),
    ("RECORDED", "notée"),
    ("RUNNING", "en cours"),
    ("SENT", "envoyée"),
    ("SMS", "SMS"),
    ("STOPPED", "arrêtée"),
    ("TO_COME", "à venir"),
    // How money came, and why it went back.
    ("BOUNCED", "rejeté"),
    ("CARD", "carte"),
    ("CASH", "espèces"),
    ("CHARGEBACK", "contesté par le porteur"),
    ("CHEQUE", "chèque"),
    ("DIRECT_DEBIT", "prélèvement"),
    ("DUPLICATE", "doublon"),
    ("ENTRY_ERROR", "erreur de saisie"),
    ("OTHER", "autre"),
    ("TRANSFER", "virement"),
    // Events.
    ("allocation.made", "règlement affecté"),
    ("allocation.undone", "affectation annulée"),
    ("clock.advanced", "horloge avancée"),
    ("clock.created", "horloge créée"),
    ("credit_note.issued", "avoir émis"),
    ("customer.created", "client créé"),
    ("customer.credit_limit_set", "plafond fixé"),
    ("customer.reminded", "client relancé"),
    ("customer.updated", "client modifié"),
    ("day.finished", "jour terminé"),
    ("day.opened", "jour ouvert"),
    ("draft.created", "brouillon créé"),
    ("draft.deleted", "brouillon supprimé"),
    ("draft.updated", "brouillon modifié"),
    ("invoice.cancelled", "facture annulée"),
    ("invoice.credit_limit_exceeded", "plafond dépassé"),
    ("invoice.dispute_resolved", "litige résolu"),
    ("invoice.disputed", "facture contestée"),
    ("invoice.due", "facture à échéance"),
    ("invoice.issued", "facture émise"),
    ("invoice.overdue", "facture en retard"),
    ("invoice.paid", "facture soldée"),
    ("invoice.reopened", "facture rouverte"),
    ("invoice.sent", "facture envoyée"),
    ("ledger.created", "grand livre créé"),
    ("log.created", "journal créé"),
    ("log.forked", "journal bifurqué"),
    ("log.writer_opened", "journal ouvert"),
    ("opening_item.added", "reprise ajoutée"),
    ("opening_item.corrected", "reprise corrigée"),
    ("payment.recorded", "encaissement"),
    ("payment.refunded", "remboursement"),
    ("payment.reversed", "paiement repris"),
    ("payment_plan.cancelled", "paiement déprogrammé"),
    ("payment_plan.cleared", "paiement prévu reçu"),
    ("payment_plan.lapsed", "paiement prévu manqué"),
    ("payment_plan.made", "paiement prévu"),
    ("reminder.emitted", "relance émise"),
    ("reminder.recorded", "relance notée"),
    ("reminder.stopped", "relances arrêtées"),
    // Plans of reminders, their texts, calendars.
    ("issue-notice", "avis d'émission"),
    ("before-due", "rappel avant échéance"),
    ("overdue-1", "relance 1"),
    ("overdue-2", "relance 2"),
    ("overdue-3", "relance 3"),
    ("overdue-4", "relance 4"),
    ("france", "France"),
    ("weekdays", "jours ouvrés"),
    ("three-cases", "trois cas"),
    // What became of a draft.
    ("DONE", "fait"),
    ("DONE_BEFORE", "déjà fait"),
    ("WOULD_BE_DONE", "serait fait"),
    // Small ones.
    ("DAMAGED", "endommagé"),
    ("DIFFERENT", "différent"),
    ("EQUAL", "identique"),
    ("FAILED", "échec"),
    ("NO", "non"),
    ("NOT CHECKED", "non vérifié"),
    ("NOT COMPARED", "non comparé"),
    ("OK", "OK"),
    ("SYSTEM", "système"),
    ("TEST", "test"),
    ("TOTAL", "TOTAL"),
    ("WARNING", "attention"),
    ("YES", "oui"),
];

/// Words that stay in capitals in English.
const AS_THEY_ARE: [&str; 3] = ["NOT CHECKED", "OK", "TOTAL"];

/// Phrases; `{}` stands for a value.
const PHRASES: &[(&str, &str)] = &[
    ("no limit any more", "plus de plafond"),
    ("limit {}, overridden", "plafond {}, dépassement accepté"),
    ("{} by {}", "{} par {}"),
    ("without {}: the terminal is too narrow", "sans {}\u{a0}: le terminal est trop étroit"),
    ("{}", "{}"),
    ("{} {}", "{} {}"),
    ("{}, {}", "{}, {}"),
    ("{}: {}", "{}\u{a0}: {}"),
    ("{} in {}", "{} à {}"),
    ("due {}", "échéance {}"),
    ("for {}", "pour le {}"),
    ("level {} by {}", "niveau {}, {}"),
    ("limit {}", "plafond {}"),
    ("from payment {}", "du paiement {}"),
    ("from credit note {}", "de l'avoir {}"),
    ("from opening item {}", "de la reprise {}"),
    ("back to opening item {}", "retour à la reprise {}"),
    ("back to payment {}", "retour au paiement {}"),
    ("back to credit note {}", "retour à l'avoir {}"),
    ("appended", "ajouté"),
    ("done before; nothing was appended", "déjà fait\u{a0}; rien n'a été ajouté"),
    ("would be done; nothing was appended", "serait fait\u{a0}; rien n'a été ajouté"),
    ("nothing found", "aucun résultat"),
    ("nothing appended", "rien n'a été ajouté"),
    (
        "nothing new: the ledger holds all of this file",
        "rien de nouveau\u{a0}: le grand livre contient tout ce fichier",
    ),
    ("{} commands, {} days opened", "{} commandes, {} jours ouverts"),
    (
        "read up to position {}; go on with --from {}",
        "lu jusqu'à la position {}\u{a0}; pour continuer\u{a0}: --from {}",
    ),
    (
        "watched up to position {}; go on with --from {}",
        "suivi jusqu'à la position {}\u{a0}; pour continuer\u{a0}: --from {}",
    ),
    ("backing up", "sauvegarde"),
    ("copying", "copie"),
    ("importing", "importation"),
    ("rebuilding", "reconstruction"),
    ("replaying", "relecture"),
    ("restoring", "restauration"),
    ("verifying", "vérification"),
];

/// The other side of a pair.
fn find(pairs: &'static [(&str, &str)], english: &str) -> Option<&'static str> {
    pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(english)).map(|(_, french)| *french)
}

impl Language {
    /// The name of a column or single value for people: `d31_60` is a band of days.
    pub(crate) fn heading(self, name: &str) -> String {
        let french = if self == Self::Fr { find(HEADINGS, name) } else { None };
        french.map_or_else(|| english(name), str::to_owned)
    }

    /// A word of the protocol, as people read it: `NOT_DUE` is `not due`.
    pub(crate) fn word(self, word: &str) -> Cow<'_, str> {
        let as_it_is = word.contains(char::is_lowercase) || AS_THEY_ARE.contains(&word);
        match self {
            Self::Fr => find(WORDS, word).or_else(|| find(HEADINGS, word)).unwrap_or(word).into(),
            Self::En if as_it_is => word.into(),
            Self::En => word.to_lowercase().replace('_', " ").into(),
        }
    }

    /// A phrase with its values.
    pub(crate) fn phrase(self, english: &'static str, values: &[String]) -> String {
        let template = match self {
            Self::En => english,
            Self::Fr => find(PHRASES, english).unwrap_or(english),
        };
        let mut out = String::new();
        let mut values = values.iter();
        for (at, part) in template.split("{}").enumerate() {
            if at > 0 {
                out.push_str(values.next().map_or("", String::as_str));
            }
            out.push_str(part);
        }
        out
    }

    /// A decimal number in groups of three: `147703.18` is `147,703.18`, or `147 703,18`.
    pub(crate) fn number(self, plain: &str) -> String {
        let (group, point) = match self {
            Self::En => (',', '.'),
            // A narrow space at which no line breaks.
            Self::Fr => ('\u{202f}', ','),
        };
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        let digits = whole.trim_start_matches('-');
        let mut out = String::from(if digits.len() < whole.len() { "-" } else { "" });
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                out.push(group);
            }
            out.push(digit);
        }
        if !fraction.is_empty() {
            out.push(point);
            out.push_str(fraction);
        }
        out
    }

    /// A day.
    pub(crate) fn day(self, date: v1::Date) -> String {
        let v1::Date { year, month, day } = date;
        match self {
            Self::En => format!("{year:04}-{month:02}-{day:02}"),
            Self::Fr => format!("{day:02}/{month:02}/{year:04}"),
        }
    }
}

fn english(name: &str) -> String {
    let band = name.strip_prefix('d').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    match band.and_then(|band| band.split_once('_')) {
        Some((from, "plus")) => format!("{from}+ days"),
        Some((from, to)) => format!("{from}-{to} days"),
        None => name.replace('_', " "),
    }
}

#[cfg(test)]
mod tests;
