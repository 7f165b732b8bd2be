//! The made-up company of the demo: whom it sells to, and how they pay.

/// Its ledger.
pub(super) const LEDGER: &str = "atelier-morvan";
/// Its name.
pub(super) const NAME: &str = "Atelier Morvan SARL";

/// How a customer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// A few days early.
    Punctual,
    /// Early, and one cheque for all invoices of a month.
    OneCheque,
    /// Some days late.
    Late,
    /// Weeks late.
    VeryLate,
    /// Part of it on time, the rest much later.
    InParts,
    /// More than is owed, rounded up.
    RoundsUp,
    /// On time until it stops paying.
    Fails,
}

/// A customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Customer {
    pub(super) name: &'static str,
    pub(super) city: &'static str,
    pub(super) habit: Habit,
    /// What an invoice of it is about, in whole euros without tax.
    pub(super) usual_euros: u64,
    /// Days from issue to due date.
    pub(super) net_days: i32,
}

impl Customer {
    /// Its id: the name in lower case, without accents and blanks.
    pub(super) fn id(&self) -> String {
        let mut id = String::new();
        for c in self.name.to_lowercase().chars() {
            match c {
                'à' | 'â' => id.push('a'),
                'ç' => id.push('c'),
                'é' | 'è' | 'ê' | 'ë' => id.push('e'),
                'î' | 'ï' => id.push('i'),
                'ô' => id.push('o'),
                'ù' | 'û' | 'ü' => id.push('u'),
                'œ' => id.push_str("oe"),
                c if c.is_ascii_alphanumeric() => id.push(c),
                _ if id.ends_with('-') => {}
                _ => id.push('-'),
            }
        }
        id.trim_end_matches('-').to_owned()
    }
}

/// Every customer.
pub(super) fn customers() -> Vec<Customer> {
    use Habit::{Fails, InParts, Late, OneCheque, Punctual, RoundsUp, VeryLate};
    const HABITS: [Habit; 20] = [
        Punctual, Punctual, Late, OneCheque, Punctual, Late, VeryLate, Punctual, InParts, Late,
        Punctual, RoundsUp, Late, Punctual, OneCheque, Punctual, VeryLate, Late, InParts, Punctual,
    ];
    const EUROS: [u64; 9] = [480, 1_250, 760, 3_400, 320, 2_150, 890, 5_600, 1_640];
    const DAYS: [i32; 5] = [30, 30, 45, 30, 60];
    let customer = |(at, (name, city)): (usize, &(&'static str, &'static str))| Customer {
        name,
        city,
        habit: if at == 22 || at == 47 { Fails } else { HABITS[at % HABITS.len()] },
        usual_euros: EUROS[at % EUROS.len()],
        net_days: DAYS[at % DAYS.len()],
    };
    NAMES.iter().enumerate().map(customer).collect()
}

const NAMES: [(&str, &str); 60] = [
    ("Boulangerie Lefèvre", "21000 Dijon"),
    ("Garage Mercier", "58000 Nevers"),
    ("Cabinet Dubois & Fils", "69002 Lyon"),
    ("Hôtel des Remparts", "21200 Beaune"),
    ("Menuiserie Garnier", "71400 Autun"),
    ("Pharmacie Rousseau", "89000 Auxerre"),
    ("Domaine de la Côte", "21700 Nuits-Saint-Georges"),
    ("Imprimerie Faure", "42000 Saint-Étienne"),
    ("Transports Girard", "71100 Chalon-sur-Saône"),
    ("Clinique Saint-Roch", "63000 Clermont-Ferrand"),
    ("Fleurs d'Aurore", "21000 Dijon"),
    ("Charpentes Bonnet", "58120 Château-Chinon"),
    ("Librairie du Marché", "75011 Paris"),
    ("Électricité Morel", "89200 Avallon"),
    ("Maison Chevalier", "75003 Paris"),
    ("Scierie Marchand", "58230 Montsauche"),
    ("Brasserie Le Central", "71000 Mâcon"),
    ("Plomberie Blanchard", "21000 Dijon"),
    ("École Jeanne d'Arc", "89100 Sens"),
    ("Coopérative du Val", "58800 Corbigny"),
    ("Agence Lumière", "69001 Lyon"),
    ("Fromagerie Perrin", "25300 Pontarlier"),
    ("Résidence Les Tilleuls", "21800 Quetigny"),
    ("Maçonnerie Robin", "71200 Le Creusot"),
    ("Studio Clément", "75018 Paris"),
    ("Optique Barbier", "58000 Nevers"),
    ("Traiteur Renaud", "21000 Dijon"),
    ("Auto-école Fontaine", "71600 Paray-le-Monial"),
    ("Verrerie Colin", "39000 Lons-le-Saunier"),
    ("Cave Arnaud", "21190 Meursault"),
    ("Théâtre des Arts", "89000 Auxerre"),
    ("Pâtisserie Noël", "69006 Lyon"),
    ("Paysages Guérin", "58200 Cosne"),
    ("Toitures Lemoine", "21400 Châtillon"),
    ("Laboratoire Vidal", "63100 Clermont-Ferrand"),
    ("Bijouterie Carpentier", "75009 Paris"),
    ("Chauffage Lacroix", "71300 Montceau"),
    ("Camping du Lac", "58140 Lormes"),
    ("Meubles Picard", "25000 Besançon"),
    ("Notaires Roy & Gauthier", "21000 Dijon"),
    ("Sports Olivier", "38000 Grenoble"),
    ("Peinture Dumas", "71500 Louhans"),
    ("Restaurant La Treille", "21220 Gevrey"),
    ("Informatique Leroux", "69003 Lyon"),
    ("Ferme des Ocres", "89520 Saint-Sauveur"),
    ("Taxi Moreau", "58000 Nevers"),
    ("Atelier Céramique", "71250 Cluny"),
    ("Discothèque L'Étoile", "71000 Mâcon"),
    ("Vétérinaires du Parc", "21300 Chenôve"),
    ("Quincaillerie Adam", "89400 Migennes"),
    ("Crèche Les Lutins", "21000 Dijon"),
    ("Serrurerie Benoît", "69007 Lyon"),
    ("Apiculture Maillard", "58170 Luzy"),
    ("Galerie Sévigné", "75004 Paris"),
    ("Tôlerie Rey", "42300 Roanne"),
    ("Marbrerie Jacquet", "39100 Dole"),
    ("Salon Élégance", "21000 Dijon"),
    ("Cycles Besson", "71700 Tournus"),
    ("Torréfaction Huet", "89000 Auxerre"),
    ("Musée du Textile", "42000 Saint-Étienne"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use encours_domain::Id;

    use super::*;

    #[test]
    fn ids_are_valid_and_unique() {
        let ids: BTreeSet<String> = customers().iter().map(Customer::id).collect();
        assert_eq!(ids.len(), 60);
        for id in &ids {
            assert!(Id::parse("customer_id", id).is_ok(), "{id}");
        }
        assert!(ids.contains("notaires-roy-gauthier"), "{ids:?}");
    }
}
