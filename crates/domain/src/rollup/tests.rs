use std::collections::HashSet;

use uuid::Uuid;

use super::{Resolution, Series};
use crate::id::{ApiId, ApplicationId, OperationId, OrganizationId, PlanId, RouteId, VersionId};
use crate::{Code, Timestamp};

#[test]
fn each_part_of_a_series_is_in_its_id() {
    let one = Uuid::from_u128(1);
    let plain = Series {
        provider: OrganizationId::new(one),
        api: ApiId::new(one),
        version: VersionId::new(one),
        operation: None,
        consumer: None,
        application: None,
        plan: None,
        variant: None,
        status: 200,
        code: None,
    };
    let other = Uuid::from_u128(2);
    let variant = |name: &str| Some((RouteId::new(one), name.parse().unwrap()));
    let all = [
        plain,
        Series {
            provider: OrganizationId::new(other),
            ..plain
        },
        Series {
            api: ApiId::new(other),
            ..plain
        },
        Series {
            version: VersionId::new(other),
            ..plain
        },
        Series {
            operation: Some(OperationId::new(one)),
            ..plain
        },
        Series {
            operation: Some(OperationId::new(Uuid::nil())),
            ..plain
        },
        Series {
            consumer: Some(OrganizationId::new(one)),
            ..plain
        },
        Series {
            application: Some(ApplicationId::new(one)),
            ..plain
        },
        Series {
            plan: Some(PlanId::new(one)),
            ..plain
        },
        Series {
            variant: variant("blue"),
            ..plain
        },
        Series {
            variant: variant("green"),
            ..plain
        },
        Series { status: 201, ..plain },
        Series {
            code: Some(Code::Internal),
            ..plain
        },
    ];
    let ids: HashSet<_> = all.iter().map(Series::id).collect();
    assert_eq!(ids.len(), all.len());
    assert!(ids.iter().all(|id| id.get_version_num() == 8));
    // It stands in databases, so it may never be another one.
    assert_eq!(plain.id().to_string(), "a31c5b49-7b73-814f-a71b-d74e7992f8fc");
}

#[test]
fn spans_begin_where_the_clock_says() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let moment = at("2026-11-20T12:34:56.789Z");
    assert_eq!(Resolution::Minute.begin(moment), at("2026-11-20T12:34:00Z"));
    assert_eq!(Resolution::Hour.begin(moment), at("2026-11-20T12:00:00Z"));
    assert_eq!(
        Resolution::Minute.begin(Timestamp::from_micros(-1)),
        at("1969-12-31T23:59:00Z")
    );
}
