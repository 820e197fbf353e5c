//! Environments.

use control::Error;
use domain::identity::{Environment, EnvironmentSpec};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_environments`, `create_environment`, `read_environment`, `update_environment`, `delete_environment`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Environment>()
}

impl Shown for Environment {
    const COLLECTION: &'static str = "/api/v1/environments";
    const TAG: &'static str = "organizations";
    const ONE: &'static str = "an environment";
    const MANY: &'static str = "environments";
    const ABOUT: &'static str = "Keys and routes differ per environment. Every gateway node serves one; the name stands in every key. \
        In one with `protected: true`, what feature flags give is changed once somebody else has approved it.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::EnvironmentProtected];
    type Extra = Nothing;

    fn example() -> EnvironmentSpec {
        EnvironmentSpec {
            name: "staging".parse().expect("it is a name"),
            title: "Staging".to_owned(),
            protected: false,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Staging (Frankfurt)" })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links.and(
            "routes",
            format!("/api/v1/routes?filter[environment]={}", self.spec.name),
        )
    }
}
