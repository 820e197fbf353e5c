use std::time::Duration;

use domain::audit::AuditEntry;
use domain::id::{AuditId, ClientId, MembershipId, OrganizationId, SessionId, UserId, WorkId, WorkspaceId};
use domain::identity::{Client, ClientSpec, Membership, MembershipSpec, Role};
use domain::work::{Work, WorkStatus};
use uuid::Uuid;

use super::{now, organization, with_user};
use crate::audit::{self, Filter, Head};
use crate::failure::{self, Failures};
use crate::idempotency::{self, Place};
use crate::session::{self, Kind, Session};
use crate::{Arg, Store, entity, on_both, tenant, work};

fn session_of(user: UserId, kind: Kind) -> Session {
    let id = SessionId::new(Uuid::now_v7());
    Session {
        id,
        user_id: user,
        kind,
        token_hash: id.to_string(),
        generation: 1,
        created_at: now(),
        seen_at: now(),
        expires_at: now().after(Duration::from_secs(60)),
    }
}

fn membership(
    organization: OrganizationId,
    user: UserId,
    workspace: Option<WorkspaceId>,
    role: Role,
) -> Membership {
    Membership {
        id: MembershipId::new(Uuid::now_v7()),
        organization_id: organization,
        spec: MembershipSpec {
            user_id: user,
            workspace_id: workspace,
            role,
        },
        email: "a@example.org".to_owned(),
        created_at: now(),
        updated_at: now(),
        revision: 1,
    }
}

