//! Where in programs flags are named, as `gateline flags scan` finds it.

use std::collections::{BTreeMap, BTreeSet};

use domain::code::Code;
use domain::flag::{CodePlace, CodePlaces, CodeScan, CodeScanned, FeatureFlag, FlagCodeReferences};
use domain::id::FeatureFlagId;
use store::flag::reference;

use crate::audit::Change;
use crate::resource::fault::Faults;
use crate::{Caller, Control, Error};

/// The most places of a repository.
const REFERENCES_MAX: usize = 10_000;
/// The most repositories of an organization.
const REPOSITORIES_MAX: i64 = 200;
/// The most characters of a file's path.
const PATH_MAX: usize = 1000;
/// The most characters of a repository's name, and of a commit.
const NAME_MAX: usize = 200;

impl Control {
    /// Keeps where a repository names flags, in place of what was known of it.
    ///
    /// # Errors
    /// `request_invalid` with the place of a flag that is not there; `conflict` if there are too many repositories.
    pub async fn keep_code_references(&self, caller: &Caller, scan: CodeScan) -> Result<CodeScanned, Error> {
        const ACTION: &str = "replace_flag_code_references";
        let organization = caller.organization()?;
        self.access().check(caller, ACTION, organization, None)?;
        check(&scan)?;
        let mut tx = self.begin(caller).await?;
        let flags = store::flag::all(&mut tx, organization).await?;
        let ids: BTreeMap<_, _> = flags.iter().map(|flag| (&flag.spec.key, flag.id)).collect();
        let mut faults = Faults::default();
        let mut found: BTreeMap<FeatureFlagId, BTreeSet<CodePlace>> = BTreeMap::new();
        for (place, one) in scan.references.iter().enumerate() {
            let pointer = format!("/references/{place}/flag");
            if let Some(flag) = faults.reference(&pointer, "flag", ids.get(&one.flag)) {
                found.entry(*flag).or_default().insert(CodePlace {
                    path: one.path.clone(),
                    line: one.line,
                });
            }
        }
        faults.finish()?;
        let others = reference::other_repositories(&mut tx, organization, &scan.repository).await?;
        if others >= REPOSITORIES_MAX {
            let detail = format!("{REPOSITORIES_MAX} repositories name flags already.");
            return Err(Error::refused(Code::Conflict, detail));
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let scanned = CodeScanned {
            repository: scan.repository.clone(),
            flags: count(found.len()),
            references: count(found.values().map(BTreeSet::len).sum()),
        };
        let now = self.now();
        let places = |places: BTreeSet<CodePlace>| CodePlaces {
            repository: scan.repository.clone(),
            commit: scan.commit.clone(),
            at: now,
            places: places.into_iter().collect(),
        };
        let found: Vec<_> = found.into_iter().map(|(flag, all)| (flag, places(all))).collect();
        reference::replace(&mut tx, (organization, &scan.repository), &found).await?;
        let after = serde_json::to_value(&scanned);
        let change = Change {
            organization,
            action: ACTION,
            resource: scan.repository.clone(),
            before: None,
            after: Some(after.map_err(|error| Error::internal("writing an audit entry", error))?),
        };
        self.append(&mut tx, caller, change).await?;
        tx.commit().await?;
        Ok(scanned)
    }

    /// Where programs name a flag.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag.
    pub async fn flag_code_references(
        &self,
        caller: &Caller,
        flag: FeatureFlagId,
    ) -> Result<FlagCodeReferences, Error> {
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        let action = "read_feature_flag_code_references";
        self.authorize(&mut self.store(), caller, action, &flag).await?;
        Ok(FlagCodeReferences {
            flag_id: flag.id,
            repositories: reference::of_flag(&mut self.store(), flag.id).await?,
        })
    }
}

fn check(scan: &CodeScan) -> Result<(), Error> {
    let mut faults = Faults::default();
    faults.line("/repository", &scan.repository, NAME_MAX);
    if scan.repository.trim().is_empty() {
        faults.add(
            "/repository",
            "field_empty",
            "It is empty.",
            "Say what the repository is called.",
        );
    }
    if let Some(commit) = &scan.commit {
        faults.line("/commit", commit, NAME_MAX);
    }
    faults.count("/references", scan.references.len(), 0, REFERENCES_MAX);
    for (place, one) in scan.references.iter().take(REFERENCES_MAX).enumerate() {
        faults.line(&format!("/references/{place}/path"), &one.path, PATH_MAX);
    }
    faults.finish()
}
