//! Flags that cannot be said in the words of other products, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::flag::{FlagExports, FlagKey, FlagLeftOut, FlagLeftOutCount, FlagProtocol};
use domain::id::OrganizationId;
use domain::{Code, Name};
use flags::flagd::Fractional;
use flags::{Finding, Set};

use super::FlagSets;
use crate::resource::own;
use crate::{Caller, Control, Error};

/// Which flags that are left out are told of; all if nothing is said.
#[derive(Debug, Clone, Default)]
pub struct ExportsWanted {
    /// Only in the environment of this name.
    pub environment: Option<Name>,
    /// Only the flag with this key.
    pub flag: Option<FlagKey>,
    /// Only what programs of this product are not given.
    pub protocol: Option<FlagProtocol>,
    /// The most that are told of; all are counted.
    pub limit: Option<usize>,
}

impl Control {
    /// Which flags are left out of what programs of other products are given.
    ///
    /// # Errors
    /// Those of a list; `parameter_invalid` if there is no such environment.
    pub async fn flag_exports(&self, caller: &Caller, wanted: ExportsWanted) -> Result<FlagExports, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "read_feature_flag_exports", organization, None)?;
        let known = own::environments(&mut self.store(), organization).await?;
        let only = wanted.environment.as_ref();
        if let Some(missing) = only.filter(|name| !known.contains(name)) {
            let detail = format!("There is no environment `{missing}`.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        let names: Vec<_> = known
            .into_iter()
            .filter(|name| only.is_none_or(|only| only == name))
            .collect();
        let sets = self.flag_sets().await?;
        // Thousands of flags take a while to write, if nobody has asked for them yet.
        let written = tokio::task::spawn_blocking(move || {
            let each = names.iter().filter_map(|name| {
                let set = sets.get(organization, name)?;
                Some(left_out((&sets, organization), set, name, wanted.protocol))
            });
            let mut all: Vec<_> = each.flatten().collect();
            all.retain(|one| wanted.flag.as_ref().is_none_or(|flag| *flag == one.flag));
            let counts = counts(&names, &all);
            all.truncate(wanted.limit.unwrap_or(usize::MAX));
            FlagExports {
                counts,
                left_out: all,
            }
        });
        written
            .await
            .map_err(|error| Error::internal("writing flags", error))
    }
}

/// How many flags there are, in the order of the environments and of the protocols.
fn counts(environments: &[Name], left_out: &[FlagLeftOut]) -> Vec<FlagLeftOutCount> {
    let mut keys: BTreeMap<(usize, FlagProtocol), BTreeSet<&FlagKey>> = BTreeMap::new();
    for one in left_out {
        let place = environments.iter().position(|name| *name == one.environment);
        let place = (place.unwrap_or(usize::MAX), one.protocol);
        keys.entry(place).or_default().insert(&one.flag);
    }
    let each = keys.into_iter().filter_map(|((place, protocol), flags)| {
        Some(FlagLeftOutCount {
            environment: environments.get(place)?.clone(),
            protocol,
            flags: u32::try_from(flags.len()).unwrap_or(u32::MAX),
        })
    });
    each.collect()
}

fn left_out(
    of: (&FlagSets, OrganizationId),
    set: &Arc<Set>,
    environment: &Name,
    protocol: Option<FlagProtocol>,
) -> Vec<FlagLeftOut> {
    let asked = FlagProtocol::ALL
        .into_iter()
        .filter(|known| protocol.is_none_or(|only| only == *known));
    let mut all = Vec::new();
    for protocol in asked {
        let flagd;
        let refused = match protocol {
            FlagProtocol::Unleash => &set.unleash().refused,
            FlagProtocol::Growthbook => &set.growthbook().refused,
            FlagProtocol::Flagd => {
                flagd = set.flagd(Fractional::V2);
                &flagd.refused
            }
        };
        let told = refused
            .iter()
            .filter_map(|finding| told(of, finding, environment, protocol));
        all.extend(told);
    }
    all
}

fn told(
    (sets, organization): (&FlagSets, OrganizationId),
    finding: &Finding,
    environment: &Name,
    protocol: FlagProtocol,
) -> Option<FlagLeftOut> {
    // Writers name places in definitions; people see a flag with all of its environments.
    let key = finding.flag.replace('~', "~0").replace('/', "~1");
    let place = finding.pointer.strip_prefix(&format!("/flags/{key}"));
    let place = place.unwrap_or(&finding.pointer);
    let is_common = place.starts_with("/variants");
    Some(FlagLeftOut {
        flag_id: sets.id(organization, &finding.flag)?,
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
