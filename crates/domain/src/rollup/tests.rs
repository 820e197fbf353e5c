use std::collections::HashSet;

use uuid::Uuid;

use super::{Grain, Grains, Resolution, Series};
use crate::analytics::Dimension;
use crate::id::{ApiId, ApplicationId, OperationId, OrganizationId, PlanId, RouteId, TargetId, VersionId};
use crate::{Code, Timestamp};

const ONE: Uuid = Uuid::from_u128(1);

fn plain() -> Series {
    Series {
        grain: Grain::Calls,
        provider: OrganizationId::new(ONE),
        api: ApiId::new(ONE),
        version: VersionId::new(ONE),
        operation: None,
        consumer: None,
        application: None,
        plan: None,
        target: None,
        variant: None,
        status: 200,
        code: None,
    }
}

#[test]
fn each_part_of_a_series_is_in_its_id() {
    let (plain, one) = (plain(), ONE);
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
    let others = [Grain::Apis, Grain::Targets, Grain::Operations];
    let others = others.map(|grain| plain.at(grain));
    let application = plain.at(Grain::Applications);
    let target = Series {
        target: Some(TargetId::new(one)),
        ..others[1]
    };
    let ids: HashSet<_> = all
        .iter()
        .chain(&others)
        .chain([&application, &target])
        .map(Series::id)
        .collect();
    assert_eq!(ids.len(), all.len() + others.len() + 2);
    assert!(ids.iter().all(|id| id.get_version_num() == 8));
    // It stands in databases, so it may never be another one.
    assert_eq!(plain.id().to_string(), "86ea819f-e99a-8d21-abcf-f17f475476bc");
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
    assert_eq!(Resolution::Day.begin(moment), at("2026-11-20T00:00:00Z"));
    assert_eq!(Resolution::Day.end(moment), at("2026-11-21T00:00:00Z"));
    let begin = at("2026-11-20T00:00:00Z");
    assert_eq!(Resolution::Day.end(begin), begin);
}

#[test]
fn a_coarser_grain_leaves_parts_out() {
    let id = Uuid::from_u128(7);
    let all = Series {
        grain: Grain::Calls,
        provider: OrganizationId::new(id),
        api: ApiId::new(id),
        version: VersionId::new(id),
        operation: Some(OperationId::new(id)),
        consumer: Some(OrganizationId::new(id)),
        application: Some(ApplicationId::new(id)),
        plan: Some(PlanId::new(id)),
        target: Some(TargetId::new(id)),
        variant: Some((RouteId::new(id), "blue".parse().unwrap())),
        status: 429,
        code: Some(Code::RateLimited),
    };
    assert_eq!(all.at(Grain::Calls), Series { target: None, ..all });
    for grain in Grain::ALL {
        let series = all.at(grain);
        let parts = [
            (Dimension::Operation, series.operation.is_some()),
            (Dimension::Consumer, series.consumer.is_some()),
            (Dimension::Application, series.application.is_some()),
            (Dimension::Plan, series.plan.is_some()),
            (Dimension::Target, series.target.is_some()),
            (Dimension::Variant, series.variant.is_some()),
        ];
        for (dimension, is_there) in parts {
            assert_eq!(grain.has(dimension), is_there, "{grain:?} {dimension:?}");
        }
        let kept = (series.provider, series.api, series.version);
        assert_eq!(kept, (all.provider, all.api, all.version));
        let answered = match grain.has(Dimension::Status) {
            true => (all.status, all.code),
            false => (0, None),
        };
        assert_eq!((series.status, series.code), answered);
    }
}

#[test]
fn questions_are_answered_at_the_coarsest_grain() {
    use Dimension::{Api, Application, Operation, Status, Target, Variant};
    let table: [(&[Dimension], Grain, Grain); 10] = [
        (&[], Grain::Apis, Grain::Applications),
        (&[Api], Grain::Apis, Grain::Applications),
        (&[Api, Status], Grain::Apis, Grain::Calls),
        (&[Operation], Grain::Operations, Grain::Calls),
        (&[Application, Api], Grain::Applications, Grain::Applications),
        (&[Application, Operation], Grain::Calls, Grain::Calls),
        (&[Application, Status], Grain::Calls, Grain::Calls),
        (&[Variant], Grain::Calls, Grain::Calls),
        (&[Target], Grain::Targets, Grain::Applications),
        (&[Target, Status], Grain::Targets, Grain::Calls),
    ];
    for (dimensions, provided, consumed) in table {
        let grains = Grains::of(dimensions.iter().copied());
        assert_eq!(grains, Some(Grains { provided, consumed }), "{dimensions:?}");
    }
    for other in [Operation, Application, Variant] {
        assert_eq!(Grains::of([Target, other]), None, "{other:?}");
    }
}
