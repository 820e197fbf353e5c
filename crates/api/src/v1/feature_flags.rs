//! Feature flags, as people manage them; programs ask in `evaluations`.

mod change_requests;
mod comments;
mod history;
mod trial;
mod usage;

use control::Error;
use control::resource::Condition;
use domain::flag::{FeatureFlag, FeatureFlagSpec, FeatureFlagUse, FlagKey};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

pub(super) const COLLECTION: &str = "/api/v1/feature-flags";
const TAG: &str = "feature-flags";

/// `list_feature_flags`, `create_feature_flag`, `read_feature_flag`, `update_feature_flag`, `delete_feature_flag`, and those
/// of the modules below.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = vec![
        usage::list(),
        crud::create::<FeatureFlag>(),
        crud::read::<FeatureFlag>(),
        crud::update::<FeatureFlag>(),
        crud::delete::<FeatureFlag>(),
    ];
    endpoints.extend(trial::endpoints());
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

/// What is known of somebody, for examples.
pub(super) fn attributes() -> serde_json::Map<String, Value> {
    let known = json!({ "user_id": "123", "country": "DE", "app_version": "2.3.0" });
    known.as_object().cloned().unwrap_or_default()
}
