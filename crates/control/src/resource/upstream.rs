//! Upstreams and their targets.

use domain::Timestamp;
use domain::id::{UpstreamId, WorkspaceId};
use domain::traffic::{Algorithm, Balancing, HashOn, Route, Target, Timeouts, Upstream, UpstreamSpec};
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};
use url::{Host, Url};

use super::fault::{Faults, in_use};
use super::{New, Resource, api};
use crate::{Caller, Error};

/// The most targets of an upstream.
const TARGETS_MAX: usize = 64;
/// The most characters of a target's URL.
const URL_MAX: usize = 2000;
/// The greatest weight of a target.
const WEIGHT_MAX: u32 = 1000;
/// The greatest number of a target's priority.
const PRIORITY_MAX: u8 = 9;
/// The longest wait for a connection: ten minutes.
const CONNECT_MS_MAX: u32 = 600_000;
/// The longest wait for an answer, or between two pieces of a body: an hour.
const WAIT_MS_MAX: u32 = 3_600_000;
/// The longest silence on a WebSocket: a day.
const TUNNEL_MS_MAX: u32 = 86_400_000;
/// The most idle connections per core.
const IDLE_CONNECTIONS_MAX: u32 = 1024;

impl Resource for Upstream {
    type Spec = UpstreamSpec;
    type Parent = WorkspaceId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &WorkspaceId, spec: UpstreamSpec) -> Self {
        Self {
            id: UpstreamId::new(new.uuid),
            organization_id: new.organization,
            workspace_id: *parent,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &UpstreamSpec {
        &self.spec
    }

    fn with(&self, spec: UpstreamSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, _: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        Ok(Some(self.workspace_id))
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        targets(&mut faults, &mut self.spec.targets);
        balancing(&mut faults, &self.spec.balancing);
        timeouts(&mut faults, &self.spec.timeouts);
        let kept = self.spec.idle_connections_max;
        faults.range("/idle_connections_max", kept, 0, IDLE_CONNECTIONS_MAX);
        faults.finish()?;
        if before.is_none() {
            api::workspace(tx, caller, self.workspace_id).await?;
        }
        Ok(())
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let using = [Condition::Is("upstream_id", Arg::text(self.id))];
        let routes = entity::all::<Route>(tx, &using).await?;
        let users: Vec<_> = routes
            .iter()
            .map(|route| format!("route {} ({})", route.id, route.spec.base_path))
            .collect();
        in_use(&users)
    }
}

fn targets(faults: &mut Faults, targets: &mut [Target]) {
    faults.count("/targets", targets.len(), 1, TARGETS_MAX);
    for (index, target) in targets.iter_mut().take(TARGETS_MAX).enumerate() {
        let pointer = format!("/targets/{index}/url");
        match target_url(&target.url) {
            Ok(url) => target.url = url,
            Err(detail) => faults.add(
                &pointer,
                "url_invalid",
                detail,
                "Write it as `http://127.0.0.1:9000/base`: scheme, host, and port and path if needed.",
            ),
        }
        faults.range(&format!("/targets/{index}/weight"), target.weight, 1, WEIGHT_MAX);
        let priority = format!("/targets/{index}/priority");
        faults.range(&priority, target.priority, 0, PRIORITY_MAX);
    }
}

/// The normal form of a target's URL, without a slash at the end; or what is wrong with it.
pub(crate) fn target_url(text: &str) -> Result<String, String> {
    if text.len() > URL_MAX {
        return Err(format!("It has more than {URL_MAX} characters."));
    }
    let url = Url::parse(text.trim()).map_err(|error| format!("It is not a URL: {error}."))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is not spoken to upstreams.", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "Credentials do not belong into it: everybody who may read it would see them.".to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("A query or fragment has no meaning in it.".to_owned());
    }
    match url.host() {
        None => return Err("It has no host.".to_owned()),
        Some(Host::Domain("")) => return Err("Its host is empty.".to_owned()),
        Some(Host::Domain(host)) if !host.chars().all(is_of_name) => {
            return Err("Its host is not a name.".to_owned());
        }
        Some(_) => {}
    }
    if url.port() == Some(0) {
        return Err("Port 0 cannot be connected to.".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Underscores are in no host name (RFC 1123), but in names that container networks give.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._".contains(character)
}

fn balancing(faults: &mut Faults, balancing: &Balancing) {
    let is_hashing = balancing.algorithm == Algorithm::ConsistentHash;
    if is_hashing != balancing.hash_on.is_some() {
        faults.add(
            "/balancing/hash_on",
            "combination_invalid",
            "`consistent_hash` needs a key, no other algorithm has one.",
            "Say what calls of one client have in common, or choose another algorithm.",
        );
    }
    let is_named = matches!(balancing.hash_on, Some(HashOn::Header | HashOn::Cookie));
    let name = balancing.hash_name.as_deref();
    if is_named != name.is_some() {
        faults.add(
            "/balancing/hash_name",
            "combination_invalid",
            "`header` and `cookie` need a name, nothing else has one.",
            "Name the header field or the cookie, or remove the name.",
        );
    } else if name.is_some_and(|name| !is_token(name)) {
        faults.add(
            "/balancing/hash_name",
            "field_invalid",
            "It is no name of a header field or a cookie.",
            "Use letters, digits and hyphens, at most 100.",
        );
    }
    let load = balancing.hash_load_max_percent;
    if load != 0 {
        faults.range("/balancing/hash_load_max_percent", load, 101, 1000);
        if !is_hashing {
            faults.add(
                "/balancing/hash_load_max_percent",
                "combination_invalid",
                "Only `consistent_hash` has such a bound.",
                "Remove it, or choose that algorithm.",
            );
        }
    }
    faults.range(
        "/balancing/slow_start_ms",
        balancing.slow_start_ms,
        0,
        WAIT_MS_MAX,
    );
    let zone = balancing.zone_healthy_min_percent;
    faults.range("/balancing/zone_healthy_min_percent", zone, 1, 100);
    faults.range("/balancing/panic_percent", balancing.panic_percent, 0, 100);
}

/// A token of RFC 9110, which names of header fields and cookies are.
fn is_token(name: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=100).contains(&name.len()) && name.bytes().all(is_of_token)
}

fn timeouts(faults: &mut Faults, timeouts: &Timeouts) {
    faults.range("/timeouts/connect_ms", timeouts.connect_ms, 1, CONNECT_MS_MAX);
    faults.range("/timeouts/answer_ms", timeouts.answer_ms, 1, WAIT_MS_MAX);
    faults.range("/timeouts/idle_ms", timeouts.idle_ms, 1, WAIT_MS_MAX);
    let tunnel_idle_ms = timeouts.tunnel_idle_ms;
    faults.range("/timeouts/tunnel_idle_ms", tunnel_idle_ms, 1, TUNNEL_MS_MAX);
}
