//! The control plane through HTTP: every convention, every operation, who may do what, and that tenants are apart.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analytics;
mod app;
mod audiences;
mod audit;
mod calls;
mod conventions;
mod documents;
mod evaluations;
mod feature_flags;
mod fields;
mod flag_changes;
mod flag_trials;
mod flag_usage;
mod flow;
mod idempotency;
mod invitations;
mod live;
mod matrix;
mod nodes;
mod pages;
mod paging;
mod reports;
mod rollouts;
mod routes;
mod segments;
mod shapes;
mod sign_in;
mod tenants;
mod tracking;
mod try_it;
mod vendors;
mod workspaces;
mod world;
