//! Who calls, and what they may do.
//!
//! The rules are Cedar policies (`access/gateline.cedar`) over a schema (`access/gateline.cedarschema`) whose
//! actions are the operation ids of the API. They are validated when the program starts. To add an operation:
//! its name in the group of the least role that may do it, a row in `spec/authorization.tsv`.

mod caller;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use domain::Code;
use domain::id::{OrganizationId, WorkspaceId};
use domain::identity::Role;

use crate::Error;

pub use caller::{Caller, Principal, Roles};

const SCHEMA: &str = include_str!("access/gateline.cedarschema");
const POLICIES: &str = include_str!("access/gateline.cedar");
/// The area of what belongs to no organization.
const INSTALLATION: &str = "installation";

/// Decides what callers may do; cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Rules>);

struct Rules {
    authorizer: Authorizer,
    policies: PolicySet,
    schema: Schema,
    actions: HashMap<String, Action>,
    types: Types,
}

struct Action {
    uid: EntityUid,
    /// The action and its group only, to which those of a call are added: with all the actions there are, a
    /// decision takes ten times as long.
    entities: Entities,
}

struct Types {
    area: EntityTypeName,
    user: EntityTypeName,
    client: EntityTypeName,
    system: EntityTypeName,
    anonymous: EntityTypeName,
}

impl Access {
    /// Reads the policies and validates them against the schema, once in a process.
    pub(crate) fn new() -> Result<Self, Error> {
        static RULES: OnceLock<Arc<Rules>> = OnceLock::new();
        if let Some(rules) = RULES.get() {
            return Ok(Self(Arc::clone(rules)));
        }
        let rules = Arc::new(Rules::read()?);
        Ok(Self(Arc::clone(RULES.get_or_init(|| rules))))
    }

    /// Every operation that there is a rule for, sorted.
    pub fn actions(&self) -> Vec<&str> {
        let mut actions: Vec<_> = self.0.actions.keys().map(String::as_str).collect();
        actions.sort_unstable();
        actions
    }

    /// Checks that the caller may do `action` (an operation's name, as `create_api`) in an organization, on
    /// something that belongs to `workspace` if given.
    ///
    /// # Errors
    /// `authentication_required` if nobody has signed in, `not_found` if they may not even see it,
    /// `permission_denied` if they may see but not change it.
    pub fn check(
        &self,
        caller: &Caller,
        action: &str,
        organization: OrganizationId,
        workspace: Option<WorkspaceId>,
    ) -> Result<(), Error> {
        self.decide(caller, action, Some(organization), workspace)
    }

    /// Checks that the caller may do what is about no organization: signing in, their own account.
    ///
    /// # Errors
    /// `authentication_required` if nobody has signed in and somebody must.
    pub fn check_personal(&self, caller: &Caller, action: &str) -> Result<(), Error> {
        self.decide(caller, action, None, None)
    }

    fn decide(
        &self,
        caller: &Caller,
        action: &str,
        organization: Option<OrganizationId>,
        workspace: Option<WorkspaceId>,
    ) -> Result<(), Error> {
        if self.allows(caller, action, organization, workspace)? {
            return Ok(());
        }
        if caller.principal == Principal::Anonymous {
            return Err(Error::anonymous());
        }
        // Of the organization itself a member knows anyway; single things that may not be read are not there.
        let kind = action.split_once('_').map_or(action, |(_, kind)| kind);
        let readable =
            !action.starts_with("read_") && self.allows(caller, "read_organization", organization, None)?;
        if !readable {
            return Err(Error::not_found(kind));
        }
        let detail = match self.least(action)? {
            Some(role) => format!(
                "`{action}` needs the role {} or a higher one here.",
                role.as_str()
            ),
            None => format!("`{action}` is allowed to nobody."),
        };
        Err(Error::refused(Code::PermissionDenied, detail))
    }

    /// The least role in an organization that may do an action; `None` if none may.
    ///
    /// # Errors
    /// [`Error::Internal`] for an action without a rule.
    pub fn least(&self, action: &str) -> Result<Option<Role>, Error> {
        let organization = OrganizationId::new(uuid::Uuid::nil());
        for role in Role::ALL {
            let mut caller = Caller::system(Some(organization));
            caller.roles.organization = Some(role);
            if self.allows(&caller, action, Some(organization), None)? {
                return Ok(Some(role));
            }
        }
        Ok(None)
    }

    /// Whether the caller may do `action`.
    pub(crate) fn allows(
        &self,
        caller: &Caller,
        action: &str,
        organization: Option<OrganizationId>,
        workspace: Option<WorkspaceId>,
    ) -> Result<bool, Error> {
        self.0.allows(caller, action, organization, workspace)
    }
}

