//! Routes: where a version is reachable.

use domain::Timestamp;
use domain::catalog::{Api, Version};
use domain::code::Code;
use domain::id::{ApiId, RouteId, WorkspaceId};
use domain::traffic::{Route, RouteSpec, Upstream};
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};
use uuid::Uuid;

use super::fault::Faults;
use super::{New, Resource, own};
use crate::{Caller, Error};

/// First segments that the gateway answers itself when a route has no host.
const RESERVED: [&str; 3] = ["health", "metrics", ".well-known"];
/// The most characters of a base path.
const BASE_PATH_MAX: usize = 500;
/// The largest body that a route may let pass: 10 GiB.
const BODY_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;

impl Resource for Route {
    type Spec = RouteSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: RouteSpec) -> Self {
        Self {
            id: RouteId::new(new.uuid),
            organization_id: new.organization,
            // Known once the version is; `check` sets it.
            api_id: ApiId::new(Uuid::nil()),
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &RouteSpec {
        &self.spec
    }

    fn with(&self, spec: RouteSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, read: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        let version = [self.spec.version_id];
        let found = store::tenant::workspaces_of(read, self.organization_id, &version).await?;
        Ok(found.into_iter().next())
    }

    async fn reaches(
        &self,
        read: &mut (impl Read + Send),
        before: Option<&Self>,
    ) -> Result<Vec<WorkspaceId>, Error> {
        if before.is_some_and(|before| before.spec.upstream_id == self.spec.upstream_id) {
            return Ok(Vec::new());
        }
        let own = [
            Condition::Is("id", Arg::text(self.spec.upstream_id)),
            Condition::Is("organization_id", Arg::text(self.organization_id)),
        ];
        let upstream = entity::find::<Upstream>(read, &own).await?;
        Ok(upstream
            .map(|upstream| upstream.workspace_id)
            .into_iter()
            .collect())
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, _: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        let spec = &mut self.spec;
        let version = own::by_id::<Version>(tx, caller, spec.version_id).await?;
        let version = faults.reference("/version_id", "version", version);
        let upstream = own::by_id::<Upstream>(tx, caller, spec.upstream_id).await?;
        faults.reference("/upstream_id", "upstream", upstream);
        let environment = own::has_environment(tx, caller, &spec.environment).await?;
        faults.reference("/environment", "environment", environment.then_some(()));
        if let Some(host) = &mut spec.host {
            match normal_host(host) {
                Ok(normal) => *host = normal,
                Err(detail) => faults.add(
                    "/host",
                    "host_invalid",
                    detail,
                    "Write a DNS name without port, as `api.example.com`.",
                ),
            }
        }
        match normal_base_path(&spec.base_path, spec.host.is_none()) {
            Ok(normal) => spec.base_path = normal,
            Err(detail) => faults.add(
                "/base_path",
                "path_invalid",
                detail,
                "Write it as `/shop`, or `/` for none.",
            ),
        }
        faults.range("/body_bytes_max", spec.body_bytes_max, 0, BODY_BYTES_MAX);
        faults.finish()?;
        if let Some(version) = version {
            self.api_id = version.api_id;
        }
        free(tx, caller, self).await
    }
}

/// Refuses with the route in the way, if it is one that the caller may see.
async fn free(tx: &mut Tx, caller: &Caller, route: &Route) -> Result<(), Error> {
    let Some(other) = occupant(tx, &route.spec)
        .await?
        .filter(|other| other.id != route.id)
    else {
        return Ok(());
    };
    let place = match &route.spec.host {
        Some(host) => format!("{host}{}", route.spec.base_path),
        None => route.spec.base_path.clone(),
    };
    let whose = if other.organization_id == caller.organization()? {
        let api = entity::find_id::<Api>(tx, other.api_id).await?;
        let api = api.map_or_else(String::new, |api| format!(" of the API `{}`", api.spec.name));
        format!("{}{api}", other.id)
    } else {
        "a route of another organization".to_owned()
    };
    let environment = &route.spec.environment;
    let detail = format!("In `{environment}`, {whose} answers at `{place}` already.");
    Err(Error::refused(Code::RouteTaken, detail))
}

/// The route that has the place, whoever it belongs to.
pub(crate) async fn occupant(tx: &mut Tx, spec: &RouteSpec) -> Result<Option<Route>, Error> {
    let conditions = [
        Condition::Is("environment", Arg::text(&spec.environment)),
        Condition::Is("host", Arg::text(spec.host.as_deref().unwrap_or_default())),
        Condition::Is("base_path", Arg::text(&spec.base_path)),
    ];
    Ok(entity::find(tx, &conditions).await?)
}

/// A base path without a slash at the end, `/` for none; or what is wrong with it.
///
/// The characters are those of a path segment that no client, proxy or upstream writes differently: unreserved
/// characters and sub-delimiters (RFC 3986 §3.3), nothing percent-encoded.
pub(crate) fn normal_base_path(text: &str, is_any_host: bool) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("It does not begin with `/`.".to_owned());
    }
    if text.len() > BASE_PATH_MAX {
        return Err(format!("It has more than {BASE_PATH_MAX} characters."));
    }
    let normal = text.trim_end_matches('/');
    if normal.is_empty() {
        return Ok("/".to_owned());
    }
    let segments: Vec<_> = normal.split('/').skip(1).collect();
    for segment in &segments {
        match *segment {
            "" => return Err("Two slashes follow each other.".to_owned()),
            "." | ".." => return Err("It has a segment `.` or `..`, which clients remove.".to_owned()),
            _ => {}
        }
        if segment.contains(['{', '}', '*']) {
            return Err("It has a template; only the contract's paths have parameters.".to_owned());
        }
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@".contains(character);
        if let Some(other) = segment.chars().find(|character| !allowed(*character)) {
            return Err(format!(
                "The character `{}` cannot stand in it.",
                other.escape_debug()
            ));
        }
    }
    if is_any_host && RESERVED.contains(&segments[0]) {
        return Err(format!(
            "`/{}` is answered by the gateway itself; a route with a host may have it.",
            segments[0]
        ));
    }
    Ok(normal.to_owned())
}

/// A host in lower case; or what is wrong with it.
pub(crate) fn normal_host(text: &str) -> Result<String, String> {
    let host = text.to_ascii_lowercase();
    if host.is_empty() || host.len() > 253 {
        return Err("It does not have 1 to 253 characters.".to_owned());
    }
    for label in host.split('.') {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = (1..=63).contains(&label.len())
            && label.bytes().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-');
        if !is_label {
            return Err(format!("`{}` is not a DNS label.", label.escape_debug()));
        }
    }
    Ok(host)
}
