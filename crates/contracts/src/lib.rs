//! Contracts: reading OpenAPI documents, with a place and advice for whatever is wrong.
//!
//! Here belongs what can be said about a contract from its text alone: which operations it has, what is wrong
//! with it and where, and the document as consumers should see it. No file, network, clock or database: the
//! caller brings the text. Start with [`read`]; [`Contract::effective`] makes the published document.
//!
//! What stops a gateway from serving the contract unambiguously is an error and refuses it; anything else is
//! a warning or a hint, because documents in use are sloppy.
//!
//! The way of a document: `source` (text to positioned tree, by `json` or `yaml`) → `document` (version, info,
//! servers) → `operation` (paths, methods, parameters) → `reference` (every `$ref` leads somewhere).

mod contract;
mod data;
mod document;
mod effective;
mod json;
mod limit;
mod node;
mod operation;
mod parameter;
mod path;
mod reference;
mod report;
mod rule;
mod source;
mod template;
mod yaml;

pub use contract::{Contract, Format, Operation, Parameter, ParameterPlace};
pub use data::data;
pub use document::read;
pub use domain::finding::{Finding, Severity};
pub use effective::Effective;
pub use limit::{Limit, Limits, Reason, Refusal};
pub use rule::Rule;
pub use template::{Part, Template};
