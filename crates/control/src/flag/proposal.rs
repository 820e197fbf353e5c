//! Changes of flags that are proposed, approved by somebody else and applied.

use domain::code::Code;
use domain::flag::{FeatureFlag, FlagChangeRequest, FlagChangeRequestSpec, FlagChangeState, FlagDecision};
use domain::id::{FeatureFlagId, FlagChangeRequestId};
use serde_json::{Map, Value, json};
use store::entity::{self, Condition};
use store::{Arg, Tx};

use crate::resource::fault::{Faults, part};
use crate::resource::{ListQuery, Listed, Replacing, Resource as _, parse_patch};
use crate::{Caller, Control, Error};

/// The most proposed changes of a flag that wait for something.
const PENDING_MAX: i64 = 100;
/// The field of a flag whose entries are places of their own.
const ENVIRONMENTS: &str = "environments";

/// A proposed change and the flag that it is about.
type Found = (FeatureFlag, FlagChangeRequest);

impl Control {
    /// Lists the proposed changes of all flags.
    ///
    /// # Errors
    /// `permission_denied`.
    pub async fn change_requests(
        &self,
        caller: &Caller,
        mut query: ListQuery,
    ) -> Result<Listed<FlagChangeRequest>, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "list_change_requests", organization, None)?;
        query
            .conditions
            .push(Condition::Is("organization_id", Arg::text(organization)));
        let mut listed = self
            .listed::<FlagChangeRequest>(&query.conditions, &query)
            .await?;
        self.name_people(&mut listed.data).await?;
        let flags: Vec<_> = listed.data.iter().map(|it| it.flag_id).collect();
        let keys = store::flag::keys(&mut self.store(), &flags).await?;
        for it in &mut listed.data {
            it.flag_key = keys.get(&it.flag_id).cloned();
        }
        Ok(listed)
    }

    /// Lists the proposed changes of a flag.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag.
    pub async fn flag_change_requests(
        &self,
        caller: &Caller,
        flag: FeatureFlagId,
        mut query: ListQuery,
    ) -> Result<Listed<FlagChangeRequest>, Error> {
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        let action = "list_feature_flag_change_requests";
        self.authorize(&mut self.store(), caller, action, &flag).await?;
        query
            .conditions
            .push(Condition::Is("flag_id", Arg::text(flag.id)));
        let mut listed = self
            .listed::<FlagChangeRequest>(&query.conditions, &query)
            .await?;
        self.name_people(&mut listed.data).await?;
        for it in &mut listed.data {
            it.flag_key = Some(flag.spec.key.clone());
        }
        Ok(listed)
    }

    /// Reads a proposed change.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag, or there is no such change of it.
    pub async fn flag_change_request(
        &self,
        caller: &Caller,
        place: (FeatureFlagId, FlagChangeRequestId),
    ) -> Result<FlagChangeRequest, Error> {
        let (flag, found) = self.change_request(caller, place).await?;
        let action = "read_feature_flag_change_request";
        self.authorize(&mut self.store(), caller, action, &flag).await?;
        self.with_names(&flag, found).await
    }

    /// Proposes a change of a flag.
    ///
    /// # Errors
    /// Those that the change itself would have but for `environment_protected`; `conflict` if too many wait.
    pub async fn propose_flag_change(
        &self,
        caller: &Caller,
        flag: FeatureFlagId,
        spec: FlagChangeRequestSpec,
    ) -> Result<FlagChangeRequest, Error> {
        const ACTION: &str = "create_feature_flag_change_request";
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, ACTION, &flag).await?;
        let now = self.now();
        let changed = parse_patch(&flag.spec, &json!(spec.patch))?;
        let mut after = flag.with(changed, now);
        let mut faults = Faults::default();
        faults.description("/comment", &spec.comment);
        let before = touched(&spec.patch, &json!(flag.spec));
        let wanted = touched(&spec.patch, &json!(after.spec));
        if before == wanted {
            faults.add(
                "/patch",
                "field_invalid",
                "It changes nothing.",
                "Say what is to be otherwise.",
            );
        }
        faults.finish()?;
        after.check(&mut tx, caller, Some(&flag)).await?;
        // With what sticky rules keep.
        let wanted = touched(&spec.patch, &json!(after.spec));
        if store::flag::proposal::pending(&mut tx, flag.id).await? >= PENDING_MAX {
            let detail = format!("{PENDING_MAX} changes of the flag wait already.");
            return Err(Error::refused(Code::Conflict, detail));
        }
        let request = FlagChangeRequest {
            id: FlagChangeRequestId::new(self.uuid()),
            organization_id: flag.organization_id,
            flag_id: flag.id,
            flag_key: None,
            state: FlagChangeState::Open,
            spec,
            before,
            after: wanted,
            flag_revision: flag.revision,
            author: caller.actor(),
            author_name: None,
            decided_by: None,
            decided_by_name: None,
            decided_at: None,
            decision: String::new(),
            applied_revision: None,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        tx.insert(&request, &[]).await?;
        store::flag::proposal::forget_old(&mut tx, flag.id).await?;
        self.note(&mut tx, caller, ACTION, None, Some(&request)).await?;
        tx.commit().await?;
        self.with_names(&flag, request).await
    }

    /// Says yes to a proposed change; somebody else than its author does.
    ///
    /// # Errors
    /// `own_change` to its author, `conflict` unless it is open.
    pub async fn approve_flag_change(
        &self,
        caller: &Caller,
        place: (FeatureFlagId, FlagChangeRequestId),
        decision: FlagDecision,
    ) -> Result<FlagChangeRequest, Error> {
        const ACTION: &str = "approve_feature_flag_change_request";
        let (flag, found) = self.change_request(caller, place).await?;
        self.authorize(&mut self.store(), caller, ACTION, &flag).await?;
        if found.author == caller.actor() {
            let detail = "It was proposed by you; somebody else approves it.";
            return Err(Error::refused(Code::OwnChange, detail));
        }
        expect(&found, found.state == FlagChangeState::Open)?;
        let decided = self.decided(caller, &found, FlagChangeState::Approved, decision)?;
        self.change_state(caller, ACTION, &flag, (&found, decided)).await
    }

    /// Says no to a proposed change, also after somebody said yes.
    ///
    /// # Errors
    /// `conflict` if it waits for nothing any more.
    pub async fn reject_flag_change(
        &self,
        caller: &Caller,
        place: (FeatureFlagId, FlagChangeRequestId),
        decision: FlagDecision,
    ) -> Result<FlagChangeRequest, Error> {
        const ACTION: &str = "reject_feature_flag_change_request";
        let (flag, found) = self.change_request(caller, place).await?;
        self.authorize(&mut self.store(), caller, ACTION, &flag).await?;
        expect(&found, found.state.is_pending())?;
        let decided = self.decided(caller, &found, FlagChangeState::Rejected, decision)?;
        self.change_state(caller, ACTION, &flag, (&found, decided)).await
    }

    /// Takes a proposed change back; its author does.
    ///
    /// # Errors
    /// `not_author` to others, `conflict` if it waits for nothing any more.
    pub async fn withdraw_flag_change(
        &self,
        caller: &Caller,
        place: (FeatureFlagId, FlagChangeRequestId),
    ) -> Result<FlagChangeRequest, Error> {
        const ACTION: &str = "withdraw_feature_flag_change_request";
        let (flag, found) = self.change_request(caller, place).await?;
        self.authorize(&mut self.store(), caller, ACTION, &flag).await?;
        if found.author != caller.actor() {
            return Err(Error::refused(Code::NotAuthor, "Its author takes a change back."));
        }
        expect(&found, found.state.is_pending())?;
        let withdrawn = FlagChangeRequest {
            state: FlagChangeState::Withdrawn,
            ..self.next(&found)
        };
        self.change_state(caller, ACTION, &flag, (&found, withdrawn))
            .await
    }

    /// Makes the flag as it was proposed and approved; it is checked like any change.
    ///
    /// # Errors
    /// `conflict` unless it is approved, `change_outdated` if the flag is otherwise by now where the change is.
    pub async fn apply_flag_change(
        &self,
        caller: &Caller,
        place: (FeatureFlagId, FlagChangeRequestId),
    ) -> Result<FlagChangeRequest, Error> {
        const ACTION: &str = "apply_feature_flag_change_request";
        let (flag, found) = self.change_request(caller, place).await?;
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, ACTION, &flag).await?;
        expect(&found, found.state == FlagChangeState::Approved)?;
        still_as_proposed(&found, &flag)?;
        let change = Replacing {
            action: ACTION,
            before: &flag,
            spec: parse_patch(&flag.spec, &json!(found.spec.patch))?,
            if_match: None,
            is_approved: true,
        };
        let changed = self.replace_by(&mut tx, caller, change).await?;
        let applied = FlagChangeRequest {
            state: FlagChangeState::Applied,
            applied_revision: Some(changed.revision),
            ..self.next(&found)
        };
        self.keep_state(&mut tx, caller, ACTION, (&found, &applied))
            .await?;
        tx.commit().await?;
        self.announce_if::<FeatureFlag>();
        self.with_names(&flag, applied).await
    }

    async fn change_request(
        &self,
        caller: &Caller,
        (flag, id): (FeatureFlagId, FlagChangeRequestId),
    ) -> Result<Found, Error> {
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        let one = [
            Condition::Is("id", Arg::text(id)),
            Condition::Is("flag_id", Arg::text(flag.id)),
        ];
        let found = entity::find::<FlagChangeRequest>(&mut self.store(), &one).await?;
        let found = found.ok_or_else(|| Error::not_found("change request"))?;
        Ok((flag, found))
    }

    /// The same, about to be changed now.
    fn next(&self, before: &FlagChangeRequest) -> FlagChangeRequest {
        FlagChangeRequest {
            updated_at: self.now(),
            revision: before.revision + 1,
            ..before.clone()
        }
    }

    fn decided(
        &self,
        caller: &Caller,
        before: &FlagChangeRequest,
        state: FlagChangeState,
        decision: FlagDecision,
    ) -> Result<FlagChangeRequest, Error> {
        let mut faults = Faults::default();
        faults.description("/comment", &decision.comment);
        faults.finish()?;
        Ok(FlagChangeRequest {
            state,
            decided_by: Some(caller.actor()),
            decided_at: Some(self.now()),
            decision: decision.comment,
            ..self.next(before)
        })
    }

    async fn change_state(
        &self,
        caller: &Caller,
        action: &str,
        flag: &FeatureFlag,
        (before, after): (&FlagChangeRequest, FlagChangeRequest),
    ) -> Result<FlagChangeRequest, Error> {
        let mut tx = self.begin(caller).await?;
        self.keep_state(&mut tx, caller, action, (before, &after)).await?;
        tx.commit().await?;
        self.with_names(flag, after).await
    }

    async fn keep_state(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        action: &str,
        (before, after): (&FlagChangeRequest, &FlagChangeRequest),
    ) -> Result<(), Error> {
        tx.update(after, before.revision, &[]).await?;
        self.note(tx, caller, action, Some(before), Some(after)).await
    }

    async fn with_names(
        &self,
        flag: &FeatureFlag,
        request: FlagChangeRequest,
    ) -> Result<FlagChangeRequest, Error> {
        let mut one = [request];
        self.name_people(&mut one).await?;
        let [mut request] = one;
        request.flag_key = Some(flag.spec.key.clone());
        Ok(request)
    }

    /// Adds the names of authors and of those who decided.
    async fn name_people(&self, requests: &mut [FlagChangeRequest]) -> Result<(), Error> {
        let Some(organization) = requests.first().map(|it| it.organization_id) else {
            return Ok(());
        };
        let people = |it: &FlagChangeRequest| [Some(it.author.clone()), it.decided_by.clone()];
        let people = requests.iter().flat_map(people).flatten().collect();
        let names = self.actor_names(organization, people).await?;
        for it in requests {
            it.author_name = names.get(&it.author).cloned();
            it.decided_by_name = it.decided_by.as_ref().and_then(|id| names.get(id).cloned());
        }
        Ok(())
    }
}

