use std::collections::HashSet;

use super::{Cells, PART, Slot, WAYS, hash};
use crate::ask::{Ask, Standing};
use crate::call::Moment;
use crate::gcra::{Gcra, Rate};

fn moment(steady_ns: u64) -> Moment {
    Moment {
        calendar: domain::Timestamp::from_micros(0),
        steady_ns,
    }
}

/// Puts a cell as far ahead as so many nanoseconds.
fn ahead(slot: &Gcra, now: u64, nanos: u64) {
    slot.take(nanos, 0, now);
}

#[test]
fn callers_have_cells_of_their_own() {
    let cells = Cells::<Gcra>::many();
    let [first, second] = [1_u128, 2].map(|caller| hash(0, caller.to_le_bytes()));
    assert!(cells.known(first).is_none());
    ahead(cells.find(first, moment(5)), 5, 95);
    assert_eq!(cells.find(first, moment(6)).rank(), 100);
    assert_eq!(
        cells.find(second, moment(7)).rank(),
        7,
        "a new caller begins with a whole limit"
    );
    assert_eq!(cells.known(first).map(Slot::rank), Some(100));
    assert_eq!(cells.each().count(), 2);
}

#[test]
fn memory_is_bounded_and_whole_limits_are_forgotten_first() {
    let cells = Cells::<Gcra>::one();
    for caller in 1..=WAYS as u64 {
        let far = if caller == 3 { 10 } else { 1_000 };
        ahead(cells.find(caller, moment(0)), 0, far);
    }
    ahead(cells.find(99, moment(20)), 20, 1_980);
    let kept = (1..=WAYS as u64).filter(|caller| *caller != 3);
    assert!(
        kept.into_iter()
            .all(|caller| cells.find(caller, moment(20)).rank() == 1_000)
    );
    assert_eq!(cells.each().count(), WAYS);
}

#[test]
fn only_what_is_used_takes_memory() {
    let cells = Cells::<Gcra>::many();
    let made = || cells.parts.iter().filter(|part| part.get().is_some()).count();
    assert_eq!(made(), 0);
    cells.find(hash(0, *b"one"), moment(0));
    assert_eq!(
        (made(), cells.parts[0].get().map_or(PART, |part| part.len())),
        (1, PART)
    );
}

#[test]
fn many_callers_are_told_apart() {
    let cells = Cells::<Gcra>::many();
    let rate = Rate::new(domain::limit::RateLimit::new(1, 3600, None));
    let ask = Ask {
        moment: moment(1),
        units: 1,
        standing: Standing::Alone,
        is_held: false,
    };
    let hashes: HashSet<u64> = (0..4_000_u32)
        .map(|caller| hash(1, caller.to_le_bytes()))
        .collect();
    assert_eq!(hashes.len(), 4_000);
    let passed = hashes.iter().filter(|caller| {
        let decision = cells
            .find(**caller, moment(1))
            .admit(&rate, &ask, Default::default());
        matches!(decision, crate::ask::Decision::Pass { .. })
    });
    assert_eq!(passed.count(), 4_000);
    let known = hashes
        .iter()
        .filter(|caller| cells.known(**caller).is_some())
        .count();
    assert!(
        known > 3_900,
        "{known} of 4000 are remembered in a table of 16384"
    );
}

#[test]
fn the_hash_is_the_same_everywhere() {
    assert_eq!(hash(0, []), hash(0, []));
    let all = [
        hash(0, []),
        hash(1, []),
        hash(0, *b"a"),
        hash(0, *b"a\0"),
        hash(0, *b"abcdefgh"),
        hash(0, *b"abcdefghi"),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(all.iter().all(|hash| hash & 1 == 1));
    // Nodes of other versions count together with us.
    assert_eq!(hash(1, *b"gateline"), GATELINE);
}

const GATELINE: u64 = 3_421_986_217_210_184_691;
