//! Whatever happens to invoices, in any order: what holds of their reminders all the same.

use chrono::{Days, NaiveDate};
use encours_domain::Day;
use encours_domain::calendar::Calendar;
use encours_domain::commands::*;
use encours_domain::dunning::Step;
use encours_domain::event::ReminderEmitted;
use proptest::prelude::*;

use crate::almanac::ymd;
use crate::scenario::{id, payment, reverse};
use crate::world::World;

const INVOICES: u8 = 3;

/// What is tried; what is refused changes nothing.
#[derive(Clone, Debug)]
enum Act {
    Days(u64),
    Outage(u64),
    /// The invoice, and by how many days the sending lies before today.
    Sent(u8, i64),
    Dispute(u8),
    Resolve(u8, i64),
    Pay(u8, i64),
    Bounce(usize),
    Stop(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let which = || 0..INVOICES;
    prop_oneof![
        6 => (1_u64..9).prop_map(Act::Days),
        2 => (1_u64..20).prop_map(Act::Outage),
        3 => (which(), -3_i64..12).prop_map(|(no, before)| Act::Sent(no, before)),
        2 => which().prop_map(Act::Dispute),
        2 => (which(), -2_i64..1).prop_map(|(no, before)| Act::Resolve(no, before)),
        2 => (which(), 1_i64..3).prop_map(|(no, halves)| Act::Pay(no, halves * 5_000)),
        2 => (0_usize..4).prop_map(Act::Bounce),
        1 => which().prop_map(Act::Stop),
    ]
}

fn invoice(no: u8) -> String {
    format!("i{no}")
}

fn before(today: NaiveDate, days: i64) -> Option<Day> {
    Day::from_date(today)?.plus(i32::try_from(-days).unwrap())
}

fn play(world: &mut World, nth: usize, act: &Act) {
    let today = world.today().date();
    let (ledger_id, reason) = (id("acme"), String::new());
    let tried = match act {
        Act::Days(days) => Ok(world.run_to(today + Days::new(*days))),
        Act::Outage(days) => Ok(world.outage_to(today + Days::new(*days))),
        Act::Sent(no, days) => {
            let (invoice_id, date) = (id(&invoice(*no)), before(today, *days));
            world.try_do(MarkSent { ledger_id, invoice_id, date })
        }
        Act::Dispute(no) => {
            let invoice_id = id(&invoice(*no));
            world.try_do(DisputeInvoice { ledger_id, invoice_id, date: None, reason })
        }
        Act::Resolve(no, days) => {
            let (invoice_id, date) = (id(&invoice(*no)), before(today, *days));
            world.try_do(ResolveDispute { ledger_id, invoice_id, date })
        }
        Act::Pay(no, amount) => {
            let put = Put::Invoice(id(&invoice(*no)));
            world.try_do(payment(&format!("p{nth}"), *amount, put))
        }
        Act::Bounce(back) => world.try_do(reverse(&format!("p{}", nth.saturating_sub(*back)))),
        Act::Stop(no) => {
            let invoice_id = id(&invoice(*no));
            world.try_do(StopReminders { ledger_id, invoice_id, reason })
        }
    };
    drop(tried);
}

/// The least number of business days from a step to the one after it.
fn interval(step: Step) -> u8 {
    if matches!(step, Step::Overdue(_)) { 5 } else { 0 }
}

fn check(emitted: &[ReminderEmitted]) -> Result<(), TestCaseError> {
    for e in emitted {
        prop_assert!(e.planned <= e.date && e.open > 0, "{e:?}");
    }
    for pair in emitted.windows(2) {
        let [first, second] = pair else { unreachable!() };
        prop_assert!(first.step < second.step, "each step once, in order: {pair:?}");
        prop_assert!(first.date < second.date, "one a day: {pair:?}");
        let least = Calendar::France.plus_business_days(first.date, interval(first.step));
        prop_assert!(least <= Some(second.date), "no burst: {pair:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn steps_go_out_once_in_order_and_apart(
        acts in prop::collection::vec(act(), 1..60),
        nets in prop::collection::vec((0_u16..25, 0_u8..10), usize::from(INVOICES)),
        limit in prop_oneof![Just(1_u32), Just(3), Just(1_000)],
        weeks in 0_u64..52,
    ) {
        let mut world = World::new(ymd(2026, 12, 15) + Days::new(7 * weeks), limit);
        for (no, (net_days, grace_days)) in (0..).zip(&nets) {
            world.issue(&invoice(no), *net_days, *grace_days);
        }
        for (nth, act) in acts.iter().enumerate() {
            play(&mut world, nth, act);
        }
        for emitted in world.sent.values() {
            check(emitted)?;
        }
        world.check_replay();
        // What can still go out does, once days are opened on time again.
        let today = world.today().date();
        world.run_to(today + Days::new(150));
        for no in 0..INVOICES {
            let row = world.invoice(&invoice(no));
            prop_assert!(row.next_reminder.is_none(), "{row:?}");
        }
        for emitted in world.sent.values() {
            check(emitted)?;
        }
    }
}
