use std::time::Duration;

use store::on_both;

use super::{Answer, Begun, Ticket};
use crate::Caller;
use crate::fixture::World;

fn answer() -> Answer {
    Answer {
        status: 201,
        headers: vec![("location".to_owned(), "/api/v1/keys/key_x".to_owned())],
        body: b"gl_sandbox_secret".to_vec(),
    }
}

async fn begin(world: &World, caller: &Caller, key: &str, body: &str) -> Begun {
    let request: [&[u8]; 3] = [b"POST", b"/api/v1/keys", body.as_bytes()];
    world
        .control
        .begin_once(caller, "create_key", key, &request)
        .await
        .unwrap()
}

fn fresh(begun: Begun) -> Ticket {
    match begun {
        Begun::Fresh(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

on_both! {
    async fn the_same_request_is_answered_the_same(url: String) {
        let world = World::new(&url).await;
        let acme = world.acme.clone();
        let ticket = fresh(begin(&world, &acme, "k", "{}").await);
        assert!(matches!(begin(&world, &acme, "k", "{}").await, Begun::InFlight));
        assert!(matches!(begin(&world, &acme, "k", "{ }").await, Begun::Mismatch));
        world.control.finish_once(ticket, &answer()).await.unwrap();
        match begin(&world, &acme, "k", "{}").await {
            Begun::Replay(again) => assert_eq!(again, answer()),
            other => panic!("{other:?}"),
        }
        assert!(matches!(begin(&world, &acme, "k", "{ }").await, Begun::Mismatch));
        // Other keys, and the same key of another tenant, are other requests.
        fresh(begin(&world, &acme, "l", "{}").await);
        fresh(begin(&world, &world.globex, "k", "{}").await);
        // What was shown once is not readable in the database.
        let rows = world.control.store().fetch_all("SELECT answer FROM idempotency WHERE answer IS NOT NULL", &[]);
        let sealed = rows.await.unwrap()[0].bytes("answer").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
    }

    async fn answers_are_kept_for_a_day(url: String) {
        let world = World::new(&url).await;
        let acme = world.acme.clone();
        let ticket = fresh(begin(&world, &acme, "k", "{}").await);
        world.control.finish_once(ticket, &answer()).await.unwrap();
        world.pass(Duration::from_secs(24 * 3600 - 1));
        crate::jobs::tidy(&world.control).await.unwrap();
        assert!(matches!(begin(&world, &acme, "k", "{}").await, Begun::Replay(_)));
        world.pass(Duration::from_secs(1));
        fresh(begin(&world, &acme, "k", "other").await);
    }

    async fn a_request_that_failed_or_got_lost_is_done_again(url: String) {
        let world = World::new(&url).await;
        let acme = world.acme.clone();
        let ticket = fresh(begin(&world, &acme, "k", "{}").await);
        world.control.give_up_once(ticket).await.unwrap();
        let lost = fresh(begin(&world, &acme, "k", "{}").await);
        world.pass(Duration::from_secs(5 * 60));
        let second = fresh(begin(&world, &acme, "k", "{}").await);
        // The first one was only slow: its answer does not displace the second's.
        let late = Answer { status: 500, ..answer() };
        world.control.finish_once(lost, &late).await.unwrap();
        assert!(matches!(begin(&world, &acme, "k", "{}").await, Begun::InFlight));
        world.control.finish_once(second, &answer()).await.unwrap();
        assert!(matches!(begin(&world, &acme, "k", "{}").await, Begun::Replay(again) if again == answer()));
    }
}
