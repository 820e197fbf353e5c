//! `call_cost`: says for how many calls a call counts.

use domain::limit::{COST_MAX, Tier};
use expression::{Expression, Facts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::{Call, Cost};
use crate::kind::{Builtin, Fault};
use crate::verdict::Verdict;
use crate::{Phase, Policy, State};

/// What a call costs: exactly one of the fields.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A tier, for which each plan says how many calls it counts for: 1, 5 and 25 unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The number of calls; 0 is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub units: Option<u32>,
    /// A CEL expression for the number of calls, over `method`, `host`, `path` (below the route), the maps `query`,
    /// `headers` and `cookies`, and `body_bytes` (what `Content-Length` says): `1 + body_bytes / 65536`. Where it fails
    /// or is negative, the call counts for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub expression: Option<String>,
}

/// The compiled policy.
#[derive(Debug)]
pub struct CallCost(Known);

#[derive(Debug)]
enum Known {
    Ahead(Cost),
    ByCall(Expression),
}

impl Builtin for CallCost {
    type Config = Config;
    const NAME: &'static str = "call_cost";
    const TITLE: &'static str = "Cost of calls";
    const DESCRIPTION: &'static str = "Lets a call count for several calls on every rate limit and quota, or for none. \
        Of several, the most special one holds: an operation's before its API's.";
    const TAKES_AUDIENCE: bool = true;

    fn build(config: Config, _: Option<&State>) -> Result<Self, Vec<Fault>> {
        let fault = |pointer: &str, detail: String| Err(vec![Fault::new(pointer, detail)]);
        let known = match (config.tier, config.units, config.expression) {
            (Some(tier), None, None) => Known::Ahead(Cost::Tier(tier)),
            (None, Some(units), None) if units > COST_MAX => {
                return fault("/units", format!("at most {COST_MAX}"));
            }
            (None, Some(units), None) => Known::Ahead(Cost::Units(units)),
            (None, None, Some(text)) => match Expression::number(&text) {
                Ok(expression) => Known::ByCall(expression),
                Err(error) => return fault("/expression", error.to_string()),
            },
            _ => return fault("", "exactly one of `tier`, `units` and `expression`".to_owned()),
        };
        Ok(Self(known))
    }
}

impl Policy for CallCost {
    // Before the plan's limits count the call.
    fn phase(&self) -> Phase {
        Phase::Authenticate
    }

    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        call.cost = match &self.0 {
            Known::Ahead(cost) => *cost,
            Known::ByCall(expression) => {
                let facts = Facts {
                    method: call.method,
                    host: call.host,
                    path: call.path,
                    query: call.query,
                    headers: call.headers,
                };
                let units = expression.value(&facts).ok();
                let units = units.and_then(|units| u32::try_from(units).ok());
                Cost::Units(units.unwrap_or(1).min(COST_MAX))
            }
        };
        Verdict::Continue
    }
}
