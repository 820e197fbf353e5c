//! How a call finds its target.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How one of several targets is chosen; every algorithm heeds their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Of two taken by weight the one that has answered faster and has less to do.
    #[default]
    P2cEwma,
    /// In turn, each as often as its weight says.
    RoundRobin,
    /// The one with the fewest calls under way, in turn if there are several.
    LeastRequests,
    /// The same one for calls with the same key, as long as it is healthy.
    ConsistentHash,
    /// Any, by weight.
    Random,
}

/// What calls of one client have in common, for `consistent_hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashOn {
    /// The value of the header field `hash_name`.
    Header,
    /// The value of the cookie `hash_name`.
    Cookie,
    /// The client's address.
    ClientAddress,
    /// The application whose key the call carries.
    Application,
}

/// How a call finds a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Balancing {
    /// How one is chosen.
    pub algorithm: Algorithm,
    /// The key of `consistent_hash`; a call that has none goes to any target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_on: Option<HashOn>,
    /// The header field or cookie that `hash_on` means.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub hash_name: Option<String>,
    /// With `consistent_hash`: the calls under way that a target may have, in percent of its fair share of all
    /// of them; further ones go to the key's next target. 101 to 1000; 0 for no bound.
    #[schema(maximum = 1000)]
    pub hash_load_max_percent: u32,
    /// How long a target that joins or recovers is brought up to its weight, in milliseconds: up to an hour, 0
    /// for at once.
    #[schema(maximum = 3_600_000)]
    pub slow_start_ms: u32,
    /// Targets in the node's own zone are used alone while at least this share of them is healthy, in percent.
    #[schema(minimum = 1, maximum = 100)]
    pub zone_healthy_min_percent: u8,
    /// If less than this share of all targets is healthy, in percent, all are used as if they were; 0 for never:
    /// then calls are refused with `upstream_none` when none is.
    #[schema(maximum = 100)]
    pub panic_percent: u8,
}

impl Default for Balancing {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::default(),
            hash_on: None,
            hash_name: None,
            hash_load_max_percent: 0,
            slow_start_ms: 0,
            zone_healthy_min_percent: 70,
            panic_percent: 30,
        }
    }
}
