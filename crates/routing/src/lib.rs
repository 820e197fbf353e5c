//! Which route and operation a request meets.
//!
//! Here belongs what decides where a request goes: the table of hosts and base paths, the conditions of routes, the
//! tree of an API's path templates, and the rules that what leads to a service has to keep ([`rules`]). The gateway asks it for every request; the control plane asks the same code to
//! check a route before it is saved and to explain where a request would go. No I/O, no clock, no random source.
//!
//! # The order in which routes are tried
//!
//! 1. the host: the same name, then wildcards (`*.example.com`, one or more labels) from the longest to the
//!    shortest, then routes of any host;
//! 2. on a host, the base path: the longest first;
//! 3. on a base path, routes in falling `priority`, then those with more conditions, then the older (smaller id).
//!
//! The first route whose conditions all hold takes the request, whatever its contract says about it then; a base
//! path on which none does leaves it to the next shorter one, and a host to the next less exact one.
//!
//! Start with [`Table`].

mod action;
mod certificate;
mod change;
mod conditions;
pub mod explain;
mod fault;
mod mirror;
mod operations;
mod path;
pub mod rules;
mod split;
mod table;
mod text;
mod tree;
mod value;

pub use action::{Action, Answer, Redirection, Rewriting, Wanted};
pub use conditions::{Conditions, Miss};
pub use fault::{Fault, Faults};
pub use mirror::Mirroring;
pub use operations::Operations;
pub use path::{certificate_serves, check_path, is_below, normal, normal_base_path, normal_host};
pub use split::{Chosen, Splitting, Unit, Why};
pub use table::{Candidate, Invalid, Request, Table};

/// First path segments that belong to the node where no host is named.
pub const RESERVED: [&str; 3] = ["health", "metrics", ".well-known"];
