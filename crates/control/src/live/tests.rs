use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Code;
use domain::analytics::Measure;
use domain::id::{ApiId, ApplicationId, KeyId, OperationId, OrganizationId, RequestId, RouteId, VersionId};
use domain::live::LiveView;
use events::{Batch, Call, Callee, Caller as Consumer, Event, Method, Sink as _, Variant};
use store::on_both;
use uuid::Uuid;

use super::filter::Filter;
use super::hub::{
    Hub, LINGER, Listener, OF_ORGANIZATION_MAX, Position, QUEUE_MAX, REMEMBERED_MAX, STREAMS_MAX,
};
use super::{LiveFilters, TailQuery, Told, WatchQuery};
use crate::fixture::World;
use crate::usage::tests::{node, shop};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn organization() -> OrganizationId {
    OrganizationId::new(Uuid::now_v7())
}

/// A call with a status, of a provider by a consumer.
fn call(provider: OrganizationId, consumer: Option<OrganizationId>, status: u16) -> Call {
    let nil = Uuid::nil();
    Call {
        callee: Some(Callee {
            organization: provider,
            api: ApiId::new(nil),
            version: VersionId::new(nil),
            operation: None,
        }),
        caller: consumer.map(|organization| Consumer {
            organization,
            application: ApplicationId::new(nil),
            key: KeyId::new(nil),
            subscribed: None,
        }),
        method: Method::Get,
        status,
        latency_us: 1000,
        counted: true,
        ..Call::begun(RequestId::new(Uuid::now_v7()), domain::Timestamp::from_micros(0))
    }
}

fn all_of(organization: OrganizationId) -> Filter {
    Filter {
        organization,
        view: LiveView::Provided,
        apis: None,
        applications: None,
        operations: None,
        statuses: Vec::new(),
        refusal: None,
        method: None,
        latency_min_us: 0,
        sample_below: None,
    }
}

fn listen(hub: &Arc<Hub>, filter: Filter, after: Option<Position>, now: Instant) -> Listener {
    let permit = hub.enter(filter.organization).unwrap();
    hub.listen(permit, filter, after, now)
}

fn publish(hub: &Hub, calls: &[Call], now: Instant) {
    let events: Vec<_> = calls.iter().copied().map(Event::Call).collect();
    hub.publish(&[Batch::of(1, &events)], now);
}

#[test]
fn what_is_told_and_what_is_missed_is_what_fits() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let now = Instant::now();
    let mut missed_ever = 0;
    for _ in 0..20 {
        let hub = Arc::new(Hub::default());
        let ours = organization();
        let listeners = [200, 404, 500].map(|status| {
            let filter = Filter {
                statuses: vec![status.to_string().parse().unwrap()],
                ..all_of(ours)
            };
            (status, listen(&hub, filter, None, now))
        });
        let mut told = [(); 3].map(|()| Vec::new());
        let (mut missed, mut fitting, mut published) = ([0; 3], [(); 3].map(|()| Vec::new()), Vec::new());
        for _ in 0..30 {
            let calls: Vec<_> = (0..dice.below(400))
                .map(|_| call(ours, None, [200, 404, 500][dice.below(3) as usize]))
                .collect();
            publish(&hub, &calls, now);
            published.extend(calls);
            for (index, (_, listener)) in listeners.iter().enumerate() {
                // Some read often, some seldom, and never all that there is.
                if dice.below(index as u64 * 8 + 1) == 0 {
                    let heard = listener.take(dice.below(300) as usize);
                    missed[index] += heard.missed;
                    told[index].extend(heard.calls.iter().map(|(_, call)| call.request));
                }
            }
        }
        let mut waiting = 0;
        for (index, (status, listener)) in listeners.iter().enumerate() {
            let heard = listener.take(usize::MAX);
            assert!(heard.calls.len() <= QUEUE_MAX);
            waiting += heard.calls.len();
            missed[index] += heard.missed;
            told[index].extend(heard.calls.iter().map(|(_, call)| call.request));
            let fits = published.iter().filter(|call| call.status == *status);
            fitting[index].extend(fits.map(|call| call.request));
            assert_eq!(
                told[index].len() as u64 + missed[index],
                fitting[index].len() as u64
            );
            // What was told is in order, and each once.
            let mut rest = fitting[index].iter();
            assert!(told[index].iter().all(|told| rest.any(|fits| fits == told)));
        }
        assert_eq!(hub.missed(), missed.iter().sum::<u64>());
        assert!(waiting > 0, "{waiting}");
        missed_ever += missed.iter().sum::<u64>();
    }
    assert!(missed_ever > 0, "nobody was slow");
}

