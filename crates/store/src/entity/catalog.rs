//! How what is published is kept.

use domain::catalog::{Api, Contract, Version};
use domain::certificate::Certificate;
use domain::id::{
    ApiId, CertificateId, ContractId, PlanId, PolicyId, ProductId, RouteId, StreamRouteId, UpstreamId,
    VersionId,
};
use domain::offer::{Plan, Product, Visibility};
use domain::stream::StreamRoute;
use domain::traffic::{Policy, Route, Upstream};

use super::{Entity, entity};
use crate::Arg;

entity!(Api, ApiId, "apis", "api", name: true, |it| [
    "workspace_id" = Arg::text(it.workspace_id),
    "name" = Arg::text(&it.spec.name),
]);
entity!(Version, VersionId, "versions", "version", name: true, |it| [
    "api_id" = Arg::text(it.api_id),
    "name" = Arg::text(&it.spec.name),
]);
entity!(Upstream, UpstreamId, "upstreams", "upstream", name: true, |it| [
    "workspace_id" = Arg::text(it.workspace_id),
    "name" = Arg::text(&it.spec.name),
]);
entity!(Route, RouteId, "routes", "route", name: false, |it| [
    "api_id" = Arg::text(it.api_id),
    "version_id" = Arg::text(it.spec.version_id),
    "upstream_id" = Arg::text_or_null(it.spec.upstream_id),
    "environment" = Arg::text(&it.spec.environment),
    "host" = Arg::text(it.spec.host.as_deref().unwrap_or_default()),
    "base_path" = Arg::text(&it.spec.base_path),
]);
entity!(StreamRoute, StreamRouteId, "stream_routes", "stream_route", name: true, |it| [
    "workspace_id" = Arg::text(it.workspace_id),
    "environment" = Arg::text(&it.spec.environment),
    "name" = Arg::text(&it.spec.name),
    "upstream_id" = Arg::text(it.spec.upstream_id),
]);
entity!(Certificate, CertificateId, "certificates", "certificate", name: true, |it| [
    "workspace_id" = Arg::text(it.workspace_id),
    "environment" = Arg::text(&it.spec.environment),
    "name" = Arg::text(&it.spec.name),
]);
entity!(Policy, PolicyId, "policies", "policy", name: false, |it| [
    "api_id" = Arg::text(it.spec.api_id),
    "kind" = Arg::text(&it.spec.kind),
]);
entity!(Plan, PlanId, "plans", "plan", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
]);
entity!(Product, ProductId, "products", "product", name: true, |it| [
    "workspace_id" = Arg::text(it.workspace_id),
    "name" = Arg::text(&it.spec.name),
    "visibility" = Arg::text(match it.spec.visibility {
        Visibility::Private => "private",
        Visibility::Public => "public",
    }),
]);

impl Entity for Contract {
    type Id = ContractId;
    const TABLE: &'static str = "contracts";
    const KIND: &'static str = "contract";
    const HAS_NAME: bool = false;

    fn id(&self) -> ContractId {
        self.id
    }

    fn organization(&self) -> Option<domain::id::OrganizationId> {
        Some(self.organization_id)
    }

    /// A contract is never changed.
    fn revision(&self) -> i64 {
        1
    }

    fn columns(&self) -> Vec<(&'static str, Arg)> {
        vec![
            ("organization_id", Arg::text(self.organization_id)),
            ("version_id", Arg::text(self.version_id)),
        ]
    }
}
