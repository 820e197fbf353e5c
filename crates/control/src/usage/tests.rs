use std::collections::HashMap;

use domain::Timestamp;
use domain::analytics::Dimension;
use domain::id::{KeyId, NodeId, OperationId, RequestId};
use domain::rollup::{Grains, Resolution};
use domain::usage::UsageRow;
use events::sink::SinkError;
use events::{Batch, Call, Callee, Caller as Consumer, Event, Method, Sink as _, Subscribed};
use store::on_both;
use store::rollup::Wanted;
use uuid::Uuid;

use super::{Counter, Group, UsageQuery};
use crate::Caller;
use crate::fixture::World;

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

/// A call of the shop.
pub(crate) struct Shop {
    pub(crate) callee: Callee,
    pub(crate) caller: Consumer,
    pub(crate) operations: Vec<OperationId>,
}

pub(crate) async fn shop(world: &World) -> Shop {
    let imported = world.shop().await;
    let product = world.product(&imported).await;
    let application = world.application(&world.globex, "app").await;
    let subscription = world
        .subscribe(&application, &world.globex, &product)
        .await
        .unwrap();
    let operations = world
        .control
        .operations(&world.acme, imported.version)
        .await
        .unwrap();
    Shop {
        callee: Callee {
            organization: world.acme.organization.unwrap(),
            api: imported.api,
            version: imported.version,
            operation: None,
        },
        caller: Consumer {
            organization: application.organization_id,
            application: application.id,
            key: KeyId::new(Uuid::now_v7()),
            subscribed: Some(Subscribed {
                subscription: subscription.id,
                plan: subscription.spec.plan_id,
            }),
        },
        operations: operations.into_iter().map(|operation| operation.id).collect(),
    }
}

pub(crate) const START: i64 = 1_763_640_000_000_000;
pub(crate) const HOUR: i64 = domain::time::HOUR_MICROS;

impl Shop {
    pub(crate) fn call(&self, operation: usize, hour: i64) -> Call {
        Call {
            callee: Some(Callee {
                operation: self.operations.get(operation).copied(),
                ..self.callee
            }),
            caller: Some(self.caller),
            method: Method::Get,
            status: 200,
            bytes_in: 10,
            bytes_out: 100,
            latency_us: 1000,
            counted: true,
            ..Call::begun(
                RequestId::new(Uuid::now_v7()),
                Timestamp::from_micros(START + hour * HOUR + 17),
            )
        }
    }

    fn batch(&self, sequence: u64, dice: &mut Dice) -> (Batch, u64) {
        let calls = dice.below(4);
        let events: Vec<_> = (0..calls)
            .map(|_| Event::Call(self.call(dice.below(3) as usize, dice.below(3) as i64)))
            .collect();
        (Batch::of(sequence, &events), calls)
    }
}

pub(crate) fn node() -> NodeId {
    NodeId::new(Uuid::now_v7())
}

async fn rows(world: &World, caller: &Caller, group: &[Group]) -> Vec<UsageRow> {
    let query = UsageQuery {
        group: group.to_vec(),
        limit: 100,
        ..UsageQuery::default()
    };
    world.control.usage(caller, &query).await.unwrap().rows
}

/// The calls in all roll-ups of a resolution at the grain that a dimension wants; their spreads have as many.
async fn rolled_up(world: &World, resolution: Resolution, dimensions: &[Dimension]) -> i64 {
    let wanted = Wanted {
        resolution,
        grains: Grains::of(dimensions.iter().copied()).unwrap(),
        organization: world.acme.organization.unwrap(),
        from: Timestamp::from_micros(0),
        to: Timestamp::from_micros(i64::MAX),
        dimensions,
        filters: &[],
        by_application: false,
        sums: [true; 8],
        has_latency: true,
        rollups_max: 10_000,
        is_one_span: false,
    };
    let mut calls = 0;
    let read = store::rollup::rollups(world.control.store(), &wanted, |row| {
        assert_eq!(row.latency.unwrap().count(), row.sums[0] as u64);
        calls += row.sums[0];
        Ok(true)
    });
    assert!(read.await.unwrap());
    calls
}

async fn calls(world: &World) -> i64 {
    rows(world, &world.acme, &[])
        .await
        .iter()
        .map(|row| row.calls)
        .sum()
}