#[test]
fn who_does_not_read_holds_nobody_up() {
    let (hub, ours, now) = (Arc::new(Hub::default()), organization(), Instant::now());
    let (slow, quick) = (
        listen(&hub, all_of(ours), None, now),
        listen(&hub, all_of(ours), None, now),
    );
    let calls: Vec<_> = (0..QUEUE_MAX as u64 * 3).map(|_| call(ours, None, 200)).collect();
    for some in calls.chunks(100) {
        publish(&hub, some, now);
        assert_eq!(quick.take(usize::MAX).calls.len(), 100);
    }
    let heard = slow.take(usize::MAX);
    assert_eq!(
        (heard.missed, heard.calls.len()),
        (QUEUE_MAX as u64 * 2, QUEUE_MAX)
    );
    // The oldest are those that are missed.
    assert_eq!(heard.calls[0].1.request, calls[QUEUE_MAX * 2].request);
}

#[test]
fn calls_are_told_to_whom_they_concern() {
    let (hub, now) = (Arc::new(Hub::default()), Instant::now());
    let (provider, consumer, stranger) = (organization(), organization(), organization());
    let made = |organization| Filter {
        view: LiveView::Made,
        ..all_of(organization)
    };
    let mut unrouted = call(provider, Some(consumer), 404);
    unrouted.callee = None;
    let calls = [
        call(provider, Some(consumer), 200),
        call(provider, None, 401),
        call(provider, Some(provider), 200),
        unrouted,
    ];
    let table = [
        (all_of(provider), 3),
        (made(provider), 1),
        (all_of(consumer), 0),
        (made(consumer), 1),
        (all_of(stranger), 0),
        (made(stranger), 0),
    ];
    let listeners = table.map(|(filter, expected)| (listen(&hub, filter, None, now), expected));
    publish(&hub, &calls, now);
    for (index, (listener, expected)) in listeners.iter().enumerate() {
        assert_eq!(listener.take(usize::MAX).calls.len(), *expected, "{index}");
    }
}

#[test]
fn who_comes_back_goes_on_where_it_was() {
    let (hub, ours, now) = (Arc::new(Hub::default()), organization(), Instant::now());
    let calls: Vec<_> = (0..10).map(|_| call(ours, None, 200)).collect();
    let first = listen(&hub, all_of(ours), None, now);
    publish(&hub, &calls[..4], now);
    let (position, _) = first.take(2).calls[1];
    assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
    drop(first);
    // Nobody listens, and what comes is remembered nevertheless.
    publish(&hub, &calls[4..], now);
    let again = listen(&hub, all_of(ours), Some(position), now);
    let heard = again.take(usize::MAX);
    let told: Vec<_> = heard.calls.iter().map(|(_, call)| call.request).collect();
    let expected: Vec<_> = calls[2..].iter().map(|call| call.request).collect();
    assert_eq!((heard.lost_track, heard.missed, told), (false, 0, expected));
    let last = heard.calls[7].0;
    assert!(
        listen(&hub, all_of(ours), Some(last), now)
            .take(9)
            .calls
            .is_empty()
    );
    drop(again);
    // More came than is remembered: that something is missing is known, and not how much.
    let many: Vec<_> = (0..=REMEMBERED_MAX).map(|_| call(ours, None, 200)).collect();
    publish(&hub, &many, now);
    let heard = listen(&hub, all_of(ours), Some(last), now).take(usize::MAX);
    assert_eq!((heard.lost_track, heard.calls.len()), (true, REMEMBERED_MAX));
    let unknown = listen(&hub, all_of(ours), Some(Position::unknown()), now).take(usize::MAX);
    assert_eq!((unknown.lost_track, unknown.calls.len()), (true, 0));
    // After a while it is forgotten.
    publish(&hub, &calls, now + LINGER + Duration::from_secs(1));
    let heard = listen(&hub, all_of(ours), Some(last), now).take(usize::MAX);
    assert_eq!((heard.lost_track, heard.calls.len()), (true, 0));
}

/// Makes a filter narrower.
type Change = fn(&mut Filter);

