//! Feature flags: what is saved can be compiled, together with all others of the organization.

use std::collections::BTreeSet;

use domain::code::Code;
use domain::flag::{EXPOSURE, FeatureFlag, FeatureFlagSpec};
use domain::id::FeatureFlagId;
use domain::identity::Environment;
use domain::tracking::{EventType, EventTypeSpec, EventTypeState};
use domain::{Name, Timestamp};
use eval::definition::{Rule, Targeting};
use serde_json::json;
use store::entity::{self, Read, Window};
use store::flag::history;
use store::{Arg, Tx};
use uuid::Uuid;

use super::fault::{Faults, TITLE_MAX, in_use, part};
use super::flag_parts::{compile, patterns, size, size_of_all, too_many_patterns};
use super::flag_sticky;
use super::{New, Resource, audience, own};
use crate::flag::{Saved, linked};
use crate::{Caller, Control, Error};

/// The most flags of an organization: every edge knows them all.
const FLAGS_MAX: i64 = 10_000;
/// The most variants of a flag.
const VARIANTS_MAX: usize = 100;
/// The most characters of a variant's name.
const VARIANT_CHARS_MAX: usize = 100;
/// The most characters of who answers for a flag.
const OWNER_MAX: usize = 200;
/// The most tags of a flag.
const TAGS_MAX: usize = 20;
/// The most rules of a flag in one environment.
const RULES_MAX: usize = 200;
/// The most environments of an organization that are looked at.
const ENVIRONMENTS_MAX: u32 = 1000;

