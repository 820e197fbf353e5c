use domain::id::{EnvironmentId, MembershipId, OrganizationId};
use domain::identity::{Environment, EnvironmentSpec, Membership, MembershipSpec, Organization, Role};
use uuid::Uuid;

use super::{now, organization, with_user};
use crate::entity::{self, Condition, Window};
use crate::{Arg, Error, Store, on_both};

fn environment(organization: OrganizationId, name: &str) -> Environment {
    Environment {
        id: EnvironmentId::new(Uuid::now_v7()),
        organization_id: organization,
        spec: EnvironmentSpec {
            name: name.parse().unwrap(),
            title: format!("50% of {name}_"),
            protected: false,
        },
        created_at: now(),
        updated_at: now(),
        revision: 1,
    }
}

async fn with_environments(url: &str, names: &[&str]) -> (Store, Organization) {
    let store = Store::open(url).await.unwrap();
    let owner = organization("default");
    let mut tx = store.begin().await.unwrap();
    tx.insert(&owner, &[]).await.unwrap();
    for name in names {
        tx.insert(&environment(owner.id, name), &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    (store, owner)
}

fn names(found: &[Environment]) -> Vec<&str> {
    found.iter().map(|it| it.spec.name.as_str()).collect()
}

on_both! {
    async fn what_was_written_is_read(url: String) {
        let (store, owner) = with_environments(&url, &["sandbox"]).await;
        let found = entity::find_id::<Organization>(&mut &store, owner.id).await.unwrap();
        assert_eq!(found, Some(owner.clone()));
        let other = OrganizationId::new(Uuid::now_v7());
        assert_eq!(entity::find_id::<Organization>(&mut &store, other).await.unwrap(), None);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(entity::all::<Environment>(&mut tx, &[]).await.unwrap().len(), 1);
    }

    async fn an_update_needs_the_revision_that_was_read(url: String) {
        let (store, owner) = with_environments(&url, &[]).await;
        let mut changed = owner.clone();
        changed.spec.title = "Changed".to_owned();
        changed.revision = 2;
        let mut tx = store.begin().await.unwrap();
        tx.update(&changed, 1, &[]).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert!(matches!(tx.update(&changed, 1, &[]).await, Err(Error::Stale)));
        assert!(matches!(tx.remove(&owner).await, Err(Error::Stale)));
        drop(tx);
        let found = entity::find_id::<Organization>(&mut &store, owner.id).await.unwrap();
        assert_eq!(found, Some(changed));
    }

    async fn unique_names_and_references_hold(url: String) {
        let (store, owner) = with_environments(&url, &["sandbox"]).await;
        let mut tx = store.begin().await.unwrap();
        match tx.insert(&environment(owner.id, "sandbox"), &[]).await {
            Err(Error::Taken { constraint }) => assert!(constraint.starts_with("environments"), "{constraint}"),
            other => panic!("{other:?}"),
        }
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        let stranger = OrganizationId::new(Uuid::now_v7());
        let refused = tx.insert(&environment(stranger, "sandbox"), &[]).await;
        assert!(matches!(refused, Err(Error::Reference)), "{refused:?}");
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        let refused = tx.remove(&owner).await;
        assert!(matches!(refused, Err(Error::Reference)), "{refused:?}");
    }

    async fn lists_are_paged_in_both_orders(url: String) {
        let (store, owner) = with_environments(&url, &["c", "a", "b", "d"]).await;
        let mine = [Condition::Is("organization_id", Arg::text(owner.id))];
        for (by, descending, expected) in [
            ("id", true, ["d", "b", "a", "c"]),
            ("id", false, ["c", "a", "b", "d"]),
            ("name", false, ["a", "b", "c", "d"]),
            ("name", true, ["d", "c", "b", "a"]),
        ] {
            let mut seen = Vec::new();
            let mut window = Window { by, descending, after: None, limit: 3 };
            loop {
                let page = entity::list::<Environment>(&mut &store, &mine, &window).await.unwrap();
                let Some(last) = page.last() else { break };
                let value = if by == "id" { last.id.to_string() } else { last.spec.name.to_string() };
                window.after = Some((value, last.id.to_string()));
                seen.extend(names(&page).into_iter().map(ToOwned::to_owned));
            }
            assert_eq!(seen, expected, "{by} {descending}");
        }
    }

    async fn conditions_select(url: String) {
        let (store, owner) = with_environments(&url, &["sandbox", "staging", "production"]).await;
        let window = Window { by: "name", descending: false, ..Window::default() };
        let text = |value: &str| Arg::text(value);
        let table = [
            (Condition::Is("name", text("staging")), vec!["staging"]),
            (Condition::Either("name", "id", text("staging")), vec!["staging"]),
            (Condition::In("name", vec!["sandbox".into(), "x".into(), "staging".into()]), vec!["sandbox", "staging"]),
            (Condition::In("name", vec![]), vec![]),
            (Condition::Contains("OF SANDBOX_".into()), vec!["sandbox"]),
            (Condition::Contains("50%".into()), vec!["production", "sandbox", "staging"]),
            (Condition::Contains("5%f".into()), vec![]),
            (Condition::Contains("o\\".into()), vec![]),
            (
                Condition::Among { table: "environments", column: "id", by: "name", value: text("production") },
                vec!["production"],
            ),
        ];
        for (condition, expected) in table {
            let both = [condition.clone(), Condition::Is("organization_id", Arg::text(owner.id))];
            let found = entity::list::<Environment>(&mut &store, &both, &window).await.unwrap();
            assert_eq!(names(&found), expected, "{condition:?}");
            let count = entity::count::<Environment>(&mut &store, &both).await.unwrap();
            assert_eq!(count, i64::try_from(expected.len()).unwrap());
        }
    }

    async fn one_membership_per_place_and_gone_with_the_user(url: String) {
        let (store, user) = with_user(&url).await;
        let owner = organization("default");
        let membership = || Membership {
            id: MembershipId::new(Uuid::now_v7()),
            organization_id: owner.id,
            spec: MembershipSpec { user_id: user.id, workspace_id: None, role: Role::Owner },
            email: user.email.clone(),
            created_at: now(),
            updated_at: now(),
            revision: 1,
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert(&owner, &[]).await.unwrap();
        tx.insert(&membership(), &[]).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let refused = tx.insert(&membership(), &[]).await;
        assert!(matches!(refused, Err(Error::Taken { .. })), "{refused:?}");
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        tx.remove(&user).await.unwrap();
        assert_eq!(entity::count::<Membership>(&mut tx, &[]).await.unwrap(), 0);
    }
}
