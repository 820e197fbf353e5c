//! What a flag or a segment is compiled with when it is saved: what it needs, and what needs it. The rest of an organization's
//! thousands of flags is neither read nor compiled.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::flag::{FeatureFlag, Segment};
use domain::id::OrganizationId;
use eval::definition::Targeting;
use store::Arg;
use store::entity::{self, Condition, Read};

use super::Saved;
use crate::Error;
use crate::resource::named_segments;

/// How many flags are asked for by their keys at once.
const NAMED: usize = 500;

impl Saved {
    /// A flag that is to be saved, with what it needs; and with what needs it, if that may not find it as it was.
    pub(crate) async fn around_flag(
        read: &mut impl Read,
        flag: &FeatureFlag,
        before: Option<&FeatureFlag>,
    ) -> Result<Self, Error> {
        let mut flags = vec![Arc::new(flag.clone())];
        if before.is_some_and(|before| matters_to_others(before, flag)) {
            flags.extend(needing(read, flag).await?);
        }
        add_needed(read, flag.organization_id, &mut flags).await?;
        let mut segments = Vec::new();
        let mut open: Vec<&str> = flags.iter().flat_map(|flag| flag_segments(flag)).collect();
        if !open.is_empty() {
            let all = store::flag::segments(read, flag.organization_id).await?;
            let mut named = BTreeSet::new();
            while let Some(key) = open.pop() {
                let found = all.iter().find(|it| it.spec.key.as_str() == key);
                if let Some(segment) = found.filter(|_| named.insert(key)) {
                    open.extend(named_segments(&segment.spec.when));
                    segments.push(Arc::new(segment.clone()));
                }
            }
        }
        Ok(Self { flags, segments })
    }

    /// A segment as it is to be saved, with all others, the flags that name it, themselves or through other segments, and what
    /// these flags need.
    pub(crate) async fn around_segment(read: &mut impl Read, segment: &Segment) -> Result<Self, Error> {
        let organization = segment.organization_id;
        let mut segments = store::flag::segments(read, organization).await?;
        segments.retain(|other| other.id != segment.id);
        segments.push(segment.clone());
        let segments: Vec<_> = segments.into_iter().map(Arc::new).collect();
        let mut flags = with_field(read, organization, "segment").await?;
        let through = through(&segments, segment.spec.key.as_str());
        flags.retain(|flag| flag_segments(flag).any(|key| through.contains(key)));
        let mut flags: Vec<_> = flags.into_iter().map(Arc::new).collect();
        add_needed(read, organization, &mut flags).await?;
        Ok(Self { flags, segments })
    }
}

/// The keys of the segments that lead to one, and its own.
pub(crate) fn through<'s>(segments: &'s [Arc<Segment>], key: &'s str) -> BTreeSet<&'s str> {
    let mut through = BTreeSet::from([key]);
    let mut open = vec![key];
    while let Some(key) = open.pop() {
        for other in segments {
            let names_it = named_segments(&other.spec.when).contains(&key);
            if names_it && through.insert(other.spec.key.as_str()) {
                open.push(other.spec.key.as_str());
            }
        }
    }
    through
}

/// The keys of the segments that a flag names, in any environment.
pub(crate) fn flag_segments(flag: &FeatureFlag) -> impl Iterator<Item = &str> {
    flag.spec.environments.values().flat_map(rule_segments)
}

/// The keys of the segments that the rules of a flag name in an environment.
pub(crate) fn rule_segments(targeting: &Targeting) -> impl Iterator<Item = &str> {
    let conditions = targeting.rules.iter().filter_map(|rule| rule.when.as_ref());
    conditions.flat_map(named_segments)
}

/// The flags that need others, in any environment.
pub(crate) async fn dependent(
    read: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<FeatureFlag>, Error> {
    let mut flags = with_field(read, organization, "prerequisites").await?;
    let known: BTreeSet<_> = flags.iter().map(|flag| flag.id).collect();
    let by_rules = with_field(read, organization, "requires").await?;
    flags.extend(by_rules.into_iter().filter(|flag| !known.contains(&flag.id)));
    Ok(flags)
}

/// Whether flags that need one could fail when it is changed: it has lost something that they may name, or it leads to others.
fn matters_to_others(before: &FeatureFlag, after: &FeatureFlag) -> bool {
    let (was, is) = (&before.spec, &after.spec);
    let needs = |flag: &FeatureFlag| {
        let parts = flag.spec.environments.iter();
        let needed = parts.map(|(name, part)| (name.clone(), part.needed().cloned().collect::<Vec<_>>()));
        needed.collect::<Vec<_>>()
    };
    was.variants.keys().any(|name| !is.variants.contains_key(name))
        || was
            .environments
            .keys()
            .any(|name| !is.environments.contains_key(name))
        || needs(before) != needs(after)
}

/// The flags that lead to one, themselves or through others.
async fn needing(read: &mut impl Read, flag: &FeatureFlag) -> Result<Vec<Arc<FeatureFlag>>, Error> {
    let mut others = dependent(read, flag.organization_id).await?;
    others.retain(|other| other.id != flag.id);
    let mut leading = Vec::new();
    let mut keys = BTreeSet::from([flag.spec.key.to_string()]);
    loop {
        let needs_one = |other: &FeatureFlag| needed_by(other).any(|key| keys.contains(key));
        let (found, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(needs_one);
        if found.is_empty() {
            return Ok(leading);
        }
        keys.extend(found.iter().map(|flag| flag.spec.key.to_string()));
        leading.extend(found.into_iter().map(Arc::new));
        others = rest;
    }
}

/// Adds what flags need, themselves or through others.
async fn add_needed(
    read: &mut impl Read,
    organization: OrganizationId,
    flags: &mut Vec<Arc<FeatureFlag>>,
) -> Result<(), Error> {
    let mut known: BTreeSet<String> = flags.iter().map(|flag| flag.spec.key.to_string()).collect();
    let mut looked_at = 0;
    while looked_at < flags.len() {
        let needed = flags[looked_at..].iter().flat_map(|flag| needed_by(flag));
        let needed: BTreeSet<_> = needed.filter(|key| !known.contains(*key)).collect();
        let missing: Vec<String> = needed.into_iter().map(str::to_owned).collect();
        looked_at = flags.len();
        for keys in missing.chunks(NAMED) {
            let named = [own(organization), Condition::In("name", keys.to_vec())];
            let found = entity::all::<FeatureFlag>(read, &named).await?;
            flags.extend(found.into_iter().map(Arc::new));
        }
        known.extend(missing);
    }
    Ok(())
}

/// The keys of the flags that one needs, in any environment.
fn needed_by(flag: &FeatureFlag) -> impl Iterator<Item = &str> {
    let targetings = flag.spec.environments.values();
    let needed = targetings.flat_map(Targeting::needed);
    needed.map(|one| one.flag.as_str())
}

/// The flags in which a field stands somewhere.
async fn with_field(
    read: &mut impl Read,
    organization: OrganizationId,
    field: &str,
) -> Result<Vec<FeatureFlag>, Error> {
    let mentions = Condition::Mentions(format!("\"{field}\":"));
    Ok(entity::all::<FeatureFlag>(read, &[own(organization), mentions]).await?)
}

fn own(organization: OrganizationId) -> Condition {
    Condition::Is("organization_id", Arg::text(organization))
}

#[cfg(test)]
mod tests;
