use domain::id::{ApiId, OrganizationId, RequestId, VersionId};
use domain::{Code, Timestamp};
use uuid::Uuid;

use super::{Fold, HourlyUsage, UsageSums};
use crate::call::{Call, Callee, Event, Method};
use crate::wire::Batch;

pub(crate) fn call(status: u16, refusal: Option<Code>, started_us: i64) -> Event {
    Event::Call(Call {
        callee: Some(Callee {
            organization: OrganizationId::new(Uuid::nil()),
            api: ApiId::new(Uuid::nil()),
            version: VersionId::new(Uuid::nil()),
            operation: None,
        }),
        method: Method::Get,
        status,
        refusal,
        bytes_in: 1,
        bytes_out: 10,
        latency_us: 100,
        counted: refusal.is_none(),
        ..Call::begun(RequestId::new(Uuid::nil()), Timestamp::from_micros(started_us))
    })
}

/// Counts the calls of batches.
pub(crate) fn fold(batches: &[Batch]) -> Vec<HourlyUsage> {
    let mut fold = Fold::default();
    for batch in batches {
        for Event::Call(call) in batch.events().unwrap() {
            fold.add(&call);
        }
    }
    fold.finish()
}

#[test]
fn each_call_is_in_one_column_of_its_hour() {
    let hour = domain::time::HOUR_MICROS;
    let first = [
        call(200, None, 0),
        call(404, None, 1),
        call(500, None, 2),
        call(401, Some(Code::KeyMissing), 3),
        call(502, Some(Code::UpstreamUnreachable), hour - 1),
    ];
    let second = [call(200, None, hour), call(200, None, hour - 1)];
    let rows = fold(&[Batch::of(1, &first), Batch::lost(2), Batch::of(3, &second)]);
    let of_first_hour = UsageSums {
        calls: 6,
        counted: 4,
        refused: 1,
        client_errors: 1,
        server_errors: 2,
        bytes_in: 6,
        bytes_out: 60,
        latency_us: 600,
    };
    assert_eq!(rows.iter().map(|row| row.sums.calls).collect::<Vec<_>>(), [6, 1]);
    assert_eq!(rows[0].sums, of_first_hour);
    assert_eq!(rows[1].key.hour.as_micros(), hour);
}

#[test]
fn calls_of_no_api_are_not_usage() {
    let Event::Call(mut unrouted) = call(404, Some(Code::RouteNotFound), 0);
    unrouted.callee = None;
    assert_eq!(fold(&[Batch::of(1, &[Event::Call(unrouted)])]), []);
}