#[test]
fn a_listener_hears_of_what_it_asked_for() {
    let ours = organization();
    let plain = call(ours, Some(organization()), 404);
    let refused = Call {
        refusal: Some(Code::RateLimited),
        status: 429,
        method: Method::Post,
        latency_us: 20,
        ..plain
    };
    let other = ApiId::new(Uuid::now_v7());
    let one = |change: Change| {
        let mut filter = all_of(ours);
        change(&mut filter);
        (filter.fits(&plain), filter.fits(&refused))
    };
    let table: [(Change, (bool, bool)); 10] = [
        (|_| {}, (true, true)),
        (|it| it.statuses = vec!["4xx".parse().unwrap()], (true, true)),
        (
            |it| it.statuses = vec!["429".parse().unwrap(), "5xx".parse().unwrap()],
            (false, true),
        ),
        (|it| it.refusal = Some(Code::RateLimited), (false, true)),
        (|it| it.method = Some(Method::Get), (true, false)),
        (|it| it.latency_min_us = 21, (true, false)),
        (|it| it.apis = Some(vec![ApiId::new(Uuid::nil())]), (true, true)),
        (|it| it.apis = Some(Vec::new()), (false, false)),
        (
            |it| it.operations = Some(vec![OperationId::new(Uuid::nil())]),
            (false, false),
        ),
        (
            |it| it.applications = Some(vec![ApplicationId::new(Uuid::nil())]),
            (true, true),
        ),
    ];
    for (index, (change, expected)) in table.into_iter().enumerate() {
        assert_eq!(one(change), expected, "{index}");
    }
    let of_other = Filter {
        apis: Some(vec![other]),
        ..all_of(ours)
    };
    assert!(!of_other.fits(&plain));
}

#[test]
fn a_share_is_about_that_share_and_the_same_calls_each_time() {
    let ours = organization();
    let mut dice = Dice(7);
    let calls: Vec<_> = (0..10_000)
        .map(|_| {
            let random = (u128::from(dice.below(u64::MAX)) << 64) | u128::from(dice.below(u64::MAX));
            Call {
                request: RequestId::new(Uuid::from_u128(random)),
                ..call(ours, None, 200)
            }
        })
        .collect();
    let told = |share| {
        let filter = Filter {
            sample_below: Filter::bound(share),
            ..all_of(ours)
        };
        calls
            .iter()
            .filter(|call| filter.fits(call))
            .map(|call| call.request)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(1.0).len(), calls.len());
    let (tenth, fifth) = (told(0.1), told(0.2));
    assert!((900..1100).contains(&tenth.len()), "{}", tenth.len());
    assert!(tenth.iter().all(|call| fifth.contains(call)));
}

#[test]
fn there_are_only_so_many_streams() {
    let hub = Arc::new(Hub::default());
    let code = |organization| match hub.enter(organization) {
        Err(error) => Some(error.code()),
        Ok(_) => None,
    };
    let ours = organization();
    let mut held: Vec<_> = (0..OF_ORGANIZATION_MAX)
        .map(|_| hub.enter(ours).unwrap())
        .collect();
    assert_eq!(
        (code(ours), code(organization())),
        (Some(Code::StreamsLimited), None)
    );
    held.pop();
    assert_eq!(code(ours), None);
    while hub.streams() < STREAMS_MAX as u64 {
        held.push(hub.enter(organization()).unwrap());
    }
    assert_eq!(code(organization()), Some(Code::Overloaded));
    held.clear();
    assert_eq!(hub.streams(), 0);
}

