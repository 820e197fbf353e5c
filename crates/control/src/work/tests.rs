use std::time::Duration;

use domain::Code;
use domain::work::WorkStatus;
use serde_json::json;
use store::on_both;

use crate::fixture::World;
use crate::resource::ListQuery;

on_both! {
    async fn work_is_watched_to_its_end(url: String) {
        let world = World::new(&url).await;
        let (control, acme) = (&world.control, &world.acme);
        let work = control.start_work(acme, "import_api", None).await.unwrap();
        let mut watch = control.watch_work(acme, work.id).await.unwrap();
        assert_eq!(control.progress_work(work.id, 40).await.unwrap(), WorkStatus::Running);
        watch.changed().await.unwrap();
        assert_eq!(watch.borrow_and_update().progress, 40);
        control.finish_work(work.id, Ok(json!({ "api": "x" }))).await.unwrap();
        watch.changed().await.unwrap();
        assert_eq!(watch.borrow_and_update().status, WorkStatus::Succeeded);
        assert!(watch.changed().await.is_err(), "nothing follows the end");
        let read = control.read_work(acme, work.id).await.unwrap();
        assert_eq!((read.progress, read.result, read.revision), (100, Some(json!({ "api": "x" })), 3));
        let late = control.watch_work(acme, work.id).await.unwrap();
        assert_eq!(late.borrow().status, WorkStatus::Succeeded);
        assert_eq!(control.cancel_work(acme, work.id).await.unwrap_err().code(), Code::Conflict);
        assert_eq!(control.list_works(acme, &ListQuery::default()).await.unwrap().data.len(), 1);
    }

    async fn cancelled_work_hears_of_it(url: String) {
        let world = World::new(&url).await;
        let (control, acme) = (&world.control, &world.acme);
        let work = control.start_work(acme, "import_api", None).await.unwrap();
        let refused = control.cancel_work(&world.globex, work.id).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        let cancelled = control.cancel_work(acme, work.id).await.unwrap();
        assert_eq!(cancelled.status, WorkStatus::Cancelled);
        assert_eq!(control.progress_work(work.id, 50).await.unwrap(), WorkStatus::Cancelled);
        control.finish_work(work.id, Ok(json!(1))).await.unwrap();
        assert_eq!(control.read_work(acme, work.id).await.unwrap().status, WorkStatus::Cancelled);
    }

    async fn silent_work_is_given_up_and_old_work_forgotten(url: String) {
        let world = World::new(&url).await;
        let (control, acme) = (&world.control, &world.acme);
        let work = control.start_work(acme, "import_api", None).await.unwrap();
        world.pass(Duration::from_secs(15 * 60 - 1));
        crate::jobs::tidy(control).await.unwrap();
        assert_eq!(control.read_work(acme, work.id).await.unwrap().status, WorkStatus::Running);
        world.pass(Duration::from_secs(1));
        crate::jobs::tidy(control).await.unwrap();
        assert_eq!(control.read_work(acme, work.id).await.unwrap().status, WorkStatus::Failed);
        // Ids carry the machine's own time, which is past the tests' clock.
        world.pass(Duration::from_secs(20 * 365 * 24 * 3600));
        crate::jobs::tidy(control).await.unwrap();
        assert_eq!(control.read_work(acme, work.id).await.unwrap_err().code(), Code::NotFound);
    }
}

#[tokio::test]
async fn jobs_stop_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::new(&store::testing::fresh_sqlite(directory.path())).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let jobs = tokio::spawn(crate::jobs::run(world.control.clone(), stopped));
    stop.send(true).unwrap();
    jobs.await.unwrap();
}
