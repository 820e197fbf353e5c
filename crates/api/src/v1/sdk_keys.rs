//! SDK keys: made, shown once, followed by another, revoked.

use axum::response::Response;
use control::Error;
use control::resource::Condition;
use domain::consumer::{KeyState, OVERLAP_SECONDS_DEFAULT, RotateSpec};
use domain::id::SdkKeyId;
use domain::tracking::{IssuedSdkKey, SdkKey, SdkKeyKind, SdkKeySpec, SdkKeyUse};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, one_of, text};

/// `list_sdk_keys`, `create_sdk_key`, `read_sdk_key`, `update_sdk_key`, `rotate_sdk_key`, `revoke_sdk_key`.
///
/// A key is never removed: audit refers to it.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        crud::list::<SdkKey>(),
        create(),
        crud::read::<SdkKey>(),
        crud::update::<SdkKey>(),
        rotate(),
        revoke(),
    ]
}

impl Shown for SdkKey {
    const COLLECTION: &'static str = "/api/v1/sdk-keys";
    const TAG: &'static str = "tracking";
    const ONE: &'static str = "an SDK key";
    const MANY: &'static str = "SDK keys";
    const ABOUT: &'static str = "An SDK key asks for feature flags and records events in one environment. One of kind `server` is secret. One of \
        kind `client` may stand in a page or app, where everybody can read it: it is told values of flags that are for \
        clients, and nothing else, and `origins` says whose pages may use it. Its text is told once, when it is made; only its hash is kept. Only title, origins, rate \
        limit and expiry can be changed.";
    const REFUSALS: &'static [Code] = &[Code::Conflict];
    type Extra = SdkKeyUse;

    fn example() -> SdkKeySpec {
        SdkKeySpec {
            kind: SdkKeyKind::Client,
            environment: "production".parse().expect("it is a name"),
            title: "Shop".to_owned(),
            origins: vec!["https://shop.example".to_owned()],
            encrypt_payload: false,
            rate_limit: None,
            expires_at: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Shop and blog", "origins": ["https://*.shop.example"] })
    }

    fn filters() -> Vec<Filter> {
        vec![
            Filter {
                parameter: Parameter::query(
                    "filter[state]",
                    "Only those in this state.",
                    one_of(&["active", "revoked"]),
                ),
                condition: |text| word("state", text, &["active", "revoked"]),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[kind]",
                    "Only those of this kind.",
                    one_of(&["server", "client"]),
                ),
                condition: |text| word("kind", text, &["server", "client"]),
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
        match self.state {
            KeyState::Active => links
                .and("rotate", format!("/api/v1/sdk-keys/{}/rotate", self.id))
                .and("revoke", format!("/api/v1/sdk-keys/{}/revoke", self.id)),
            KeyState::Revoked => links,
        }
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<SdkKeyUse>, Error> {
        let ids: Vec<_> = them.iter().map(|key| key.id).collect();
        let uses = call.control().sdk_key_uses(&ids).await?;
        let used = |id| SdkKeyUse {
            last_used_at: uses.get(id).copied(),
        };
        Ok(ids.iter().map(used).collect())
    }
}

fn word(column: &'static str, text: &str, words: &[&str]) -> Result<Condition, String> {
    if words.contains(&text) {
        crud::is::<String>(column, text)
    } else {
        Err(format!("it is `{}`", words.join("` or `")))
    }
}

/// A key that was just made, with what features are encrypted with.
async fn answer(call: &Call, issued: IssuedSdkKey) -> Result<Response, Error> {
    let mut secrets = vec![("key", issued.key.as_str())];
    secrets.extend(issued.payload_key.as_deref().map(|key| ("payload_key", key)));
    crud::answer_secrets(call, issued.info, &secrets).await
}

fn create() -> Endpoint {
    Endpoint::post("/api/v1/sdk-keys", "create_sdk_key")
        .tag("tracking")
        .says("Create an SDK key", SdkKey::ABOUT)
        .body(&SdkKey::example())
        .answers_shown::<IssuedSdkKey, SdkKeyUse>(201, "The key, with its text.")
        .with_headers(&["ETag", "Location"])
        .refuses(&[Code::Conflict])
        .to(|call| async move {
            let issued = call
                .control()
                .issue_sdk_key(&call.caller, call.json::<SdkKeySpec>()?)
                .await?;
            answer(&call, issued).await
        })
}

fn rotate() -> Endpoint {
    let example = RotateSpec {
        overlap_seconds: OVERLAP_SECONDS_DEFAULT,
    };
    Endpoint::post("/api/v1/sdk-keys/{id}/rotate", "rotate_sdk_key")
        .tag("tracking")
        .says(
            "Follow an SDK key by another",
            "Makes a new key; the old one stays valid for `overlap_seconds`, so that every place that uses it can be \
             changed in time.",
        )
        .takes_id::<SdkKeyId>("The key's id.")
        .body(&example)
        .body_as(|body| body.required = false)
        .answers_shown::<IssuedSdkKey, SdkKeyUse>(201, "The new key, with its text.")
        .with_headers(&["ETag", "Location"])
        .refuses(&[Code::Conflict])
        .to(|call| async move {
            let spec = match call.body.is_empty() {
                true => RotateSpec::default(),
                false => call.json()?,
            };
            let issued = call
                .control()
                .rotate_sdk_key(&call.caller, call.id()?, spec)
                .await?;
            answer(&call, issued).await
        })
}

fn revoke() -> Endpoint {
    Endpoint::post("/api/v1/sdk-keys/{id}/revoke", "revoke_sdk_key")
        .tag("tracking")
        .says(
            "Revoke an SDK key",
            "It is refused within a second, for ever. Revoking a revoked key changes nothing.",
        )
        .takes_id::<SdkKeyId>("The key's id.")
        .answers_shown::<SdkKey, SdkKeyUse>(200, "The key as it is now.")
        .with_headers(&["ETag"])
        .to(|call| async move {
            let revoked = call.control().revoke_sdk_key(&call.caller, call.id()?).await?;
            crud::answer_one(&call, revoked).await
        })
}
