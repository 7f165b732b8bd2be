//! How full the file system of the data folder is: for the metrics, and told in the log as it fills.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use encours_log::{Disk, Space};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

/// How full it is, in percent, when a warning is told.
const LEVELS: [u8; 3] = [70, 85, 95];
/// How far it must fall below a level until that is over. WHY: a segment more or less is no news.
const SLACK: u8 = 2;
/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Looks at the file system of a data folder.
#[derive(Clone)]
pub(crate) struct DiskSpace {
    disk: Arc<dyn Disk>,
    data: PathBuf,
}

impl DiskSpace {
    pub(crate) fn new(disk: Arc<dyn Disk>, data: PathBuf) -> Self {
        Self { disk, data }
    }

    /// How full it is now; `None` where the system does not tell.
    pub(crate) fn now(&self) -> Option<Space> {
        self.disk.space(&self.data).ok()
    }

    /// Tells of each level that is reached, for as long as the runtime lives.
    pub(crate) fn watch(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut told = Told::default();
            loop {
                ticks.tick().await;
                if let Some(space) = this.now() {
                    this.tell(&mut told, space);
                }
            }
        });
    }

    fn tell(&self, told: &mut Told, space: Space) {
        let (data, percent, free) = (self.data.display(), space.percent(), space.free);
        match told.look(percent) {
            Some(Change::Rose(level)) => {
                warn!(%data, percent, free, level, "disk_filling: the data folder's disk is filling");
            }
            Some(Change::Fell) => {
                info!(%data, percent, free, "the data folder's disk has room again");
            }
            None => {}
        }
    }
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// This level was reached.
    Rose(u8),
    /// The level told last is over.
    Fell,
}

/// The level that was told last; 0: none.
#[derive(Debug, Default)]
struct Told(u8);

impl Told {
    fn look(&mut self, percent: u8) -> Option<Change> {
        let reached = LEVELS.into_iter().rfind(|level| *level <= percent).unwrap_or_default();
        if reached > self.0 {
            self.0 = reached;
            return Some(Change::Rose(reached));
        }
        if percent.saturating_add(SLACK) < self.0 {
            self.0 = reached;
            return Some(Change::Fell);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_told_once_on_the_way_up() {
        let mut told = Told::default();
        let said: Vec<_> = [10, 69, 70, 84, 71, 85, 94, 95, 100, 99]
            .into_iter()
            .filter_map(|percent| told.look(percent))
            .collect();
        assert_eq!(said, [Change::Rose(70), Change::Rose(85), Change::Rose(95)]);
    }

    #[test]
    fn a_level_is_over_once_it_is_well_below() {
        let mut told = Told::default();
        assert_eq!(told.look(97), Some(Change::Rose(95)), "levels between are passed over");
        assert_eq!((told.look(94), told.look(93)), (None, None), "about the same");
        assert_eq!(told.look(92), Some(Change::Fell));
        assert_eq!(told.look(95), Some(Change::Rose(95)), "and may be reached again");
        assert_eq!(told.look(3), Some(Change::Fell));
        assert_eq!(told.look(3), None);
    }
}