fn expect(request: &FlagChangeRequest, is_so: bool) -> Result<(), Error> {
    if is_so {
        return Ok(());
    }
    let detail = format!("The change is {}.", request.state.as_str());
    Err(Error::refused(Code::Conflict, detail))
}

/// What a merge patch touches of a flag: its fields, and of the environments those that it names.
fn touched(patch: &Map<String, Value>, spec: &Value) -> Map<String, Value> {
    let each = patch.iter().filter_map(|(name, change)| {
        let value = spec.get(name)?;
        let value = match (name.as_str(), change, value) {
            (ENVIRONMENTS, Value::Object(named), Value::Object(all)) => {
                let there = all.iter().filter(|(name, _)| named.contains_key(*name));
                Value::Object(there.map(|(name, part)| (name.clone(), part.clone())).collect())
            }
            _ => value.clone(),
        };
        Some((name.clone(), value))
    });
    each.collect()
}

/// Refuses a change whose places are not as they were when it was proposed.
fn still_as_proposed(request: &FlagChangeRequest, flag: &FeatureFlag) -> Result<(), Error> {
    let now = touched(&request.spec.patch, &json!(flag.spec));
    if now == request.before {
        return Ok(());
    }
    let places = request.spec.patch.iter().flat_map(|(name, change)| {
        let (before, now) = (request.before.get(name), now.get(name));
        let inside = match change {
            Value::Object(named) if name == ENVIRONMENTS => {
                let names = named.keys().filter(|inner| {
                    let of = |whole: Option<&Value>| whole.and_then(|whole| whole.get(*inner)).cloned();
                    of(before) != of(now)
                });
                names.map(|inner| format!("/{name}/{}", part(inner))).collect()
            }
            _ if before != now => vec![format!("/{}", part(name))],
            _ => Vec::new(),
        };
        inside.into_iter()
    });
    let places = places.collect::<Vec<_>>().join("`, `");
    let detail = format!("Since it was proposed, `{places}` of the flag has changed.");
    Err(Error::refused(Code::ChangeOutdated, detail))
}
