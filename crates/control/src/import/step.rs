//! The steps of an import, in one transaction.

use std::collections::HashMap;

use domain::Name;
use domain::catalog::{Api, ApiSpec, Contract, Operation, Stage, Version, VersionSpec};
use domain::code::Code;
use domain::id::{ContractId, OperationId, WorkspaceId};
use domain::import::{ImportSpec, Imported};
use sha2::{Digest as _, Sha256};
use store::Arg;
use store::Tx;
use store::entity::{self, Condition};

use super::{count, cut};
use crate::audit::hex;
use crate::resource::fault::{DESCRIPTION_MAX, Faults, TITLE_MAX};
use crate::resource::{Resource as _, own, route};
use crate::{Caller, Control, Error, contract};

/// An import under way.
pub(super) struct Import<'a> {
    pub(super) control: &'a Control,
    pub(super) caller: &'a Caller,
    pub(super) tx: Tx,
    /// What is asked for; its document was taken out.
    pub(super) spec: ImportSpec,
    pub(super) contract: contracts::Contract,
    pub(super) document: String,
    pub(super) workspace: WorkspaceId,
}

/// A contract as it was written.
pub(super) struct Written {
    pub(super) contract: Contract,
    pub(super) operations: i64,
}

impl Import<'_> {
    pub(super) async fn run(&mut self) -> Result<Imported, Error> {
        let api = self.api().await?;
        let version = self.version(&api).await?;
        let route = match self.upstream(&api, &version).await? {
            Some(upstream) => Some(self.route(&api, &version, upstream).await?),
            None => None,
        };
        let product = match self.spec.publish {
            true => Some(self.product(&api, &version).await?),
            false => None,
        };
        Ok(Imported {
            api: api.id,
            api_name: api.spec.name,
            version: version.id,
            version_name: version.spec.name,
            stage: version.spec.stage,
            base_url: route.map(|route| self.control.route_url(&route)),
            operations: version.operations,
            findings: std::mem::take(&mut self.contract.findings),
            product,
            dry_run: self.spec.dry_run,
        })
    }

    async fn api(&mut self) -> Result<Api, Error> {
        let name = self.name()?;
        if let Some(found) = own::by_name::<Api>(&mut self.tx, self.caller, name.as_str()).await? {
            self.control
                .authorize(&mut self.tx, self.caller, "import_api", &found)
                .await?;
            return Ok(found);
        }
        let title = cut(self.contract.title.trim(), TITLE_MAX, true);
        let spec = ApiSpec {
            title: if title.trim().is_empty() {
                name.to_string()
            } else {
                title
            },
            name,
            description: cut(&self.contract.description, DESCRIPTION_MAX, false),
            tags: Vec::new(),
            managed_by: None,
        };
        self.control
            .create_in::<Api>(&mut self.tx, self.caller, &self.workspace, spec, &[])
            .await
    }

    fn name(&self) -> Result<Name, Error> {
        let named = self.spec.name.clone();
        named
            .or_else(|| Name::from_title(&self.contract.title))
            .ok_or_else(|| {
                Error::field(
                    "/name",
                    "name_missing",
                    "No name was given, and none can be made of the document's title.",
                    "Give a `name` of lower-case letters, digits and hyphens.",
                )
            })
    }

    async fn version(&mut self, api: &Api) -> Result<Version, Error> {
        let name = contract::version_name(&self.contract);
        let conditions = [
            Condition::Is("api_id", Arg::text(api.id)),
            Condition::Is("name", Arg::text(&name)),
        ];
        let found = entity::find::<Version>(&mut self.tx, &conditions).await?;
        let before = match found {
            Some(found) => found,
            None => {
                let spec = VersionSpec {
                    name,
                    stage: Stage::Draft,
                    sunset_at: None,
                };
                self.control
                    .create_in::<Version>(&mut self.tx, self.caller, &api.id, spec, &[])
                    .await?
            }
        };
        if before.spec.stage == Stage::Retired {
            let detail = format!("Version `{}` was retired, which is final.", before.spec.name);
            return Err(Error::refused(Code::Conflict, detail));
        }
        let mut spec = before.spec.clone();
        if self.spec.publish && spec.stage == Stage::Draft {
            spec.stage = Stage::Stable;
        }
        let mut after = before.with(spec, self.control.now());
        let written = write_contract(
            self.control,
            &mut self.tx,
            &before,
            &self.contract,
            &self.document,
        )
        .await?;
        after.contract_id = Some(written.contract.id);
        after.operations = written.operations;
        after.check(&mut self.tx, self.caller, Some(&before)).await?;
        self.tx.update(&after, before.revision, &[]).await?;
        self.control
            .note(
                &mut self.tx,
                self.caller,
                "import_api",
                Some(&before),
                Some(&after),
            )
            .await?;
        self.control.mark(&mut self.tx).await?;
        Ok(after)
    }
}

/// Writes a contract with its operations; the same document again stays the contract that it is.
pub(super) async fn write_contract(
    control: &Control,
    tx: &mut Tx,
    version: &Version,
    read: &contracts::Contract,
    document: &str,
) -> Result<Written, Error> {
    let sha256 = hex(&Sha256::digest(document.as_bytes()));
    if let Some(id) = version.contract_id
        && let Some(contract) = entity::find_id::<Contract>(tx, id).await?
        && contract.sha256 == sha256
    {
        let operations = version.operations;
        return Ok(Written { contract, operations });
    }
    let mut findings = read.findings.clone();
    for finding in &mut findings {
        for text in [&mut finding.pointer, &mut finding.detail, &mut finding.suggestion] {
            *text = storable(text);
        }
    }
    let contract = Contract {
        id: ContractId::new(control.uuid()),
        organization_id: version.organization_id,
        version_id: version.id,
        format: read.format.as_str().to_owned(),
        sha256,
        bytes: count(document.len()),
        findings,
        created_at: control.now(),
    };
    let bytes = Arg::Bytes(document.as_bytes().to_vec());
    tx.insert(&contract, &[("document", bytes)]).await?;
    let known = store::contract::operations_ever(tx, version.id).await?;
    let known: HashMap<(String, String), OperationId> = known
        .into_iter()
        .map(|operation| ((operation.method, operation.path), operation.id))
        .collect();
    let operations: Vec<Operation> = read
        .operations
        .iter()
        .map(|operation| {
            let (method, path) = (storable(&operation.method), storable(&operation.path));
            let place = (method, path);
            let id = known.get(&place).copied();
            let (method, path) = place;
            Operation {
                id: id.unwrap_or_else(|| OperationId::new(control.uuid())),
                version_id: version.id,
                name: storable(&operation.name),
                method,
                path,
                summary: storable(&operation.summary),
                deprecated: operation.deprecated,
            }
        })
        .collect();
    route::fit(tx, version.id, &operations).await?;
    tx.replace_operations(version.id, &operations).await?;
    let operations = count(operations.len());
    Ok(Written { contract, operations })
}

/// A text without NUL, which PostgreSQL cannot hold.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Refuses because of one field of the import.
pub(super) fn refuse<T>(pointer: &str, code: &str, detail: String, suggestion: &str) -> Result<T, Error> {
    let mut faults = Faults::default();
    faults.add(pointer, code, detail, suggestion);
    match faults.finish() {
        Err(error) => Err(error),
        Ok(()) => unreachable!("a fault was added right above"),
    }
}
