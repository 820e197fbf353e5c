//! `grpc_web`: lets browsers call a service of gRPC.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::{Builtin, Fault};
use crate::{Policy, State};

/// Nothing is to be chosen.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The compiled policy.
#[derive(Debug)]
pub struct GrpcWeb;

impl Builtin for GrpcWeb {
    type Config = Config;
    const NAME: &'static str = "grpc_web";
    const TITLE: &'static str = "gRPC-Web";
    const DESCRIPTION: &'static str = "Translates calls of gRPC-Web, as browsers make them, into gRPC and back, \
        binary and as text. Other calls pass as they are. The upstream has to speak HTTP/2; pages of other origins \
        need a `cors` policy besides.";

    fn build(_: Config, _: Option<&State>) -> Result<Self, Vec<Fault>> {
        Ok(Self)
    }
}

impl Policy for GrpcWeb {
    fn translates_grpc_web(&self) -> bool {
        true
    }
}
