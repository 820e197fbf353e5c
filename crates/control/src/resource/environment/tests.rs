use domain::Code;
use domain::id::WorkspaceId;
use domain::identity::{Environment, Organization, Workspace};
use serde_json::json;
use store::on_both;

use crate::fixture::World;
use crate::resource::ListQuery;

on_both! {
    async fn a_used_environment_keeps_its_name(url: String) {
        let world = World::new(&url).await;
        let (control, acme) = (&world.control, &world.acme);
        world.shop().await;
        let all = control.list::<Environment>(acme, &ListQuery::default()).await.unwrap().data;
        let of = |name: &str| all.iter().find(|it| it.spec.name.as_str() == name).unwrap();
        let (sandbox, production) = (of("sandbox"), of("production"));
        let rename = json!({ "name": "other" });
        let refused = control.update::<Environment>(acme, sandbox.id, &rename, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::InUse);
        assert!(refused.to_string().contains("routes"), "{refused}");
        let refused = control.delete::<Environment>(acme, sandbox.id, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::InUse);
        let title = json!({ "title": "Playground" });
        let renamed = control.update::<Environment>(acme, sandbox.id, &title, Some(1)).await.unwrap();
        assert_eq!((renamed.spec.title.as_str(), renamed.revision), ("Playground", 2));
        control.update::<Environment>(acme, production.id, &rename, None).await.unwrap();
        control.delete::<Environment>(acme, production.id, None).await.unwrap();
        let theirs = control.read::<Environment>(&world.globex, sandbox.id).await.unwrap_err();
        assert_eq!(theirs.code(), Code::NotFound);
    }

    async fn what_holds_something_is_not_removed(url: String) {
        let world = World::new(&url).await;
        let (control, acme) = (&world.control, &world.acme);
        let fresh = world.make::<Workspace>(acme, &(), json!({ "name": "team", "title": "Team" })).await.unwrap();
        control.delete::<Workspace>(acme, fresh.id, None).await.unwrap();
        world.shop().await;
        let used: WorkspaceId = world.workspace(acme).await;
        let refused = control.delete::<Workspace>(acme, used, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::InUse);
        assert!(refused.to_string().contains("shop"), "{refused}");
        let whole = acme.organization().unwrap();
        let refused = control.delete::<Organization>(acme, whole, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::InUse);
    }

    async fn one_environment_stays(url: String) {
        let world = World::new(&url).await;
        let (control, globex) = (&world.control, &world.globex);
        let all = control.list::<Environment>(globex, &ListQuery::default()).await.unwrap().data;
        let (last, others) = all.split_last().unwrap();
        for environment in others {
            control.delete::<Environment>(globex, environment.id, None).await.unwrap();
        }
        let refused = control.delete::<Environment>(globex, last.id, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict);
    }
}
