//! The policies that ship with Gateline, one file each.

pub mod bandwidth_limit;
pub mod body_limit;
pub mod call_cost;
pub mod concurrency_limit;
pub mod cors;
pub mod feature_flags;
pub mod grpc_web;
pub mod headers;
pub mod key_auth;
pub mod rate_limit;
