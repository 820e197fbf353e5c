use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};

use flags::{Set, Sets, Words};
use serde_json::json;

use super::Desk;

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(test);
}

fn begun<T>(waiting: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    waiting.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_two_ask_for_at_once_is_done_once() {
    run(async {
        let desk = Desk::default();
        let times = Arc::new(AtomicUsize::new(0));
        let (go, gone) = mpsc::channel();
        let is_done = || times.load(Ordering::SeqCst) > 0;
        let work = |gone: Option<mpsc::Receiver<()>>| {
            let times = Arc::clone(&times);
            move || {
                gone.map(|gone| gone.recv());
                times.fetch_add(1, Ordering::SeqCst);
            }
        };
        let mut first = pin!(desk.done(is_done, work(Some(gone))));
        let mut second = pin!(desk.done(is_done, work(None)));
        // Both wait, and this thread serves others all the while.
        assert!(begun(first.as_mut()).is_pending() && begun(second.as_mut()).is_pending());
        go.send(()).unwrap();
        tokio::join!(first, second);
        assert_eq!(times.load(Ordering::SeqCst), 1);
        desk.done(is_done, work(None)).await;
        assert_eq!(times.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn work_goes_on_when_whoever_asked_is_gone_and_a_panic_hinders_nobody() {
    run(async {
        let desk = Desk::default();
        let (go, gone) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        {
            let mut first = pin!(desk.run(move || tell.send(gone.recv().is_ok())));
            assert!(begun(first.as_mut()).is_pending());
        }
        let mut second = pin!(desk.run(|| panic!("meant to fail")));
        assert!(begun(second.as_mut()).is_pending());
        go.send(()).unwrap();
        let failed: Result<(), _> = second.await;
        assert!(failed.unwrap_err().is_panic());
        assert_eq!(told.recv(), Ok(true));
        assert_eq!(desk.run(|| 7).await.unwrap(), 7);
    });
}

fn set(tag: &str, before: Option<&Sets>) -> Sets {
    let flag = json!({ "version": 1, "enabled": true, "off": "off", "otherwise": { "serve": "off" },
        "variants": { "on": true, "off": false } });
    let flags = json!([{ "key": "a", "type": "boolean", "client_side": true, "definition": flag }]);
    let organization = domain::id::OrganizationId::new(uuid::Uuid::from_u128(1));
    let source = json!({ "organization": organization, "tag": tag, "flags": flags });
    let source = serde_json::from_value(source).unwrap();
    Sets::compile(
        &"production".parse().unwrap(),
        [&source],
        (before, &Arc::default()),
    )
    .unwrap()
}

fn only(sets: &Sets) -> &Arc<Set> {
    sets.iter().next().unwrap()
}

#[test]
fn documents_that_were_read_are_written_ahead() {
    run(async {
        let desk = Desk::default();
        let one = set("1", None);
        assert!(Desk::wanted(&one).is_empty());
        tokio::join!(
            desk.written(only(&one), Words::Unleash),
            desk.written(only(&one), Words::Unleash),
        );
        assert!(only(&one).is_written(Words::Unleash));
        only(&one).unleash();
        let two = set("2", Some(&one));
        desk.clone().write_ahead(Desk::wanted(&two)).await;
        assert!(only(&two).is_written(Words::Unleash) && !only(&two).is_written(Words::GrowthBook));
        assert!(Desk::wanted(&two).is_empty());
        // Nobody has asked since, so nothing is written for nobody; and what is gone needs nothing.
        assert!(Desk::wanted(&set("3", Some(&two))).is_empty());
        only(&two).unleash();
        let wanted = Desk::wanted(&set("3", Some(&two)));
        assert_eq!(wanted.len(), 1);
        desk.write_ahead(wanted).await;
    });
}
