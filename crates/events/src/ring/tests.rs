use std::thread;

use super::{Overloaded, RingFigures, WhenFull, ring};
use crate::call::Event;
use crate::wire::tests::long_call;

#[test]
fn a_served_call_without_a_place_is_counted_as_lost() {
    let (recorder, drain) = ring(2, WhenFull::Serve);
    for seed in 0..5 {
        recorder.reserve().unwrap().record(long_call(seed));
    }
    assert_eq!(
        recorder.figures(),
        RingFigures {
            pending: 2,
            reserved: 0,
            lost: 3,
            refused: 0
        }
    );
    assert_eq!(drain.pop(), Some(Event::Call(long_call(0))));
}

#[test]
fn a_call_is_refused_when_places_are_taken_or_promised() {
    let (recorder, drain) = ring(2, WhenFull::Refuse);
    recorder.reserve().unwrap().record(long_call(1));
    let promised = recorder.reserve().unwrap();
    assert_eq!(recorder.reserve().err(), Some(Overloaded));
    promised.record(long_call(2));
    assert_eq!(recorder.reserve().err(), Some(Overloaded));
    drain.pop();
    assert!(recorder.reserve().is_ok());
    assert_eq!(
        recorder.figures(),
        RingFigures {
            pending: 1,
            reserved: 0,
            lost: 0,
            refused: 2
        }
    );
}

#[test]
fn a_dropped_reservation_gives_its_place_back() {
    let (recorder, _drain) = ring(1, WhenFull::Refuse);
    drop(recorder.reserve().unwrap());
    assert!(recorder.reserve().is_ok());
}

/// Also from several threads, which gateways do not do, no promise is broken.
#[test]
fn what_was_promised_always_finds_its_place() {
    let (recorder, drain) = ring(8, WhenFull::Refuse);
    let (mut taken, mut recorded) = (0_u64, 0);
    thread::scope(|scope| {
        let writers = [(); 3].map(|()| {
            let recorder = recorder.clone();
            scope.spawn(move || {
                let mut recorded = 0_u64;
                for seed in 0..20_000 {
                    if let Ok(reservation) = recorder.reserve() {
                        reservation.record(long_call(seed));
                        recorded += 1;
                    }
                }
                recorded
            })
        });
        while writers.iter().any(|writer| !writer.is_finished()) {
            taken += drain.pop().map_or(0, |_| 1);
        }
        recorded = writers.map(|writer| writer.join().unwrap()).iter().sum();
    });
    while drain.pop().is_some() {
        taken += 1;
    }
    assert_eq!((taken, recorder.figures().lost), (recorded, 0));
}
