use std::net::IpAddr;
use std::sync::atomic::Ordering;

use super::{CELLS, Cells, WAYS, network};

#[test]
fn callers_have_cells_of_their_own() {
    let cells = Cells::new(CELLS);
    let first = cells.find(1_u128, 5);
    first.store(100, Ordering::Relaxed);
    assert_eq!(cells.find(1_u128, 6).load(Ordering::Relaxed), 100);
    assert_eq!(
        cells.find(2_u128, 7).load(Ordering::Relaxed),
        7,
        "a new caller begins with a whole rate"
    );
}

#[test]
fn memory_is_bounded_and_whole_rates_are_forgotten_first() {
    let cells = Cells::new(WAYS);
    for caller in 0..WAYS as u128 {
        cells
            .find(caller, 0)
            .store(if caller == 3 { 10 } else { 1_000 }, Ordering::Relaxed);
    }
    cells.find(99_u128, 20).store(2_000, Ordering::Relaxed);
    let kept = (0..WAYS as u128).filter(|caller| *caller != 3);
    assert!(
        kept.into_iter()
            .all(|caller| cells.find(caller, 20).load(Ordering::Relaxed) == 1_000)
    );
}

#[test]
fn an_ipv6_network_is_one_caller() {
    let network = |text: &str| network(text.parse::<IpAddr>().unwrap());
    assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
    assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
}
