use super::{Speed, cost_ns};
use crate::ask::SECOND_NS;
use crate::cells::Cells;
use crate::gcra::Gcra;
use crate::testing::ask;

#[test]
fn bytes_take_their_time() {
    for (bytes, per_second, expected) in [
        (1024, 1024, SECOND_NS),
        (1, 1 << 30, 0),
        (3_000_000, 300_000_000, SECOND_NS / 100),
        (u64::MAX, 1024, u64::MAX / 4),
    ] {
        assert_eq!(cost_ns(bytes, per_second), expected, "{bytes} at {per_second}");
    }
}

#[test]
fn the_average_holds_however_late_a_wait_ends() {
    let cells = Cells::<Gcra>::one();
    let speed = Speed::new(10_000, Some(1_000));
    let cell = cells.find(1, ask(0).moment);
    let (mut now, mut sent) = (0, 0_u64);
    while now < 60 * SECOND_NS {
        let wait = cell.take(cost_ns(1_000, speed.bytes_per_second), speed.ahead_ns, now);
        sent += 1_000;
        // Waits end 80 ms late.
        now += if wait > 0 { wait + SECOND_NS / 12 } else { 0 };
    }
    let most = 10_000 * 60 + 2 * 1_000;
    assert!(sent <= most, "{sent}");
    assert!(sent > 300_000, "{sent}");
}
