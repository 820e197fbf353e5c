//! The contracts of versions: as they came, as JSON, and as consumers should see them.

pub(crate) mod rendered;

use std::sync::Arc;

use contracts::{Effective, Limits};
use domain::Name;
use domain::catalog::{Contract, Operation, Stage, Version};
use domain::id::VersionId;
use domain::offer::Product;
use domain::traffic::Policy;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use store::Arg;
use store::entity::{self, Condition};

use crate::audit::hex;
use crate::resource::version;
use crate::{Caller, Control, Error};

pub use rendered::Rendered;
use rendered::Source;

impl Control {
    /// The contracts that a version had, the newest first.
    pub async fn contracts(&self, caller: &Caller, id: VersionId) -> Result<Vec<Contract>, Error> {
        let version = self.read::<Version>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "list_contracts", &version)
            .await?;
        let of = [Condition::Is("version_id", Arg::text(id))];
        let mut contracts = entity::all::<Contract>(&mut self.store(), &of).await?;
        contracts.reverse();
        Ok(contracts)
    }

    /// The contract in force with its document, byte by byte as it came.
    ///
    /// # Errors
    /// `not_found` if the version has none yet.
    pub async fn contract_document(
        &self,
        caller: &Caller,
        id: VersionId,
    ) -> Result<(Contract, Vec<u8>), Error> {
        let version = self.read::<Version>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "read_contract", &version)
            .await?;
        self.stored_contract(&version).await
    }

    /// The document of the contract in force as JSON, YAML aliases written out.
    pub async fn contract_json(&self, caller: &Caller, id: VersionId) -> Result<Value, Error> {
        let (_, document) = self.contract_document(caller, id).await?;
        reread(document, |contract| contract.to_json()).await
    }

    /// The operations of the contract in force, by path and method.
    pub async fn operations(&self, caller: &Caller, id: VersionId) -> Result<Vec<Operation>, Error> {
        let version = self.read::<Version>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "list_version_operations", &version)
            .await?;
        Ok(store::contract::operations(&mut self.store(), id).await?)
    }

    /// The contract as consumers should see it: served by the gateway, opened with its key.
    ///
    /// Nobody needs to be signed in for a version in a public product. Without a route in the environment (the
    /// first one that the version has a route in, if none is given) the address is the gateway's alone.
    ///
    /// # Errors
    /// `not_found` for what the caller may not see, and for a version without a contract.
    pub async fn effective_contract(
        &self,
        caller: &Caller,
        id: VersionId,
        environment: Option<&Name>,
    ) -> Result<Arc<Rendered>, Error> {
        let version = self.visible_version(caller, id).await?;
        let routes = self.routes_of(id).await?;
        let route = routes
            .iter()
            .find(|route| environment.is_none_or(|wanted| *wanted == route.spec.environment));
        let server_url = match route {
            Some(route) => self.route_url(route),
            None => self.settings().gateway_url.clone(),
        };
        let contract = version.contract_id.ok_or_else(|| Error::not_found("contract"))?;
        let source = Source {
            contract,
            server_url,
            key_header: self.key_header(&version).await?,
        };
        if let Some(found) = self.inner.rendered.find(&source) {
            return Ok(found);
        }
        let (_, document) = self.stored_contract(&version).await?;
        let errors_url = format!("{}/docs/errors", self.settings().control_url);
        let (server_url, key_header) = (source.server_url.clone(), source.key_header.clone());
        let rendered = reread(document, move |contract| {
            let effective = contract.effective(&Effective {
                server_url: &server_url,
                key_header: key_header.as_deref(),
                errors_url: Some(&errors_url),
            });
            let json = effective.to_string().into_bytes();
            Rendered {
                sha256: hex(&Sha256::digest(&json)),
                json: json.into(),
            }
        });
        let rendered = Arc::new(rendered.await?);
        self.inner.rendered.keep(source, Arc::clone(&rendered));
        Ok(rendered)
    }

    /// The header that carries the key of an API; `None` if the API is open.
    async fn key_header(&self, version: &Version) -> Result<Option<String>, Error> {
        let of = [
            Condition::Is("api_id", Arg::text(version.api_id)),
            Condition::Is("kind", Arg::text("key_auth")),
        ];
        let policies = entity::all::<Policy>(&mut self.store(), &of).await?;
        let own = policies
            .iter()
            .rfind(|policy| policy.spec.enabled && policy.spec.operation_id.is_none());
        let config = own.map(|policy| &policy.spec.config);
        let is_required = config.and_then(|config| config.get("required")?.as_bool());
        if is_required == Some(false) {
            return Ok(None);
        }
        let header = config.and_then(|config| config.get("header")?.as_str());
        let default = policy::builtin::key_auth::HEADER_DEFAULT;
        Ok(Some(header.unwrap_or(default).to_owned()))
    }

    /// A version of the caller's organization, or one that is not a draft in a product that is public or that the
    /// caller's organization uses.
    pub(crate) async fn visible_version(&self, caller: &Caller, id: VersionId) -> Result<Version, Error> {
        let version = entity::find_id::<Version>(&mut self.store(), id).await?;
        let version = version.ok_or_else(|| Error::not_found("version"))?;
        if caller.organization == Some(version.organization_id) {
            self.authorize(&mut self.store(), caller, "read_version", &version)
                .await?;
            return Ok(version);
        }
        let holding = [
            Condition::Among {
                table: "product_versions",
                column: "product_id",
                by: "version_id",
                value: Arg::text(id),
            },
            Condition::Is("visibility", Arg::text("public")),
        ];
        let is_public = entity::find::<Product>(&mut self.store(), &holding)
            .await?
            .is_some();
        // Who has subscribed keeps the reference, though the product is not offered to others any more.
        let is_visible = match caller.organization {
            Some(organization) if !is_public => {
                store::offer::uses(&mut self.store(), organization, id).await?
            }
            _ => is_public,
        };
        if is_visible && version.spec.stage != Stage::Draft {
            Ok(version)
        } else {
            Err(Error::not_found("version"))
        }
    }

    async fn stored_contract(&self, version: &Version) -> Result<(Contract, Vec<u8>), Error> {
        let id = version.contract_id.ok_or_else(|| Error::not_found("contract"))?;
        let contract = entity::find_id::<Contract>(&mut self.store(), id).await?;
        let document = store::contract::document(&mut self.store(), id).await?;
        contract.zip(document).ok_or_else(|| Error::not_found("contract"))
    }
}

/// Reads a document that was read before it was stored, and makes something of it, where it may take its time.
async fn reread<T: Send + 'static>(
    document: Vec<u8>,
    make: impl FnOnce(contracts::Contract) -> T + Send + 'static,
) -> Result<T, Error> {
    let made = tokio::task::spawn_blocking(move || {
        let text = String::from_utf8_lossy(&document);
        contracts::read(&text, &Limits::default()).map(make)
    });
    made.await
        .map_err(|error| Error::internal("reading a contract", error))?
        .map_err(|error| Error::internal("a stored contract is refused", error))
}

/// The name of a version as a document's `info.version` gives it: one line, at most as long as names may be.
pub(crate) fn version_name(contract: &contracts::Contract) -> String {
    let line: String = contract
        .version
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(version::NAME_MAX)
        .collect();
    match line.trim() {
        "" => "1".to_owned(),
        name => name.to_owned(),
    }
}
