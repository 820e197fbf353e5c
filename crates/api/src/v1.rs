//! Every endpoint under `/api/v1`: one file per resource, one list of all of them.

mod alerts;
mod analytics;
mod apis;
mod applications;
mod audit;
mod auth;
mod catalogue;
mod certificates;
mod clients;
mod contracts;
mod environments;
mod event_types;
mod explain;
pub(crate) mod feature_flags;
mod gateways;
mod imports;
mod invitations;
mod keys;
mod links;
mod live;
mod memberships;
mod operations;
mod organizations;
mod plans;
mod policies;
mod products;
mod reports;
mod routes;
mod sdk_keys;
mod segments;
mod sessions;
mod stream_routes;
mod subscriptions;
pub(crate) mod tracking;
mod upstreams;
mod usage;
mod users;
mod versions;
mod workspace;
mod workspaces;

use crate::endpoint::Endpoint;

/// Every endpoint, in the order of the document.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    [
        auth::endpoints(),
        sessions::endpoints(),
        links::endpoints(),
        apis::endpoints(),
        versions::endpoints(),
        contracts::endpoints(),
        upstreams::endpoints(),
        routes::endpoints(),
        policies::endpoints(),
        certificates::endpoints(),
        stream_routes::endpoints(),
        explain::endpoints(),
        gateways::endpoints(),
        products::endpoints(),
        plans::endpoints(),
        applications::endpoints(),
        subscriptions::endpoints(),
        keys::endpoints(),
        catalogue::endpoints(),
        tracking::endpoints(),
        event_types::endpoints(),
        sdk_keys::endpoints(),
        feature_flags::endpoints(),
        segments::endpoints(),
        usage::endpoints(),
        reports::endpoints(),
        analytics::endpoints(),
        live::endpoints(),
        alerts::endpoints(),
        audit::endpoints(),
        organizations::endpoints(),
        workspaces::endpoints(),
        environments::endpoints(),
        users::endpoints(),
        memberships::endpoints(),
        invitations::endpoints(),
        clients::endpoints(),
        operations::endpoints(),
    ]
    .concat()
}
