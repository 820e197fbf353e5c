//! `body_limit`: bounds the request's body.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::{Builtin, Fault};
use crate::{Policy, State};

/// How large a request's body may be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The most bytes that are forwarded; the route's own limit holds as well.
    pub bytes: u64,
}

/// The compiled policy.
#[derive(Debug)]
pub struct BodyLimit {
    bytes: u64,
}

impl Builtin for BodyLimit {
    type Config = Config;
    const NAME: &'static str = "body_limit";
    const TITLE: &'static str = "Body size";
    const DESCRIPTION: &'static str = "Refuses requests whose body is larger than a number of bytes: at once if \
        `Content-Length` tells, otherwise as soon as that many bytes have passed.";

    fn build(config: Config, _: Option<&State>) -> Result<Self, Vec<Fault>> {
        Ok(Self { bytes: config.bytes })
    }
}

impl Policy for BodyLimit {
    fn body_bytes_max(&self) -> Option<u64> {
        Some(self.bytes)
    }
}