impl Resource for FeatureFlag {
    type Spec = FeatureFlagSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: FeatureFlagSpec) -> Self {
        Self {
            id: FeatureFlagId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &FeatureFlagSpec {
        &self.spec
    }

    fn with(&self, spec: FeatureFlagSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, _: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        let was = before.map(|before| &before.spec.environments);
        flag_sticky::carry(&mut faults, was, &mut self.spec.environments);
        shape(&mut faults, &self.spec);
        if let Some(before) = before {
            faults.fixed("/key", before.spec.key != self.spec.key);
            faults.fixed("/type", before.spec.r#type != self.spec.r#type);
        }
        faults.finish()?;
        let mut faults = Faults::default();
        let known = environments(tx, self).await?;
        for name in self.spec.environments.keys() {
            let pointer = format!("/environments/{name}");
            faults.reference(&pointer, "environment", known.contains(name).then_some(()));
        }
        faults.finish()?;
        let all = [entity::Condition::Is(
            "organization_id",
            Arg::text(self.organization_id),
        )];
        if before.is_none() && entity::count::<Self>(tx, &all).await? >= FLAGS_MAX {
            let detail = format!("The organization has {FLAGS_MAX} flags.");
            return Err(Error::refused(Code::Conflict, detail));
        }
        let specs = (before.map(|before| &before.spec), &self.spec);
        size_of_all(tx, self.organization_id, specs).await?;
        let saved = Saved::around_flag(tx, self, before).await?;
        let own = format!("/flags/{}", part(self.spec.key.as_str()));
        let mut faults = Faults::default();
        let mut touched: BTreeSet<&Name> = self.spec.environments.keys().collect();
        touched.extend(
            before
                .into_iter()
                .flat_map(|before| before.spec.environments.keys()),
        );
        for name in touched {
            let place = format!("/environments/{name}");
            compile(&mut faults, &saved.definitions(name), (&own, &place));
        }
        faults.finish()?;
        match before {
            Some(before) => keeps(tx, before, self).await,
            None => Ok(()),
        }
    }

    /// Keeps what it was, and sees that there is a type of events for who is given which variant.
    async fn written(&self, control: &Control, tx: &mut Tx, caller: &Caller) -> Result<(), Error> {
        history::keep(tx, self, &caller.actor()).await?;
        let is_it = [
            entity::Condition::Is("organization_id", Arg::text(self.organization_id)),
            entity::Condition::Is("name", Arg::text(EXPOSURE)),
        ];
        if entity::find::<EventType>(tx, &is_it).await?.is_some() {
            return Ok(());
        }
        let new = New {
            uuid: Uuid::now_v7(),
            organization: self.organization_id,
            now: self.updated_at,
        };
        let made = EventType::new(new, &(), exposure());
        tx.insert(&made, &[]).await?;
        control
            .note(tx, caller, "create_event_type", None, Some(&made))
            .await
    }

    async fn guarded(
        read: &mut (impl Read + Send),
        (before, after): (Option<&Self>, Option<&Self>),
    ) -> Result<Vec<Name>, Error> {
        let Some(either) = after.or(before) else {
            return Ok(Vec::new());
        };
        let mut names = own::protected_environments(read, either.organization_id).await?;
        names.retain(|name| !is_harmless(name, before, after));
        Ok(names)
    }

    /// Others may look at what it gives.
    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let flags = linked::dependent(tx, self.organization_id).await?;
        for name in self.spec.environments.keys() {
            let needs = |flag: &&FeatureFlag| {
                let targeting = flag.spec.environments.get(name);
                let mut needed = targeting.into_iter().flat_map(Targeting::needed);
                flag.id != self.id && needed.any(|one| one.flag == self.spec.key.as_str())
            };
            if let Some(other) = flags.iter().find(needs) {
                let detail = format!("The flag `{}` needs it in `{name}`.", other.spec.key);
                return Err(Error::refused(Code::InUse, detail));
            }
        }
        let uses = audience::uses(tx, self.organization_id, self.spec.key.as_str()).await?;
        in_use(&uses.into_iter().map(|one| one.by).collect::<Vec<_>>())?;
        Ok(store::flag::forget(tx, self).await?)
    }
}

/// Wants what routes and policies name of a flag to stay.
async fn keeps(tx: &mut Tx, before: &FeatureFlag, after: &FeatureFlag) -> Result<(), Error> {
    let has_less = before
        .spec
        .variants
        .keys()
        .any(|name| !after.spec.variants.contains_key(name))
        || before
            .spec
            .environments
            .keys()
            .any(|name| !after.spec.environments.contains_key(name));
    if !has_less {
        return Ok(());
    }
    let uses = audience::uses(tx, after.organization_id, after.spec.key.as_str()).await?;
    let losing = uses.into_iter().filter(|one| one.loses(before, after));
    in_use(&losing.map(|one| one.by).collect::<Vec<_>>())
}

/// Whether nobody gets anything else in an environment than before, or the flag is turned off there and nothing else.
fn is_harmless(name: &Name, before: Option<&FeatureFlag>, after: Option<&FeatureFlag>) -> bool {
    let part = |flag: Option<&FeatureFlag>| {
        let flag = flag?;
        let targeting = flag.spec.environments.get(name)?.clone();
        Some((targeting, flag.spec.variants.clone(), flag.spec.client_side))
    };
    let (mut before, after) = (part(before), part(after));
    if before == after {
        return true;
    }
    if let Some((targeting, ..)) = &mut before {
        targeting.enabled = false;
    }
    before.is_some() && before == after
}

async fn environments(tx: &mut Tx, flag: &FeatureFlag) -> Result<BTreeSet<Name>, Error> {
    let of = [entity::Condition::Is(
        "organization_id",
        Arg::text(flag.organization_id),
    )];
    let window = Window {
        limit: ENVIRONMENTS_MAX,
        ..Window::default()
    };
    let all = entity::list::<Environment>(tx, &of, &window).await?;
    Ok(all.into_iter().map(|it| it.spec.name).collect())
}

/// What can be said of a flag by itself, without compiling it.
fn shape(faults: &mut Faults, spec: &FeatureFlagSpec) {
    faults.line("/title", &spec.title, TITLE_MAX);
    faults.description("/description", &spec.description);
    faults.line("/owner", &spec.owner, OWNER_MAX);
    faults.count("/tags", spec.tags.len(), 0, TAGS_MAX);
    faults.count("/variants", spec.variants.len(), 1, VARIANTS_MAX);
    for (name, value) in &spec.variants {
        let pointer = format!("/variants/{}", part(name));
        let is_name = (1..=VARIANT_CHARS_MAX).contains(&name.chars().count())
            && !name.contains(char::is_control)
            && name.trim() == name;
        if !is_name {
            let detail = format!("A variant's name has 1 to {VARIANT_CHARS_MAX} characters in one line.");
            faults.add(&pointer, "field_invalid", detail, "Rename the variant.");
        }
        if !spec.r#type.has(value) {
            let detail = format!("The value is not of the flag's type, `{}`.", spec.r#type.as_str());
            let suggestion = "Change the value, or make a flag of another type.";
            faults.add(&pointer, "value_type", detail, suggestion);
        }
    }
    for (name, targeting) in &spec.environments {
        let at = format!("/environments/{name}");
        faults.count(&format!("{at}/rules"), targeting.rules.len(), 0, RULES_MAX);
        let rules = targeting
            .rules
            .iter()
            .filter_map(|rule: &Rule| rule.when.as_ref());
        too_many_patterns(faults, &at, rules.map(patterns).sum());
    }
    size(faults, spec, "flag");
}

/// The type of events that tell who was given which variant.
fn exposure() -> EventTypeSpec {
    let text = json!({ "type": "string" });
    let schema = json!({
        "type": "object",
        "required": ["flag", "variant"],
        "properties": { "flag": text, "variant": text, "flag_version": { "type": "integer" }, "by": text },
    });
    EventTypeSpec {
        name: EXPOSURE.parse().expect("it is the name of a type"),
        title: "Variant given".to_owned(),
        description: "Somebody was given a variant of a feature flag: recorded where flags are asked for one by one, and by \
            SDKs when a variant is used. Archive it to record none."
            .to_owned(),
        schema: schema.as_object().cloned(),
        state: EventTypeState::Active,
        managed_by: None,
    }
}
