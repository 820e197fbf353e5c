use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Timestamp;
use domain::id::NodeId;
use domain::identity::Organization;
use domain::lake::{CallSums, Retention, Subject, SumsQuery};
use events::Batch;
use events::sink::SinkError;
use store::on_both;

use super::{Kept, LATE, Lake, Later, Query, QueryError, Rows, Trouble, forget_gone};
use crate::fixture::World;

/// Notes whose calls are to be forgotten.
#[derive(Default)]
struct Held(Mutex<Vec<Subject>>);

impl Lake for Held {
    fn commit<'a>(&'a self, _: NodeId, _: &'a [Batch]) -> Later<'a, Result<u64, SinkError>> {
        unreachable!("nothing is committed")
    }

    fn query(&self, _: Query) -> Later<'_, Result<Box<dyn Rows>, QueryError>> {
        unreachable!("nothing is asked")
    }

    fn sums(&self, _: SumsQuery) -> Later<'_, Result<Vec<CallSums>, QueryError>> {
        unreachable!("nothing is summed up")
    }

    fn compact(&self) -> Later<'_, Result<(), Trouble>> {
        unreachable!("nothing is joined")
    }

    fn expire(&self, _: Retention, _: Timestamp) -> Later<'_, Result<(), Trouble>> {
        unreachable!("nothing expires")
    }

    fn erase(&self, subject: Subject) -> Later<'_, Result<(), Trouble>> {
        self.0.lock().unwrap().push(subject);
        Box::pin(async { Ok(()) })
    }
}

on_both! {
    async fn what_is_of_organizations_that_are_gone_is_forgotten(url: String) {
        let world = World::new(&url).await;
        let held = Arc::new(Held::default());
        let kept = Kept {
            lake: held.clone(),
            days: None,
            days_of: BTreeMap::new(),
        };
        let globex = world.globex.organization.unwrap();
        let forgotten = async || {
            forget_gone(&world.control, &kept).await.unwrap();
            std::mem::take(&mut *held.0.lock().unwrap())
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
