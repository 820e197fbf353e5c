use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::identity::Organization;
use domain::lake::Subject;
use events::{Batch, Event, Sink as _};
use store::on_both;

use super::{Kept, LATE, forget_gone};
use crate::fixture::{Noting, World};
use crate::usage::tests::{HOUR, node, shop};

on_both! {
    async fn calls_are_kept_as_long_as_those_of_their_providers(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let consumer = shop.call(0, 0).caller.unwrap().organization;
        let provider = world.acme.organization.unwrap();
        assert_ne!(consumer, provider);
        let kept = |days_of: &[(&str, Option<u32>)]| Kept {
            lake: Arc::new(Noting::default()),
            days: Some(90),
            days_of: days_of.iter().map(|(name, days)| ((*name).to_owned(), *days)).collect(),
        };
        let days = async |organization, days_of: &[(&str, Option<u32>)]| {
            let since = world.control.kept_since(&kept(days_of), organization).await.unwrap();
            since.map(|since| (world.control.now().as_micros() - since.as_micros()) / (24 * HOUR))
        };
        // Who has called nobody is told of none of whom less is kept.
        assert_eq!(days(consumer, &[("acme", Some(7))]).await, Some(90));
        let batch = Batch::of(1, &[Event::Call(shop.call(0, 0))]);
        world.control.usage_counter().commit(node(), &[batch]).await.unwrap();
        for organization in [consumer, provider] {
            assert_eq!(days(organization, &[]).await, Some(90));
            assert_eq!(days(organization, &[("acme", Some(7))]).await, Some(7));
            assert_eq!(days(organization, &[("acme", None)]).await, None);
            assert_eq!(days(organization, &[("globex", Some(7))]).await, Some(90));
        }
    }

    async fn what_is_of_organizations_that_are_gone_is_forgotten(url: String) {
        let world = World::new(&url).await;
        let held = Arc::new(Noting::default());
        let kept = Kept {
            lake: held.clone(),
            days: None,
            days_of: BTreeMap::new(),
        };
        let globex = world.globex.organization.unwrap();
        let forgotten = async || {
            forget_gone(&world.control, &kept).await.unwrap();
            std::mem::take(&mut *held.erased.lock().unwrap())
        };
        assert_eq!(forgotten().await, []);
        world.control.delete::<Organization>(&world.globex, globex, None).await.unwrap();
        // Again, since something may have come in between, but not for ever.
        for _ in 0..3 {
            assert_eq!(forgotten().await, [Subject::Organization(globex)]);
        }
        world.pass(LATE + Duration::from_secs(1));
        assert_eq!(forgotten().await, [Subject::Organization(globex)]);
        assert_eq!(forgotten().await, []);
    }
}
