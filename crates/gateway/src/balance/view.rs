//! Which targets may be taken at the moment, and with which weights.
//!
//! Made anew only when something has changed: a target's health, the end of an ejection, a step of a slow start.

use super::Rules;

/// The least weight in a slow start, in thousandths of the target's own.
const START_MIN: u64 = 100;
/// How finely a slow start is stepped.
const START_STEPS: u64 = 20;
/// How much of a level may be missing before calls go on to the next one: with 1.4, a third. As in Envoy.
const OVERPROVISION_PERCENT: u64 = 140;

/// What decides whether a target is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) weight: u32,
    /// Those of lower numbers come first.
    pub(crate) level: u16,
    /// Whether it is in the node's own zone.
    pub(crate) is_near: bool,
    pub(crate) is_healthy: bool,
    /// When it joined or recovered.
    pub(crate) since_ms: u64,
}

/// The targets that may be taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Those of lower numbers first.
    pub(crate) levels: Vec<Level>,
    /// When it has to be made anew even if nothing happens.
    pub(crate) until_ms: u64,
}

/// Targets of one priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Calls whose random number below 1000 is below this one begin here.
    pub(crate) below: u64,
    /// Places of the targets.
    pub(crate) places: Vec<usize>,
    /// Their weights, each with those before it: the last is the sum.
    pub(crate) sums: Vec<u64>,
}

impl Level {
    pub(crate) fn weight(&self, index: usize) -> u64 {
        self.sums[index] - index.checked_sub(1).map_or(0, |before| self.sums[before])
    }

    pub(crate) fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// The member at a place between 0 and the total.
    pub(crate) fn at(&self, weight: u64) -> usize {
        self.sums
            .partition_point(|sum| *sum <= weight)
            .min(self.places.len().saturating_sub(1))
    }
}

/// What is healthy of a level, in percent of its weight; with what may be missing, up to 100.
struct Strength {
    level: u16,
    healthy: u64,
    total: u64,
}

impl Strength {
    fn percent(&self) -> u64 {
        (self.healthy * OVERPROVISION_PERCENT / self.total.max(1)).min(100)
    }
}

impl View {
    /// Looks at all targets; `until_ms` is where the caller knows of a change to come.
    pub(crate) fn new(standings: &[Standing], rules: &Rules, now_ms: u64, until_ms: u64) -> Self {
        let mut until_ms = until_ms;
        let strengths = strengths(standings);
        let (healthy, total) = strengths
            .iter()
            .fold((0, 0), |sum, one| (sum.0 + one.healthy, sum.1 + one.total));
        let sum: u64 = strengths.iter().map(Strength::percent).sum();
        let is_panic = sum < 100 && healthy * 100 < u64::from(rules.panic_percent) * total;
        let mut below = 0;
        let mut levels = Vec::new();
        let mut left = 100;
        for strength in &strengths {
            let share = if is_panic {
                strength.total * 1000 / total.max(1)
            } else if sum < 100 {
                strength.percent() * 1000 / sum.max(1)
            } else {
                let share = strength.percent().min(left);
                left -= share;
                share * 10
            };
            let of_level = standings
                .iter()
                .enumerate()
                .filter(|(_, standing)| standing.level == strength.level);
            let usable = |standing: &Standing| is_panic || standing.is_healthy;
            let (mut near, mut near_usable) = (0, 0);
            for (_, standing) in of_level.clone().filter(|(_, standing)| standing.is_near) {
                near += u64::from(standing.weight);
                near_usable += u64::from(standing.weight) * u64::from(usable(standing));
            }
            let is_near_only =
                near_usable > 0 && near_usable * 100 >= u64::from(rules.zone_healthy_min_percent) * near;
            let mut level = Level {
                below: 0,
                places: Vec::new(),
                sums: Vec::new(),
            };
            for (place, standing) in of_level.filter(|(_, standing)| usable(standing)) {
                if is_near_only && !standing.is_near {
                    continue;
                }
                let weight = ramp(standing, rules, now_ms, &mut until_ms);
                level.sums.push(level.total() + weight);
                level.places.push(place);
            }
            if !level.places.is_empty() {
                below += share;
                level.below = below;
                levels.push(level);
            }
        }
        // What is lost in rounding goes to the last level that gets anything.
        if let Some(last) = levels.iter_mut().rev().find(|level| level.below == below) {
            last.below = 1000;
        }
        Self { levels, until_ms }
    }
}

fn strengths(standings: &[Standing]) -> Vec<Strength> {
    let mut strengths: Vec<Strength> = Vec::new();
    for standing in standings {
        let place = strengths.partition_point(|known| known.level < standing.level);
        if strengths
            .get(place)
            .is_none_or(|known| known.level != standing.level)
        {
            let none = Strength {
                level: standing.level,
                healthy: 0,
                total: 0,
            };
            strengths.insert(place, none);
        }
        strengths[place].total += u64::from(standing.weight);
        strengths[place].healthy += u64::from(standing.weight) * u64::from(standing.is_healthy);
    }
    strengths
}

/// A target's weight in thousandths, in a slow start only a part of it.
fn ramp(standing: &Standing, rules: &Rules, now_ms: u64, until_ms: &mut u64) -> u64 {
    let whole = u64::from(standing.weight) * 1000;
    let window = u64::from(rules.slow_start_ms);
    let passed = now_ms.saturating_sub(standing.since_ms);
    if standing.since_ms == 0 || passed >= window {
        return whole;
    }
    *until_ms = (*until_ms).min(now_ms + (window / START_STEPS).max(1));
    u64::from(standing.weight) * (1000 * passed / window).max(START_MIN)
}

#[cfg(test)]
mod tests;
