//! Flags and segments that routes and policies name: they are there when one is saved, and stay as long as it does.

use domain::Name;
use domain::catalog::Api;
use domain::flag::{Audience, FeatureFlag, Segment};
use domain::id::{ApiId, OrganizationId};
use domain::traffic::{Policy, Route};
use store::Arg;
use store::entity::{self, Condition, Entity, Read};

use super::fault::Faults;
use crate::Error;

/// Wants all that an audience names to be there; in an environment, if it is for one.
pub(super) async fn exists(
    read: &mut impl Read,
    organization: OrganizationId,
    (pointer, audience): (&str, &Audience),
    environment: Option<&Name>,
    faults: &mut Faults,
) -> Result<(), Error> {
    for (place, wanted) in audience.flags.iter().enumerate() {
        let at = format!("{pointer}/flags/{place}");
        let key = wanted.key.as_str();
        let Some(flag) = flag(read, organization, (&format!("{at}/key"), key), faults).await? else {
            continue;
        };
        if let Some(environment) = environment.filter(|it| !flag.spec.environments.contains_key(*it)) {
            let detail = format!("The flag says nothing of `{environment}`, so nobody is in the audience.");
            let suggestion = "Say first who gets which variant there.";
            faults.add(&format!("{at}/key"), "reference_unknown", detail, suggestion);
        }
        for (place, variant) in wanted.variants.iter().enumerate() {
            if !flag.spec.variants.contains_key(variant) {
                let known: Vec<_> = flag.spec.variants.keys().map(String::as_str).collect();
                let detail = format!("The flag has no such variant; it has {}.", known.join(", "));
                let at = format!("{at}/variants/{place}");
                faults.add(&at, "variant_unknown", detail, "Name a variant of the flag.");
            }
        }
    }
    for (place, segment) in audience.segments.iter().enumerate() {
        let found = by_key::<Segment>(read, organization, segment.key.as_str()).await?;
        faults.reference(&format!("{pointer}/segments/{place}/key"), "segment", found);
    }
    Ok(())
}

/// Wants a flag to be there.
pub(super) async fn flag(
    read: &mut impl Read,
    organization: OrganizationId,
    (pointer, key): (&str, &str),
    faults: &mut Faults,
) -> Result<Option<FeatureFlag>, Error> {
    let found = by_key::<FeatureFlag>(read, organization, key).await?;
    Ok(faults.reference(pointer, "feature flag", found))
}

async fn by_key<T: Entity>(
    read: &mut impl Read,
    organization: OrganizationId,
    key: &str,
) -> Result<Option<T>, Error> {
    let own = [
        Condition::Is("organization_id", Arg::text(organization)),
        Condition::Is("name", Arg::text(key)),
    ];
    Ok(entity::find::<T>(read, &own).await?)
}

/// A route or a policy that names a flag.
pub(super) struct Use {
    /// What it is, in words.
    pub(super) by: String,
    /// Where it is for; anywhere if absent.
    environment: Option<Name>,
    /// The variants that it names.
    variants: Vec<String>,
}

impl Use {
    /// Whether it names something that a flag loses when it becomes another one.
    pub(super) fn loses(&self, before: &FeatureFlag, after: &FeatureFlag) -> bool {
        let gone = |environment: &Name| {
            before.spec.environments.contains_key(environment)
                && !after.spec.environments.contains_key(environment)
        };
        self.environment.as_ref().is_some_and(gone)
            || (self.variants.iter()).any(|variant| !after.spec.variants.contains_key(variant))
    }
}

/// The routes and policies that name a flag.
pub(super) async fn uses(
    read: &mut impl Read,
    organization: OrganizationId,
    flag: &str,
) -> Result<Vec<Use>, Error> {
    let named = |audience: &Option<Audience>| {
        let all = audience.iter().flat_map(|audience| &audience.flags);
        let named: Vec<_> = all.filter(|it| it.key.as_str() == flag).collect();
        let variants = named.iter().flat_map(|it| it.variants.clone()).collect();
        (!named.is_empty()).then_some(variants)
    };
    let mut uses = Vec::new();
    for route in mentioning::<Route>(read, organization, flag).await? {
        if let Some(variants) = named(&route.spec.matches.audience) {
            uses.push(Use {
                by: format!("the route {}{}", route.id, of_api(read, route.api_id).await?),
                environment: Some(route.spec.environment),
                variants,
            });
        }
    }
    for policy in mentioning::<Policy>(read, organization, flag).await? {
        let told = told(&policy).iter().any(|key| key == flag).then(Vec::new);
        if let Some(variants) = named(&policy.spec.audience).or(told) {
            uses.push(Use {
                by: by_policy(read, &policy).await?,
                environment: None,
                variants,
            });
        }
    }
    Ok(uses)
}

/// The routes and policies that name a segment, in words.
pub(super) async fn uses_of_segment(
    read: &mut impl Read,
    organization: OrganizationId,
    segment: &str,
) -> Result<Vec<String>, Error> {
    let (routes, policies) = naming_segment(read, organization, segment).await?;
    let mut uses = Vec::with_capacity(routes.len() + policies.len());
    for route in routes {
        uses.push(format!(
            "the route {}{}",
            route.id,
            of_api(read, route.api_id).await?
        ));
    }
    for policy in &policies {
        uses.push(by_policy(read, policy).await?);
    }
    Ok(uses)
}

/// The routes and policies that name a segment.
pub(crate) async fn naming_segment(
    read: &mut impl Read,
    organization: OrganizationId,
    segment: &str,
) -> Result<(Vec<Route>, Vec<Policy>), Error> {
    let names_it = |audience: &Option<Audience>| {
        let mut all = audience.iter().flat_map(|audience| &audience.segments);
        all.any(|it| it.key.as_str() == segment)
    };
    let mut routes = mentioning::<Route>(read, organization, segment).await?;
    routes.retain(|route| names_it(&route.spec.matches.audience));
    let mut policies = mentioning::<Policy>(read, organization, segment).await?;
    policies.retain(|policy| names_it(&policy.spec.audience));
    Ok((routes, policies))
}

/// The flags of which a policy tells services.
fn told(policy: &Policy) -> Vec<String> {
    let kind = policy::kind(&policy.spec.kind);
    let made = kind.and_then(|kind| kind.compile(&policy.spec.config, None).ok());
    let flags = made.as_ref().map(|made| made.flags()).unwrap_or_default();
    flags.into_iter().map(str::to_owned).collect()
}

async fn by_policy(read: &mut impl Read, policy: &Policy) -> Result<String, Error> {
    let api = of_api(read, policy.spec.api_id).await?;
    Ok(format!("the policy `{}` {}{api}", policy.spec.kind, policy.id))
}

async fn of_api(read: &mut impl Read, api: ApiId) -> Result<String, Error> {
    let api = entity::find_id::<Api>(read, api).await?;
    Ok(api.map_or_else(String::new, |api| format!(" of the API `{}`", api.spec.name)))
}

/// What may name a key; whether it does is looked at afterwards.
async fn mentioning<T: Entity>(
    read: &mut impl Read,
    organization: OrganizationId,
    key: &str,
) -> Result<Vec<T>, Error> {
    let own = [
        Condition::Is("organization_id", Arg::text(organization)),
        Condition::Mentions(key.to_owned()),
    ];
    Ok(entity::all::<T>(read, &own).await?)
}