on_both! {
    async fn sessions_live_and_end(url: String) {
        let (store, user) = with_user(&url).await;
        let (web, program, script) =
            (session_of(user.id, Kind::Web), session_of(user.id, Kind::Refresh), session_of(user.id, Kind::Script));
        let mut tx = store.begin().await.unwrap();
        for session in [&web, &program, &script] {
            session::insert(&mut tx, session).await.unwrap();
        }
        let later = now().after(Duration::from_secs(5));
        session::touch(&mut tx, web.id, later).await.unwrap();
        assert!(session::rotate(&mut tx, &program, "next", later).await.unwrap());
        assert!(!session::rotate(&mut tx, &program, "again", later).await.unwrap());
        tx.commit().await.unwrap();
        let found = session::find_by_hash(&store, &web.token_hash).await.unwrap().unwrap();
        assert_eq!(found, Session { seen_at: later, ..web.clone() });
        let found = session::find(&mut &store, program.id).await.unwrap().unwrap();
        assert_eq!((found.generation, found.token_hash.as_str()), (2, "next"));
        assert_eq!(session::find(&mut &store, script.id).await.unwrap(), Some(script.clone()));
        let mut tx = store.begin().await.unwrap();
        assert!(session::remove(&mut tx, script.id).await.unwrap());
        assert!(!session::remove(&mut tx, script.id).await.unwrap());
        assert_eq!(session::remove_all(&mut tx, user.id, Some(web.id)).await.unwrap(), 1);
        assert_eq!(session::remove_expired(&mut tx, now()).await.unwrap(), 0);
        assert_eq!(session::remove_expired(&mut tx, web.expires_at).await.unwrap(), 1);
        assert_eq!(session::remove_all(&mut tx, user.id, None).await.unwrap(), 0);
    }

    async fn members_are_those_who_may_sign_in(url: String) {
        let (store, user) = with_user(&url).await;
        let (first, second) = (organization("first"), organization("second"));
        let session = session_of(user.id, Kind::Refresh);
        assert_eq!(session::members(&mut &store, user.id, None).await.unwrap(), Some(Vec::new()));
        let workspace = WorkspaceId::new(Uuid::now_v7());
        let owner = membership(second.id, user.id, None, Role::Owner);
        let mut tx = store.begin().await.unwrap();
        tx.insert(&first, &[]).await.unwrap();
        tx.insert(&second, &[]).await.unwrap();
        tx.insert(&owner, &[]).await.unwrap();
        tx.insert(&membership(first.id, user.id, Some(workspace), Role::Publisher), &[]).await.unwrap();
        session::insert(&mut tx, &session).await.unwrap();
        tx.commit().await.unwrap();
        let members = session::members(&mut &store, user.id, Some(session.id)).await.unwrap().unwrap();
        let told: Vec<_> = members.iter().map(|it| (it.name.as_str(), it.workspace_id, it.role)).collect();
        assert_eq!(told, [("second", None, Role::Owner), ("first", Some(workspace), Role::Publisher)]);
        assert_eq!(members[0].title, "The second");
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tenant::other_owners(&mut tx, second.id, owner.id).await.unwrap(), 0);
        let another = MembershipId::new(Uuid::now_v7());
        assert_eq!(tenant::other_owners(&mut tx, second.id, another).await.unwrap(), 1);
        tenant::remove_workspace_roles(&mut tx, workspace).await.unwrap();
        let disabled = domain::identity::User { disabled: true, revision: 2, ..user.clone() };
        tx.update(&disabled, 1, &[]).await.unwrap();
        session::remove(&mut tx, session.id).await.unwrap();
        assert_eq!(session::members(&mut tx, user.id, None).await.unwrap(), None);
        assert_eq!(session::memberships_of(&mut tx, user.id).await.unwrap().len(), 1);
        tx.update(&user, 2, &[]).await.unwrap();
        assert_eq!(session::members(&mut tx, user.id, Some(session.id)).await.unwrap(), None);
        tenant::empty(&mut tx, second.id).await.unwrap();
        tx.remove(&second).await.unwrap();
    }

    async fn passwords_and_secrets_are_kept_beside(url: String) {
        let (store, user) = with_user(&url).await;
        let owner = organization("default");
        let client = Client {
            id: ClientId::new(Uuid::now_v7()),
            organization_id: owner.id,
            spec: ClientSpec { title: "CI".to_owned(), role: Role::Publisher },
            created_at: now(),
            updated_at: now(),
            revision: 1,
        };
        let mut tx = store.begin().await.unwrap();
        session::set_password(&mut tx, user.id, "hash").await.unwrap();
        tx.insert(&owner, &[]).await.unwrap();
        tx.insert(&client, &[("secret_hash", Arg::text("one"))]).await.unwrap();
        let after = Client { revision: 2, ..client.clone() };
        tx.update(&after, 1, &[("secret_hash", Arg::text("two"))]).await.unwrap();
        tx.commit().await.unwrap();
        let found = session::credentials(&mut &store, "a@example.org").await.unwrap().unwrap();
        assert_eq!((found.user_id, found.password_hash.as_str(), found.disabled), (user.id, "hash", false));
        assert_eq!(session::credentials(&mut &store, "b@example.org").await.unwrap(), None);
        let hash = session::client_secret(&mut &store, client.id).await.unwrap();
        assert_eq!(hash.as_deref(), Some("two"));
    }

    async fn failures_are_counted(url: String) {
        let store = Store::open(&url).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(failure::read(&mut tx, "a").await.unwrap(), None);
        for count in [1, 2] {
            failure::write(&mut tx, "a", Failures { count, last_at: now() }).await.unwrap();
        }
        failure::take_back(&mut tx, "a").await.unwrap();
        assert_eq!(failure::read(&mut tx, "a").await.unwrap(), Some(Failures { count: 1, last_at: now() }));
        assert_eq!(failure::forget_before(&mut tx, now()).await.unwrap(), 0);
        failure::forget(&mut tx, "a").await.unwrap();
        failure::write(&mut tx, "b", Failures { count: 1, last_at: now() }).await.unwrap();
        assert_eq!(failure::forget_before(&mut tx, now().after(Duration::from_secs(1))).await.unwrap(), 1);
    }

    async fn a_place_is_taken_once(url: String) {
        let store = Store::open(&url).await.unwrap();
        let place = Place { organization: "o".into(), operation: "create_api".into(), key: "k".into() };
        assert_eq!(idempotency::read(&store, &place).await.unwrap(), None);
        let mut tx = store.begin().await.unwrap();
        assert!(idempotency::take(&mut tx, &place, "print", now()).await.unwrap());
        assert!(!idempotency::take(&mut tx, &place, "print", now()).await.unwrap());
        tx.commit().await.unwrap();
        let kept = idempotency::read(&store, &place).await.unwrap().unwrap();
        assert_eq!((kept.fingerprint.as_str(), &kept.answer, kept.created_at), ("print", &None, now()));
        let mut tx = store.begin().await.unwrap();
        let later = now().after(Duration::from_secs(1));
        idempotency::answer(&mut tx, &place, later, vec![9]).await.unwrap();
        idempotency::remove(&mut tx, &place, later).await.unwrap();
        idempotency::answer(&mut tx, &place, now(), vec![1, 2]).await.unwrap();
        tx.commit().await.unwrap();
        let kept = idempotency::read(&store, &place).await.unwrap().unwrap();
        assert_eq!(kept.answer, Some(vec![1, 2]));
        let mut tx = store.begin().await.unwrap();
        assert_eq!(idempotency::remove_before(&mut tx, now()).await.unwrap(), 0);
        assert_eq!(idempotency::remove_before(&mut tx, later).await.unwrap(), 1);
        assert!(idempotency::take(&mut tx, &place, "other", later).await.unwrap());
        idempotency::remove(&mut tx, &place, later).await.unwrap();
        assert!(idempotency::take(&mut tx, &place, "other", later).await.unwrap());
    }

    async fn chains_are_kept_listed_and_read(url: String) {
        let store = Store::open(&url).await.unwrap();
        let owner = OrganizationId::new(Uuid::now_v7());
        let mut tx = store.begin().await.unwrap();
        assert_eq!(audit::head(&mut tx, owner).await.unwrap(), None);
        let mut entries = Vec::new();
        for sequence in 1..=3 {
            let entry = AuditEntry {
                id: AuditId::new(Uuid::now_v7()),
                organization_id: owner,
                sequence,
                at: now().after(Duration::from_secs(sequence.unsigned_abs())),
                actor: "system".to_owned(),
                action: if sequence == 2 { "update_api" } else { "create_api" }.to_owned(),
                resource: format!("api_{sequence}"),
                before: None,
                after: Some(serde_json::json!({ "ä": [1, -2, null, true, 1.5], "b": { "c": "\"\\" } })),
                request_id: None,
                previous: "p".to_owned(),
                hash: format!("h{sequence}"),
            };
            audit::insert(&mut tx, &entry).await.unwrap();
            let head = Head { sequence, hash: entry.hash.clone(), mac: "m".to_owned() };
            audit::set_head(&mut tx, owner, &head).await.unwrap();
            entries.push(entry);
        }
        tx.commit().await.unwrap();
        let head = audit::head(&mut &store, owner).await.unwrap().unwrap();
        assert_eq!((head.sequence, head.hash.as_str(), head.mac.as_str()), (3, "h3", "m"));
        let rows = audit::after(&store, owner, 1, 10).await.unwrap();
        let rows: Vec<_> = rows.into_iter().map(|row| (row.sequence, row.entry)).collect();
        assert_eq!(rows, [(2, Some(entries[1].clone())), (3, Some(entries[2].clone()))]);
        assert_eq!(audit::find(&store, owner, entries[0].id).await.unwrap(), Some(entries[0].clone()));
        let all = Filter { limit: 10, ..Filter::default() };
        let table = [
            (all.clone(), vec![3, 2, 1]),
            (Filter { limit: 1, ..all.clone() }, vec![3]),
            (Filter { below: Some(3), ..all.clone() }, vec![2, 1]),
            (Filter { action: Some("create_api".into()), ..all.clone() }, vec![3, 1]),
            (Filter { actor: Some("nobody".into()), ..all.clone() }, vec![]),
            (Filter { resource: Some("api_2".into()), ..all.clone() }, vec![2]),
            (Filter { from: Some(entries[1].at), to: Some(entries[2].at), ..all }, vec![2]),
        ];
        for (filter, expected) in table {
            let found = audit::list(&store, owner, &filter).await.unwrap();
            assert_eq!(found.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), expected, "{filter:?}");
        }
        let mut tx = store.begin().await.unwrap();
        tx.execute("UPDATE audit SET action = 'x' WHERE sequence = 2", &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(audit::after(&store, owner, 1, 1).await.unwrap()[0].entry, None);
    }

    async fn ended_work_is_forgotten(url: String) {
        let store = Store::open(&url).await.unwrap();
        let owner = organization("default");
        let work_with = |status| Work {
            id: WorkId::new(Uuid::now_v7()),
            organization_id: owner.id,
            workspace_id: None,
            kind: "import_api".to_owned(),
            status,
            progress: 0,
            result: None,
            error: None,
            created_at: now(),
            updated_at: now(),
            revision: 1,
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert(&owner, &[]).await.unwrap();
        tx.insert(&work_with(WorkStatus::Running), &[]).await.unwrap();
        tx.insert(&work_with(WorkStatus::Failed), &[]).await.unwrap();
        let newest = WorkId::new(Uuid::max());
        assert_eq!(work::remove_before(&mut tx, newest).await.unwrap(), 1);
        assert_eq!(entity::count::<Work>(&mut tx, &[]).await.unwrap(), 1);
    }
}
