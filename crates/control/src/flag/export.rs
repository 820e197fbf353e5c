//! Flags that cannot be said in the words of other products, and why.

use std::sync::Arc;

use domain::flag::{FlagExports, FlagKey, FlagLeftOut, FlagProtocol};
use domain::{Code, Name};
use flags::flagd::Fractional;
use flags::{Finding, Set};

use crate::resource::own;
use crate::{Caller, Control, Error};

impl Control {
    /// Which flags are left out of what programs of other products are given, in one environment or all, of one flag or all.
    ///
    /// # Errors
    /// Those of a list; `parameter_invalid` if there is no such environment.
    pub async fn flag_exports(
        &self,
        caller: &Caller,
        environment: Option<Name>,
        flag: Option<FlagKey>,
    ) -> Result<FlagExports, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "read_feature_flag_exports", organization, None)?;
        let known = own::environments(&mut self.store(), organization).await?;
        if let Some(missing) = environment.as_ref().filter(|name| !known.contains(name)) {
            let detail = format!("There is no environment `{missing}`.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        let sets = self.flag_sets().await?;
        let asked = known
            .into_iter()
            .filter(|name| environment.as_ref().is_none_or(|only| only == name));
        let sets = asked.filter_map(|name| Some((sets.get(organization, &name)?.clone(), name)));
        let sets: Vec<(Arc<Set>, Name)> = sets.collect();
        // Thousands of flags take a while to write, if nobody has asked for them yet.
        let written = tokio::task::spawn_blocking(move || {
            let each = sets.iter().flat_map(|(set, name)| left_out(set, name));
            let mut all: Vec<_> = each.collect();
            all.retain(|one| flag.as_ref().is_none_or(|flag| *flag == one.flag));
            all
        });
        let left_out = written
            .await
            .map_err(|error| Error::internal("writing flags", error))?;
        Ok(FlagExports { left_out })
    }
}

fn left_out(set: &Set, environment: &Name) -> Vec<FlagLeftOut> {
    let flagd = set.flagd(Fractional::V2);
    let all = [
        (FlagProtocol::Unleash, &set.unleash().refused),
        (FlagProtocol::Growthbook, &set.growthbook().refused),
        (FlagProtocol::Flagd, &flagd.refused),
    ];
    let each = all.into_iter().flat_map(|(protocol, refused)| {
        refused
            .iter()
            .filter_map(move |finding| told(finding, environment, protocol))
    });
    each.collect()
}

fn told(finding: &Finding, environment: &Name, protocol: FlagProtocol) -> Option<FlagLeftOut> {
    // Writers name places in definitions; people see a flag with all of its environments.
    let key = finding.flag.replace('~', "~0").replace('/', "~1");
    let place = finding.pointer.strip_prefix(&format!("/flags/{key}"));
    let place = place.unwrap_or(&finding.pointer);
    let is_common = place.starts_with("/variants");
    Some(FlagLeftOut {
        flag: finding.flag.parse().ok()?,
        environment: environment.clone(),
        protocol,
        pointer: match is_common {
            true => place.to_owned(),
            false => format!("/environments/{environment}{place}"),
        },
        code: finding.code.to_owned(),
        detail: finding.detail.clone(),
    })
}
