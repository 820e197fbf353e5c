//! Every test here runs on both databases.

mod entities;
mod identity;
mod schema;

use domain::Timestamp;
use domain::id::{OrganizationId, UserId};
use domain::identity::{Organization, OrganizationSpec, User};
use uuid::Uuid;

use crate::{Arg, Store};

fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

fn organization(name: &str) -> Organization {
    Organization {
        id: OrganizationId::new(Uuid::now_v7()),
        spec: OrganizationSpec {
            name: name.parse().unwrap(),
            title: format!("The {name}"),
        },
        created_at: now(),
        updated_at: now(),
        revision: 1,
    }
}

fn user(email: &str) -> User {
    User {
        id: UserId::new(Uuid::now_v7()),
        email: email.to_owned(),
        name: "Somebody".to_owned(),
        disabled: false,
        created_at: now(),
        updated_at: now(),
        revision: 1,
    }
}

async fn with_user(url: &str) -> (Store, User) {
    let store = Store::open(url).await.unwrap();
    let user = user("a@example.org");
    let mut tx = store.begin().await.unwrap();
    tx.insert(&user, &[("password_hash", Arg::text("x"))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (store, user)
}
