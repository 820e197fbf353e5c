//! API keys: made, shown once, followed by another, revoked.

use control::Error;
use control::resource::Condition;
use domain::consumer::{
    IssuedKey, Key, KeySpec, KeyState, KeyUse, OVERLAP_SECONDS_DEFAULT, QuickKeySpec, RotateSpec,
};
use domain::id::{ApplicationId, KeyId};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, one_of, text};
use crate::schema::reference;

/// `list_keys`, `create_key`, `create_quick_key`, `read_key`, `update_key`, `rotate_key`, `revoke_key`.
///
/// A key is never removed: usage and audit refer to it.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        crud::list::<Key>(),
        create(),
        quick(),
        crud::read::<Key>(),
        crud::update::<Key>(),
        rotate(),
        revoke(),
    ]
}

impl Shown for Key {
    const COLLECTION: &'static str = "/api/v1/keys";
    const TAG: &'static str = "consumers";
    const ONE: &'static str = "an API key";
    const MANY: &'static str = "API keys";
    const ABOUT: &'static str = "An API key lets an application call everything it is subscribed to, in one environment. \
        Its text is told once, when it is made; only its hash is kept. Only title and expiry can be changed.";
    const REFUSALS: &'static [Code] = &[Code::Conflict];
    type Extra = KeyUse;

    fn example() -> KeySpec {
        KeySpec {
            application_id: "app_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            environment: "sandbox".parse().expect("it is a name"),
            title: "Laptop".to_owned(),
            expires_at: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Server", "expires_at": "2027-01-01T00:00:00Z" })
    }

    fn filters() -> Vec<Filter> {
        vec![
            Filter {
                parameter: Parameter::query(
                    "filter[application]",
                    "Only those of this application.",
                    reference("ApplicationId"),
                ),
                condition: |text| crud::is::<ApplicationId>("application_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[state]",
                    "Only those in this state.",
                    one_of(&["active", "revoked"]),
                ),
                condition: state,
            },
            Filter {
                parameter: Parameter::query(
                    "filter[environment]",
                    "Only those of this environment, by name.",
                    text(63),
                ),
                condition: |text| crud::is::<Name>("environment", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        let links = links.and(
            "application",
            format!("/api/v1/applications/{}", self.spec.application_id),
        );
        match self.state {
            KeyState::Active => links
                .and("rotate", format!("/api/v1/keys/{}/rotate", self.id))
                .and("revoke", format!("/api/v1/keys/{}/revoke", self.id)),
            KeyState::Revoked => links,
        }
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<KeyUse>, Error> {
        let ids: Vec<_> = them.iter().map(|key| key.id).collect();
        let uses = call.control().key_uses(&ids).await?;
        let used = |key: &Self| KeyUse {
            last_used_at: uses.get(&key.id).copied(),
        };
        Ok(them.iter().map(used).collect())
    }
}

fn state(text: &str) -> Result<Condition, String> {
    match text {
        "active" | "revoked" => crud::is::<String>("state", text),
        _ => Err("it is `active` or `revoked`".to_owned()),
    }
}

fn create() -> Endpoint {
    Endpoint::post("/api/v1/keys", "create_key")
        .tag("consumers")
        .says("Create an API key", Key::ABOUT)
        .body(&Key::example())
        .answers_shown::<IssuedKey, KeyUse>(201, "The key, with its text.")
        .with_headers(&["ETag", "Location"])
        .refuses(&[Code::KeyLimitReached])
        .to(|call| async move {
            let issued = call
                .control()
                .issue_key(&call.caller, call.json::<KeySpec>()?)
                .await?;
            crud::answer_issued(&call, issued.info, &issued.key).await
        })
}

fn quick() -> Endpoint {
    let example = QuickKeySpec {
        api: "pet-store".to_owned(),
        plan: "free".parse().expect("it is a name"),
        environment: None,
        application: None,
        title: String::new(),
    };
    Endpoint::post("/api/v1/keys/quick", "create_quick_key")
        .tag("consumers")
        .says(
            "Create an API key for an API in one step",
            "Makes the application and its subscription when they are missing, and a new key in any case.",
        )
        .body(&example)
        .answers_shown::<IssuedKey, KeyUse>(201, "The key, with its text.")
        .with_headers(&["ETag", "Location"])
        .refuses(&[Code::KeyLimitReached, Code::NotFound, Code::Conflict])
        .to(|call| async move {
            let spec = call.json::<QuickKeySpec>()?;
            let issued = call.control().quick_key(&call.caller, spec).await?;
            crud::answer_issued(&call, issued.info, &issued.key).await
        })
}

fn rotate() -> Endpoint {
    let example = RotateSpec {
        overlap_seconds: OVERLAP_SECONDS_DEFAULT,
    };
    Endpoint::post("/api/v1/keys/{id}/rotate", "rotate_key")
        .tag("consumers")
        .says(
            "Follow an API key by another",
            "Makes a new key; the old one stays valid for `overlap_seconds`, so that every place that uses it can be \
             changed in time.",
        )
        .takes_id::<KeyId>("The key's id.")
        .body(&example)
        .body_as(|body| body.required = false)
        .answers_shown::<IssuedKey, KeyUse>(201, "The new key, with its text.")
        .with_headers(&["ETag", "Location"])
        .refuses(&[Code::Conflict, Code::KeyLimitReached])
        .to(|call| async move {
            let spec = match call.body.is_empty() {
                true => RotateSpec::default(),
                false => call.json()?,
            };
            let issued = call.control().rotate_key(&call.caller, call.id()?, spec).await?;
            crud::answer_issued(&call, issued.info, &issued.key).await
        })
}

fn revoke() -> Endpoint {
    Endpoint::post("/api/v1/keys/{id}/revoke", "revoke_key")
        .tag("consumers")
        .says(
            "Revoke an API key",
            "Gateways refuse it within a second, for ever. Revoking a revoked key changes nothing.",
        )
        .takes_id::<KeyId>("The key's id.")
        .answers_shown::<Key, KeyUse>(200, "The key as it is now.")
        .with_headers(&["ETag"])
        .to(|call| async move {
            let revoked = call.control().revoke_key(&call.caller, call.id()?).await?;
            crud::answer_one(&call, revoked).await
        })
}