on_both! {
    async fn what_is_counted_is_told_once(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let counter = world.control.usage_counter();
        let query = |view| TailQuery { view, ..TailQuery::default() };
        let mut provided = world.control.tail(&world.acme, &query(LiveView::Provided)).await.unwrap();
        let mut made = world.control.tail(&world.globex, &query(LiveView::Made)).await.unwrap();
        let mut nothing = world.control.tail(&world.globex, &query(LiveView::Provided)).await.unwrap();
        let mut call = shop.call(0, 0);
        let name = "new".parse().unwrap();
        call.variant = Some(Variant { route: RouteId::new(Uuid::now_v7()), name });
        let node = node();
        let batch = Batch::of(1, &[Event::Call(call)]);
        // A replay counts nothing and is not told again.
        for _ in 0..2 {
            counter.commit(node, std::slice::from_ref(&batch)).await.unwrap();
        }
        let one = |told: Vec<Told>| match told.as_slice() {
            [Told::Call(_, call)] => (**call).clone(),
            other => panic!("{other:?}"),
        };
        let seen = one(provided.next().await);
        assert_eq!((seen.request_id, seen.api.as_deref()), (call.request, Some("shop")));
        assert_eq!(seen.operation.as_deref(), Some("list_pets"));
        assert_eq!((seen.application.as_deref(), seen.variant), (Some("app"), Some(name)));
        let seen = one(made.next().await);
        assert_eq!((seen.request_id, seen.route_id, seen.variant), (call.request, None, None));
        let told = tokio::time::timeout(Duration::from_millis(50), nothing.next()).await;
        assert!(told.is_err(), "{told:?}");
        // Who comes later is told of the node.
        let later = world.control.tail(&world.acme, &TailQuery::default()).await.unwrap();
        assert_eq!(later.hello().nodes.iter().map(|told| told.node_id).collect::<Vec<_>>(), [node]);
    }

    async fn parameters_name_what_is_there(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let code = async |caller, view, filters: LiveFilters| {
            let query = TailQuery { view, filters, ..TailQuery::default() };
            world.control.tail(caller, &query).await.map(drop).map_err(|error| error.code())
        };
        let api = |name: &str| LiveFilters { api: Some(name.to_owned()), ..LiveFilters::default() };
        let application = |name: &str| LiveFilters { application: Some(name.to_owned()), ..LiveFilters::default() };
        let operation = |name: &str| LiveFilters { operation: Some(name.to_owned()), ..LiveFilters::default() };
        let unknown = Err(Code::ParameterInvalid);
        let id = shop.callee.api.to_string();
        use LiveView::{Made, Provided};
        let table = [
            (&world.acme, Provided, api("shop"), Ok(())),
            (&world.acme, Provided, api(&id), Ok(())),
            (&world.acme, Provided, api("shpo"), unknown),
            (&world.acme, Provided, operation("list_pets"), Ok(())),
            (&world.acme, Provided, operation("eat_pets"), unknown),
            // What others have, nobody is told.
            (&world.globex, Provided, api("shop"), unknown),
            (&world.globex, Provided, api(&id), unknown),
            (&world.globex, Made, api("shop"), Ok(())),
            (&world.globex, Made, api("shpo"), Ok(())),
            (&world.globex, Made, application("app"), Ok(())),
            (&world.globex, Made, application("other"), unknown),
            (&world.acme, Provided, application("other"), Ok(())),
        ];
        for (index, (caller, view, filters, expected)) in table.into_iter().enumerate() {
            assert_eq!(code(caller, view, filters).await, expected, "{index}");
        }
    }

    async fn sums_are_told_when_they_are_others(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let counter = world.control.usage_counter();
        let query = WatchQuery {
            measures: vec![Measure::Calls],
            dimensions: Vec::new(),
            filters: LiveFilters { operation: Some("list_pets".to_owned()), ..LiveFilters::default() },
            interval: Duration::from_millis(1),
            window: Duration::from_secs(600),
        };
        // Within the minute, so that only the calls make another answer.
        world.pass(Duration::from_secs(1));
        let mut watch = world.control.watch(&world.acme, &query).await.unwrap();
        let mut other = world.control.watch(&world.acme, &query).await.unwrap();
        let mut stranger = world.control.watch(&world.globex, &query).await.unwrap();
        assert!(watch.first().unwrap().rows.is_empty());
        assert!(other.first().unwrap().rows.is_empty());
        assert!(stranger.first().unwrap().rows.is_empty());
        // One of them is of another operation.
        let now = world.control.now();
        let calls = [0, 0, 1].map(|operation| Event::Call(Call { started_at: now, caller: None, ..shop.call(operation, 0) }));
        counter.commit(node(), &[Batch::of(1, &calls)]).await.unwrap();
        for watch in [&mut watch, &mut other] {
            let answer = watch.next().await.unwrap();
            assert_eq!(answer.rows.iter().map(|row| row.values[&Measure::Calls]).sum::<f64>(), 2.0);
        }
        // Nothing is told to whom the calls do not concern.
        let told = tokio::time::timeout(Duration::from_millis(50), stranger.next()).await;
        assert!(told.is_err(), "{told:?}");
    }
}
