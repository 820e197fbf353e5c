//! What somebody would get of all flags of an environment.

use domain::flag::{FlagTrial, FlagTried};
use flags::{Attributes, Evaluated, Reason};

use crate::resource::fault::Faults;
use crate::resource::{Listed, own};
use crate::{Caller, Control, Error};

/// Which flags are told of, in the order of their keys.
#[derive(Debug, Clone, Default)]
pub struct FlagsWanted {
    /// Only those whose keys contain this, whatever its case.
    pub q: Option<String>,
    /// Only those that give what they give for this reason.
    pub reason: Option<Reason>,
    /// Only those after this key.
    pub after: Option<String>,
    /// The most of them.
    pub limit: usize,
}

impl FlagsWanted {
    fn has(&self, found: &Evaluated<'_>) -> bool {
        let contains = |q: &String| found.key.to_lowercase().contains(q.as_str());
        self.after.as_ref().is_none_or(|after| found.key > after.as_str())
            && self.reason.is_none_or(|reason| found.reason == reason.as_str())
            && self.q.as_ref().is_none_or(contains)
    }
}

impl Control {
    /// What somebody would get of the flags of an environment; nothing is recorded.
    ///
    /// # Errors
    /// `permission_denied`, and `request_invalid` if there is no such environment or an attribute is of no known kind.
    pub async fn try_feature_flags(
        &self,
        caller: &Caller,
        trial: FlagTrial,
        mut wanted: FlagsWanted,
    ) -> Result<Listed<FlagTried>, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "try_feature_flags", organization, None)?;
        let known = own::environments(&mut self.store(), organization).await?;
        let environment = known.into_iter().find(|name| *name == trial.environment);
        let mut faults = Faults::default();
        faults.reference("/environment", "environment", environment);
        faults.finish()?;
        let attributes = Attributes::from_json(&trial.attributes)?;
        wanted.q = wanted.q.map(|q| q.to_lowercase());
        let sets = self.flag_sets().await?;
        let mut data = Vec::new();
        if let Some(set) = sets.get(organization, &trial.environment) {
            let now = trial.at.unwrap_or_else(|| self.now());
            set.try_each(&attributes, now, |found| {
                if data.len() > wanted.limit || !wanted.has(&found) {
                    return;
                }
                let id = sets.id(organization, found.key);
                data.extend(id.map(|id| FlagTried {
                    id,
                    by: found.by.map(str::to_owned),
                    evaluation: found.into(),
                }));
            });
        }
        let has_more = data.len() > wanted.limit;
        data.truncate(wanted.limit);
        Ok(Listed { data, has_more })
    }
}
