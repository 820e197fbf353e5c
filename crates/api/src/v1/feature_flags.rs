//! Feature flags: managed by people, asked by programs with an SDK key.

mod change_requests;
mod comments;
mod history;
mod usage;

use axum::response::Response;
use control::Error;
use control::flag::Attributes;
use control::resource::Condition;
use domain::flag::{
    FeatureFlag, FeatureFlagSpec, FeatureFlagUse, FlagEvaluation, FlagExplanation, FlagKey, FlagQuestion,
    FlagTrial,
};
use domain::id::FeatureFlagId;
use domain::{Code, Name};
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Shown};
use crate::endpoint::{Access, Endpoint};
use crate::links::Links;
use crate::parameter::{Parameter, text};
use crate::sdk_key::{self, Holder};
use crate::{answer, cors, problem};

/// Most bytes of what is known of somebody.
pub(crate) const QUESTION_BYTES_MAX: usize = 64 << 10;
const COLLECTION: &str = "/api/v1/feature-flags";
const TAG: &str = "feature-flags";

/// Whether a path is one that evaluates a flag, so that pages may ask for it with a key of theirs.
pub(crate) fn evaluates(path: &str) -> bool {
    let rest = path
        .strip_prefix(COLLECTION)
        .and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| rest.ends_with("/evaluate"))
}

/// `list_feature_flags`, `create_feature_flag`, `read_feature_flag`, `update_feature_flag`, `delete_feature_flag`,
/// `try_feature_flag`, `evaluate_feature_flag`, `evaluate_feature_flag_for`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = vec![
        usage::list(),
        crud::create::<FeatureFlag>(),
        crud::read::<FeatureFlag>(),
        crud::update::<FeatureFlag>(),
        crud::delete::<FeatureFlag>(),
    ];
    endpoints.extend([attempt(), evaluate(), evaluate_for()]);
    endpoints.extend(history::endpoints());
    endpoints.extend(comments::endpoints());
    endpoints.extend(change_requests::endpoints());
    endpoints.extend(usage::endpoints());
    endpoints
}

impl Shown for FeatureFlag {
    const COLLECTION: &'static str = COLLECTION;
    const TAG: &'static str = TAG;
    const ONE: &'static str = "a feature flag";
    const MANY: &'static str = "feature flags";
    const ABOUT: &'static str = "A feature flag is a switch whose state differs from one user to the next. Its variants are the \
        same everywhere; `environments` says for each environment who gets which: overrides for single units first, then \
        the first rule that fits, then `otherwise`. A split hands units out by a hash of the flag's key and the attribute \
        `by`, so that raising a share never moves anybody out of it. What is saved is compiled together with all other flags \
        of the organization; what is wrong is told with its place. A change is known within a second.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict, Code::EnvironmentProtected];
    const DELETE_REFUSALS: &'static [Code] = &[Code::InUse, Code::EnvironmentProtected];
    const NAME: &'static str = "key";
    type Extra = FeatureFlagUse;

    fn example() -> FeatureFlagSpec {
        let spec = json!({
            "key": "new-checkout",
            "title": "The new checkout",
            "tags": ["checkout"],
            "owner": "team-shop@acme.example",
            "type": "boolean",
            "variants": { "on": true, "off": false },
            "environments": { "production": {
                "enabled": true,
                "off": "off",
                "rules": [
                    {
                        "name": "staff",
                        "when": { "attribute": "email", "op": "ends_with", "values": ["@acme.example"] },
                        "serve": "on"
                    }
                ],
                "otherwise": { "split": { "on": 10.0, "off": 90.0 }, "by": "user_id" }
            } }
        });
        serde_json::from_value(spec).expect("it is a flag")
    }

    fn patch_example() -> Value {
        json!({ "environments": { "production": { "enabled": false } } })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[key]", "Only the one with this key.", text(100)),
                condition: |text| crud::is::<FlagKey>("name", text),
            },
            Filter {
                parameter: Parameter::query("filter[tag]", "Only those with this tag.", text(100)),
                condition: |text| Ok(Condition::Tagged(text.to_owned())),
            },
            Filter {
                parameter: Parameter::query("filter[owner]", "Only those of this owner.", text(200)),
                condition: |text| Ok(Condition::Field("owner", text.to_owned())),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[environment]",
                    "Only those that are in the environment of this name.",
                    text(100),
                ),
                condition: |text| {
                    let name: Name = text.parse().map_err(|error| format!("{error}"))?;
                    Ok(Condition::Has("environments", name.to_string()))
                },
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<FeatureFlagUse>, Error> {
        usage::uses(call, them).await
    }

    fn links(&self, links: Links) -> Links {
        let here = format!("{COLLECTION}/{}", self.id);
        [
            "try",
            "revisions",
            "comments",
            "change-requests",
            "evaluations",
            "code-references",
        ]
        .into_iter()
        .fold(links, |links, word| {
            links.and(&word.replace('-', "_"), format!("{here}/{word}"))
        })
    }
}