impl Rules {
    fn read() -> Result<Self, Error> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| failed(&error))?;
        let policies: PolicySet = POLICIES.parse().map_err(|error| failed(&error))?;
        let found = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !found.validation_passed_without_warnings() {
            return Err(failed(&found));
        }
        let all = schema.action_entities().map_err(|error| failed(&error))?;
        let groups: HashSet<_> = schema.action_groups().collect();
        let mut actions = HashMap::new();
        for uid in schema.actions().filter(|uid| !groups.contains(uid)) {
            let above = all.ancestors(uid).into_iter().flatten();
            let own = above.chain([uid]).filter_map(|uid| all.get(uid)).cloned();
            let entities = Entities::from_entities(own, None).map_err(|error| failed(&error))?;
            let action = Action {
                uid: uid.clone(),
                entities,
            };
            actions.insert(uid.id().unescaped().to_owned(), action);
        }
        let named = |name: &str| name.parse::<EntityTypeName>().map_err(|error| failed(&error));
        let types = Types {
            area: named("Area")?,
            user: named("User")?,
            client: named("Client")?,
            system: named("System")?,
            anonymous: named("Anonymous")?,
        };
        Ok(Self {
            authorizer: Authorizer::new(),
            policies,
            schema,
            actions,
            types,
        })
    }

    fn allows(
        &self,
        caller: &Caller,
        action: &str,
        organization: Option<OrganizationId>,
        workspace: Option<WorkspaceId>,
    ) -> Result<bool, Error> {
        let action = self
            .actions
            .get(action)
            .ok_or_else(|| Error::Internal(format!("there is no rule for the operation `{action}`"), None))?;
        let principal = self.principal(caller)?;
        let (resource, parent) = self.resource(organization, workspace);
        // The schema says who an action is for: visitors, say, have no account to change.
        let (caller, on) = (principal.uid(), resource.uid());
        let Ok(request) = Request::new(
            caller,
            action.uid.clone(),
            on,
            Context::empty(),
            Some(&self.schema),
        ) else {
            return Ok(false);
        };
        let entities = action
            .entities
            .clone()
            .add_entities([principal, resource].into_iter().chain(parent), None)
            .map_err(|error| failed(&error))?;
        let answer = self.authorizer.is_authorized(&request, &self.policies, &entities);
        // A policy that cannot be evaluated would otherwise just not permit; validation rules it out.
        if let Some(error) = answer.diagnostics().errors().next() {
            return Err(failed(error));
        }
        Ok(answer.decision() == Decision::Allow)
    }

    /// The area asked about, and the organization above it if it is a workspace.
    fn resource(
        &self,
        organization: Option<OrganizationId>,
        workspace: Option<WorkspaceId>,
    ) -> (Entity, Option<Entity>) {
        let above = match organization {
            Some(id) => self.area(&id.to_string()),
            None => self.area(INSTALLATION),
        };
        let parent = Entity::new_no_attrs(above.clone(), HashSet::new());
        match workspace {
            Some(id) => (
                Entity::new_no_attrs(self.area(&id.to_string()), HashSet::from([above])),
                Some(parent),
            ),
            None => (parent, None),
        }
    }

    fn principal(&self, caller: &Caller) -> Result<Entity, Error> {
        let (kind, id) = match caller.principal {
            Principal::Anonymous => (&self.types.anonymous, "nobody".to_owned()),
            Principal::User(id) => (&self.types.user, id.to_string()),
            Principal::Client(id) => (&self.types.client, id.to_string()),
            Principal::System => (&self.types.system, "system".to_owned()),
        };
        let uid = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let attributes = Role::ALL.map(|role| {
            let areas = self
                .areas(caller, role)
                .into_iter()
                .map(RestrictedExpression::new_entity_uid);
            (role.as_str().to_owned(), RestrictedExpression::new_set(areas))
        });
        Entity::new(uid, HashMap::from(attributes), HashSet::new()).map_err(|error| failed(&error))
    }

    /// Where the caller has this role.
    fn areas(&self, caller: &Caller, role: Role) -> Vec<EntityUid> {
        let Some(organization) = caller.organization else {
            return Vec::new();
        };
        let roles = &caller.roles;
        // Who belongs to a workspace sees the whole organization: what teams publish there is for each other.
        let implied = if roles.workspaces.is_empty() {
            None
        } else {
            Some(Role::Viewer)
        };
        let mut areas = Vec::new();
        if roles.organization.or(implied) == Some(role) {
            areas.push(self.area(&organization.to_string()));
        }
        let here = roles.workspaces.iter().filter(|(_, held)| *held == role);
        areas.extend(here.map(|(workspace, _)| self.area(&workspace.to_string())));
        areas
    }

    fn area(&self, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.types.area.clone(), EntityId::new(id))
    }
}

fn failed(error: &impl std::fmt::Display) -> Error {
    Error::Internal(format!("deciding with Cedar: {error}"), None)
}

#[cfg(test)]
mod tests;
