//! SDK keys as a resource; they are made, rotated and revoked by the use cases of [`crate::tracking`].

use domain::code::Code;
use domain::consumer::KeyState;
use domain::id::SdkKeyId;
use domain::tracking::{SdkKey, SdkKeyKind, SdkKeySpec};
use domain::{Name, Timestamp, key};
use store::Arg;
use store::Tx;
use store::entity::{self, Condition};
use url::Url;
use uuid::Uuid;

use super::fault::{Faults, TITLE_MAX};
use super::{New, Resource, own, plan};
use crate::credential::{self, Credential};
use crate::{Caller, Error};

/// The most valid keys of an organization: every edge knows them all.
const KEYS_MAX: i64 = 500;
/// The most origins of a key.
const ORIGINS_MAX: usize = 50;

impl Resource for SdkKey {
    type Spec = SdkKeySpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: SdkKeySpec) -> Self {
        let id = SdkKeyId::new(new.uuid);
        Self {
            id,
            organization_id: new.organization,
            state: KeyState::Active,
            hint: key::hint(&spec.environment, new.uuid),
            spec,
            replaced_by: None,
            revoked_at: None,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &SdkKeySpec {
        &self.spec
    }

    fn with(&self, spec: SdkKeySpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.line("/title", &self.spec.title, TITLE_MAX);
        credential::check_expiry(&mut faults, self, before, self.updated_at);
        origins(&mut faults, &self.spec);
        if self.spec.kind == SdkKeyKind::Client && self.spec.encrypt_payload {
            faults.add(
                "/encrypt_payload",
                "field_invalid",
                "Keys of clients get values and no features.",
                "Leave it out, or make a server key.",
            );
        }
        if let Some(rate) = self.spec.rate_limit {
            plan::rate_limit(&mut faults, &rate.limit());
        }
        match before {
            None => {
                let is_there = own::has_environment(tx, caller, &self.spec.environment).await?;
                faults.reference("/environment", "environment", is_there.then_some(()));
            }
            Some(before) => {
                let (old, new) = (&before.spec, &self.spec);
                faults.fixed("/kind", old.kind != new.kind);
                faults.fixed("/environment", old.environment != new.environment);
                faults.fixed("/encrypt_payload", old.encrypt_payload != new.encrypt_payload);
            }
        }
        faults.finish()?;
        if before.is_none() {
            let of = [
                Condition::Is("organization_id", Arg::text(self.organization_id)),
                Condition::Is("state", Arg::text("active")),
            ];
            if entity::count::<Self>(tx, &of).await? >= KEYS_MAX {
                let detail = format!("The organization has {KEYS_MAX} SDK keys that are not revoked.");
                return Err(Error::refused(Code::Conflict, detail));
            }
        }
        credential::unless_revoked(self, before)
    }

    async fn removable(&self, _: &mut Tx, _: &Caller) -> Result<(), Error> {
        let detail = "Keys are revoked, not removed: `POST /api/v1/sdk-keys/{id}/revoke`.";
        Err(Error::refused(Code::Conflict, detail))
    }
}

impl Credential for SdkKey {
    fn uuid(&self) -> Uuid {
        self.id.uuid()
    }

    fn environment(&self) -> &Name {
        &self.spec.environment
    }

    fn state(&self) -> KeyState {
        self.state
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.spec.expires_at
    }

    fn replaced_by(&self) -> Option<SdkKeyId> {
        self.replaced_by
    }

    fn spec_until(&self, expires_at: Option<Timestamp>) -> SdkKeySpec {
        SdkKeySpec {
            expires_at,
            ..self.spec.clone()
        }
    }

    fn replace_by(&mut self, other: SdkKeyId) {
        self.replaced_by = Some(other);
    }

    fn revoke(&mut self, now: Timestamp) {
        self.state = KeyState::Revoked;
        self.revoked_at = Some(now);
    }
}

fn origins(faults: &mut Faults, spec: &SdkKeySpec) {
    if spec.kind == SdkKeyKind::Server && !spec.origins.is_empty() {
        faults.add(
            "/origins",
            "field_invalid",
            "Browsers do not use keys of servers.",
            "Leave it out, or make a client key.",
        );
    }
    faults.count("/origins", spec.origins.len(), 0, ORIGINS_MAX);
    for (index, origin) in spec.origins.iter().take(ORIGINS_MAX).enumerate() {
        if !is_origin(origin) {
            faults.add(
                &format!("/origins/{index}"),
                "field_invalid",
                "It is not an origin as browsers send it: scheme, host and perhaps a port.",
                "Write it as `https://shop.example`, or `https://*.shop.example` for everything below.",
            );
        }
    }
}

/// Whether a text is an origin, perhaps of everything below a host.
fn is_origin(text: &str) -> bool {
    let one = text.replacen("://*.", "://a.", 1);
    // Elsewhere a URL may have stars that mean themselves.
    let Some(Ok(url)) = (!one.contains('*')).then(|| Url::parse(&one)) else {
        return false;
    };
    let is_domain = one == text || url.domain().is_some_and(|domain| domain.matches('.').count() > 1);
    matches!(url.scheme(), "http" | "https") && is_domain && url.origin().ascii_serialization() == one
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn origins_are_what_browsers_send() {
        for good in [
            "https://shop.example",
            "http://localhost:3000",
            "https://*.shop.example",
            "https://*.shop.example:8443",
            "http://[::1]:8080",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "shop.example",
            "https://shop.example/",
            "https://shop.example:443",
            "https://Shop.example",
            "https://*",
            "https://*.com",
            "https://a.*.example",
            "ftp://shop.example",
            "https://user@shop.example",
            "null",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
