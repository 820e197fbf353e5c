//! Import: a contract becomes a running API, in one transaction or not at all.

use contracts::{Limits, Reason, Refusal};
use domain::catalog::{Contract, Version};
use domain::code::Code;
use domain::finding::{Finding, Severity};
use domain::id::{VersionId, WorkspaceId};
use domain::import::{ImportSpec, Imported, Linted};

use crate::resource::{Resource as _, expect_revision};
use crate::{Caller, Control, Error, FieldError, contract};

mod offer;
mod step;
mod traffic;

use step::Import;

impl Control {
    /// Makes or updates an API from a contract: version, operations, upstream, route, and a product if published.
    ///
    /// The same version again replaces its contract; an operation with the same method and path keeps its id.
    /// Another version becomes a version beside it.
    ///
    /// # Errors
    /// `contract_invalid` and `contract_too_large` with what is wrong and where; `request_invalid` for the other
    /// fields; `route_taken`; `conflict` for a version that was retired. Whatever the error, nothing is kept.
    pub async fn import(&self, caller: &Caller, spec: ImportSpec) -> Result<Imported, Error> {
        let workspace = self.import_workspace(caller, &spec).await?;
        let (contract, document, spec) = read_spec(spec).await?;
        let mut import = Import {
            control: self,
            caller,
            tx: self.begin(caller).await?,
            spec,
            contract,
            document,
            workspace,
        };
        let imported = import.run().await?;
        if !imported.dry_run {
            import.tx.commit().await?;
            self.announce();
        }
        Ok(imported)
    }

    /// The workspace of an import, after checking that the caller may import into it.
    ///
    /// # Errors
    /// `permission_denied`; `not_found` if no workspace is named and the organization has none.
    pub async fn import_workspace(&self, caller: &Caller, spec: &ImportSpec) -> Result<WorkspaceId, Error> {
        let workspace = match spec.workspace_id {
            Some(workspace) => workspace,
            None => self.default_workspace(caller).await?,
        };
        let organization = caller.organization()?;
        self.access()
            .check(caller, "import_api", organization, Some(workspace))?;
        Ok(workspace)
    }

    /// Replaces the contract of a version; `if_match` is the revision of the version that the caller has read.
    ///
    /// # Errors
    /// As for [`import`](Self::import); `contract_invalid` if the document says that it is of another version.
    pub async fn replace_contract(
        &self,
        caller: &Caller,
        id: VersionId,
        document: &str,
        if_match: Option<i64>,
    ) -> Result<Contract, Error> {
        let before = self.read::<Version>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "replace_contract", &before)
            .await?;
        expect_revision(before.revision, if_match)?;
        let document = document.to_owned();
        let (contract, document) = read(document).await?;
        let name = contract::version_name(&contract);
        if name != before.spec.name {
            let detail = format!(
                "The document is of version `{name}`, this is `{}`.",
                before.spec.name
            );
            let suggestion = "Import it to make a version of it, or change `info.version`.";
            let error = FieldError::new("/info/version", "version_other", detail.clone(), suggestion);
            return Err(Error::fields(Code::ContractInvalid, detail, vec![error]));
        }
        let mut tx = self.begin(caller).await?;
        let written = step::write_contract(self, &mut tx, &before, &contract, &document).await?;
        let mut after = before.with(before.spec.clone(), self.now());
        after.contract_id = Some(written.contract.id);
        after.operations = written.operations;
        tx.update(&after, before.revision, &[]).await?;
        self.note(&mut tx, caller, "replace_contract", Some(&before), Some(&after))
            .await?;
        self.mark(&mut tx).await?;
        tx.commit().await?;
        self.announce();
        Ok(written.contract)
    }

    /// Looks at a document without keeping anything; what is wrong with it is not an error here.
    pub async fn lint(&self, caller: &Caller, document: &str) -> Result<Linted, Error> {
        let organization = caller.organization()?;
        self.inner
            .access
            .check(caller, "lint_contract", organization, None)?;
        Ok(match parse(document.to_owned()).await? {
            (Ok(contract), _) => Linted {
                valid: true,
                format: contract.format.as_str().to_owned(),
                operations: count(contract.operations.len()),
                title: contract.title,
                version: contract.version,
                servers: contract.servers,
                findings: contract.findings,
            },
            (Err(refusal), _) => Linted {
                valid: false,
                title: String::new(),
                version: String::new(),
                format: String::new(),
                operations: 0,
                servers: Vec::new(),
                findings: refusal.findings,
            },
        })
    }
}

/// Reads the document of an import and takes it out.
async fn read_spec(mut spec: ImportSpec) -> Result<(contracts::Contract, String, ImportSpec), Error> {
    let document = std::mem::take(&mut spec.document);
    let (contract, document) = read(document).await?;
    Ok((contract, document, spec))
}

async fn read(document: String) -> Result<(contracts::Contract, String), Error> {
    let (read, document) = parse(document).await?;
    Ok((read.map_err(refused)?, document))
}

/// Reads a document where it may take its time.
async fn parse(document: String) -> Result<(Result<contracts::Contract, Refusal>, String), Error> {
    let read =
        tokio::task::spawn_blocking(move || (contracts::read(&document, &Limits::default()), document));
    read.await
        .map_err(|error| Error::internal("reading a contract", error))
}

fn refused(refusal: Refusal) -> Error {
    let code = match refusal.reason {
        Reason::Invalid => Code::ContractInvalid,
        Reason::TooLarge { .. } => Code::ContractTooLarge,
    };
    let detail = refusal.to_string();
    let errors = refusal.findings.into_iter();
    let errors = errors
        .filter(|finding| finding.severity == Severity::Error)
        .map(field_error);
    Error::fields(code, detail, errors.collect())
}

fn field_error(finding: Finding) -> FieldError {
    FieldError {
        index: None,
        pointer: finding.pointer,
        code: finding.code,
        detail: finding.detail,
        suggestion: finding.suggestion,
        line: finding.line,
        column: finding.column,
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A part of a path made of any text: what has no place in it becomes a hyphen.
fn segment(text: &str) -> String {
    let kept = |character: char| character.is_ascii_alphanumeric() || "-._~".contains(character);
    let segment: String = text
        .chars()
        .map(|character| if kept(character) { character } else { '-' })
        .collect();
    match segment.as_str() {
        "" | "." | ".." => "1".to_owned(),
        _ => segment,
    }
}

/// A text cut after some characters, without what a title or a database cannot hold.
fn cut(text: &str, max: usize, is_line: bool) -> String {
    let clean = |character: char| match character {
        '\0' => ' ',
        other if is_line && other.is_control() => ' ',
        other => other,
    };
    if text.chars().count() <= max {
        return text.chars().map(clean).collect();
    }
    let mut cut: String = text.chars().take(max - 1).map(clean).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests;