on_both! {
    async fn replays_count_nothing_twice(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let mut expected = 0;
        for _ in 0..6 {
            let nodes = [node(), node()];
            let mut logs: HashMap<NodeId, (Vec<Batch>, Vec<u64>)> = HashMap::new();
            let mut counted: HashMap<NodeId, u64> = HashMap::new();
            for _ in 0..25 {
                let node = nodes[dice.below(2) as usize];
                let (log, sizes) = logs.entry(node).or_default();
                for _ in 0..dice.below(3) {
                    let (batch, calls) = shop.batch(log.len() as u64 + 1, &mut dice);
                    log.push(batch);
                    sizes.push(calls);
                }
                let watermark = counted.entry(node).or_default();
                let end = dice.below(log.len() as u64 + 1) as usize;
                let start = dice.below(end as u64 + 1) as usize;
                let slice = &log[start..end];
                // Each time another process.
                let counter = Counter::new(world.control.store().clone());
                let is_gap = !slice.is_empty() && start as u64 > *watermark && *watermark > 0;
                if is_gap {
                    let refused = counter.commit(node, slice).await;
                    assert!(matches!(refused, Err(SinkError::Refused { .. })), "{refused:?}");
                    continue;
                }
                if *watermark == 0 && start > 0 {
                    // A node that is not known may begin anywhere; the model wants to count from 1.
                    continue;
                }
                // Two of them at once: one counts, the other finds it counted.
                let (one, other) = tokio::join!(counter.commit(node, slice), counter.commit(node, slice));
                let after = (*watermark).max(if slice.is_empty() { 0 } else { end as u64 });
                assert_eq!((one.unwrap(), other.unwrap()), (after, after));
                expected += sizes[*watermark as usize..after as usize].iter().sum::<u64>() as i64;
                *watermark = after;
                assert_eq!(counter.commit(node, &[]).await.unwrap(), after);
            }
            assert_eq!(calls(&world).await, expected);
            for resolution in Resolution::ALL {
                let each_grain: [&[Dimension]; 4] = [
                    &[],
                    &[Dimension::Operation],
                    &[Dimension::Application],
                    &[Dimension::Variant],
                ];
                for dimensions in each_grain {
                    assert_eq!(rolled_up(&world, resolution, dimensions).await, expected);
                }
            }
        }
        assert!(expected > 50, "{expected}");
    }

    async fn what_is_not_committed_is_not_counted(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let node = node();
        let batch = |sequence| Batch::of(sequence, &[Event::Call(shop.call(0, 0))]);
        let counter = world.control.usage_counter();
        assert_eq!(counter.commit(node, &[]).await.unwrap(), 0);
        assert_eq!(counter.commit(node, &[batch(5), batch(6)]).await.unwrap(), 6);
        for slice in [vec![batch(8)], vec![batch(7), batch(9)], vec![batch(7), batch(7)]] {
            assert!(matches!(counter.commit(node, &slice).await, Err(SinkError::Refused { .. })));
        }
        assert_eq!((calls(&world).await, counter.commit(node, &[]).await.unwrap()), (2, 6));
        // Somebody else has moved the watermark since it was read.
        let mut tx = world.control.store().begin().await.unwrap();
        assert!(tx.move_watermark(node, Some(5), 7).await.is_err());
        drop(tx);
        assert_eq!(counter.commit(node, &[Batch::lost(7), batch(8)]).await.unwrap(), 8);
        assert_eq!(calls(&world).await, 3);
    }

    async fn the_hour_of_a_keys_last_use_is_told(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let (key, node) = (shop.caller.key, NodeId::new(Uuid::now_v7()));
        let counter = world.control.usage_counter();
        let used = async || world.control.key_uses(&[key]).await.unwrap().get(&key).copied();
        assert_eq!(used().await, None);
        let hour = |hour: i64| Some(Timestamp::from_micros(START + hour * HOUR).hour());
        // A call that was late does not turn the clock back.
        for (sequence, (hours, last)) in [([2, 1], 2), ([1, 0], 2), ([3, 4], 4)].into_iter().enumerate() {
            let calls = hours.map(|hour| Event::Call(shop.call(0, hour)));
            let batch = Batch::of(sequence as u64 + 1, &calls);
            counter.commit(node, &[batch]).await.unwrap();
            assert_eq!(used().await, hour(last));
        }
        // There is no such key: its use is forgotten.
        crate::jobs::tidy(&world.control).await.unwrap();
        assert_eq!(used().await, None);
    }

    async fn both_sides_see_their_calls(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let mut refused = shop.call(0, 1);
        refused.refusal = Some(domain::Code::RateLimited);
        refused.status = 429;
        refused.counted = false;
        let mut anonymous = shop.call(9, 1);
        anonymous.caller = None;
        anonymous.status = 502;
        let events = [shop.call(0, 0), shop.call(0, 0), shop.call(1, 25), refused, anonymous].map(Event::Call);
        world.control.usage_counter().commit(node(), &[Batch::of(1, &events)]).await.unwrap();

        let all = rows(&world, &world.acme, &[]).await;
        assert_eq!(all.len(), 1);
        let sums = &all[0];
        assert_eq!((sums.calls, sums.refused, sums.server_errors), (5, 1, 1));
        assert_eq!((sums.bytes_in, sums.bytes_out, sums.latency_us), (50, 500, 5000));
        assert_eq!((sums.api.as_str(), sums.hour, sums.operation_id), ("shop", None, None));
        assert_eq!(rows(&world, &world.globex, &[]).await[0].calls, 4);

        let named = |rows: Vec<UsageRow>| -> Vec<_> {
            rows.into_iter().map(|row| (row.operation, row.application, row.calls)).collect()
        };
        let mut by = named(rows(&world, &world.acme, &[Group::Operation, Group::Application]).await);
        by.sort();
        let row = |operation: &str, application: &str, calls| (operation.to_owned(), application.to_owned(), calls);
        assert_eq!(by, [row("", "", 1), row("list_pets", "app", 3), row("read_pet", "app", 1)]);
        let hours = rows(&world, &world.acme, &[Group::Hour]).await;
        let hours: Vec<_> = hours.iter().map(|row| (row.hour.unwrap().as_micros() - START, row.calls)).collect();
        assert_eq!(hours, [(0, 2), (HOUR, 2), (25 * HOUR, 1)]);
        let days = rows(&world, &world.acme, &[Group::Day, Group::Plan]).await;
        assert_eq!(days.iter().map(|row| row.calls).collect::<Vec<_>>(), [1, 3, 1]);

        let query = |from: i64, to: i64| UsageQuery {
            from: Some(Timestamp::from_micros(START + from)),
            to: Some(Timestamp::from_micros(START + to)),
            limit: 10,
            ..UsageQuery::default()
        };
        let within = world.control.usage(&world.acme, &query(HOUR + 5, 2 * HOUR)).await.unwrap();
        assert_eq!(within.rows[0].calls, 2);
        let none = UsageQuery { api: Some("other".to_owned()), ..query(0, HOUR) };
        assert!(world.control.usage(&world.acme, &none).await.unwrap().rows.is_empty());
        for text in ["shop".to_owned(), shop.callee.api.to_string()] {
            let one = UsageQuery { api: Some(text), application: Some("app".to_owned()), ..query(0, HOUR) };
            assert_eq!(world.control.usage(&world.globex, &one).await.unwrap().rows[0].calls, 2);
        }
    }

    async fn pages_follow_each_other(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let events: Vec<_> = (0..7).map(|hour| Event::Call(shop.call(0, hour))).collect();
        world.control.usage_counter().commit(node(), &[Batch::of(1, &events)]).await.unwrap();
        let mut query = UsageQuery {
            group: vec![Group::Hour, Group::Operation, Group::Version, Group::Subscription],
            limit: 3,
            ..UsageQuery::default()
        };
        let mut hours = Vec::new();
        loop {
            let page = world.control.usage(&world.acme, &query).await.unwrap();
            hours.extend(page.rows.iter().map(|row| (row.hour.unwrap().as_micros() - START) / HOUR));
            let Some(next) = page.next else { break };
            assert_eq!(page.rows.len(), 3);
            query.after = Some(next);
        }
        assert_eq!(hours, [0, 1, 2, 3, 4, 5, 6]);
    }
}