fn attempt() -> Endpoint {
    let example = FlagTrial {
        environment: "production".parse().expect("it is a name"),
        attributes: attributes(),
        at: None,
    };
    Endpoint::post(format!("{COLLECTION}/{{id}}/try"), "try_feature_flag")
        .tag(FeatureFlag::TAG)
        .says(
            "Try out a feature flag",
            "What somebody would get of the flag, with every step on the way: which prerequisites, overrides, rules and gates \
             were looked at, what held of them, and where in a split the unit is. Nothing is recorded.",
        )
        .not_idempotent()
        .takes_id::<FeatureFlagId>("The flag's id.")
        .body(&example)
        .answers::<FlagExplanation>(200, "What they would get, and why.")
        .refuses(&[Code::FlagNotFound])
        .to(|call| async move {
            let found = call
                .control()
                .try_feature_flag(&call.caller, call.id()?, call.json()?)
                .await?;
            answer::json(StatusCode::OK, &found)
        })
}

const EVALUATES: &str = "The flag's state in the environment of the SDK key. What is not known of somebody is never an error: a split \
    by an attribute that is missing gives the variant `off` with the reason `unit_missing`. A key of kind `client` may ask \
    for flags with `client_side` only, and is told values, never rules.";

fn asked(endpoint: Endpoint) -> Endpoint {
    endpoint
        .tag(FeatureFlag::TAG)
        .access(Access::Open)
        .not_idempotent()
        .frequent()
        .takes(Parameter::path("key", "The flag's key.", text(100)))
        .takes_sdk_key()
        .answers::<FlagEvaluation>(200, "What they get.")
        .refuses(&[Code::FlagNotFound])
}

fn evaluate() -> Endpoint {
    let any = json!({ "type": "object", "additionalProperties": { "type": "string", "maxLength": 8000 } });
    asked(
        Endpoint::get(format!("{COLLECTION}/{{key}}/evaluate"), "evaluate_feature_flag")
            .says("Evaluate a feature flag", EVALUATES),
    )
    .takes(Parameter::query(
        "attributes",
        "What is known of them, each as a parameter of its own: `?user_id=123&country=DE`.",
        any,
    ))
    .to(|call| async move {
        let known: Vec<_> = call
            .query
            .iter()
            .filter(|(name, _)| name != "key")
            .cloned()
            .collect();
        let attributes = Attributes::from_texts(&known);
        answer_evaluation(&call, attributes).await
    })
}

fn evaluate_for() -> Endpoint {
    let example = FlagQuestion {
        attributes: attributes(),
    };
    asked(
        Endpoint::post(
            format!("{COLLECTION}/{{key}}/evaluate"),
            "evaluate_feature_flag_for",
        )
        .says(
            "Evaluate a feature flag for somebody of whom more is known",
            EVALUATES,
        ),
    )
    .body(&example)
    .body_as(|body| body.bytes_max = QUESTION_BYTES_MAX)
    .to(|call| async move {
        let question = call.json::<FlagQuestion>();
        let attributes = question.and_then(|question| Attributes::from_json(&question.attributes));
        answer_evaluation(&call, attributes).await
    })
}

async fn answer_evaluation(call: &Call, attributes: Result<Attributes, Error>) -> Result<Response, Error> {
    let holder = sdk_key::identify(call).await?;
    let found = evaluated(call, &holder, attributes).await;
    let mut response = found.unwrap_or_else(|error| problem::answer(&call.origin(), &error));
    if let Some(page) = holder.page {
        cors::admit(page, &mut response);
    }
    Ok(response)
}

async fn evaluated(
    call: &Call,
    holder: &Holder,
    attributes: Result<Attributes, Error>,
) -> Result<Response, Error> {
    let flag: String = call.path("key")?;
    let sets = call.control().flag_sets().await?;
    let found = sets.evaluate(&holder.key, &flag, &attributes?, call.control().now())?;
    answer::json(StatusCode::OK, &found)
}

/// What could be known of somebody.
pub(super) fn attributes() -> serde_json::Map<String, Value> {
    let known = json!({ "user_id": "123", "country": "DE", "app_version": "2.3.0" });
    known.as_object().cloned().unwrap_or_default()
}
