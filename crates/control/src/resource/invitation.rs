//! Invitations: roles that wait for somebody to take them.

use std::time::Duration;

use domain::id::InvitationId;
use domain::invitation::{EXPIRES_IN_MAX, EXPIRES_IN_MIN, Invitation, InvitationSpec, IssuedInvitation};
use domain::{Code, Timestamp};
use store::entity::{self, Condition};
use store::{Arg, Tx};

use super::fault::Faults;
use super::{New, Resource, membership};
use crate::auth::{check_email, token_hash};
use crate::secret::token;
use crate::{Caller, Control, Error};

/// What an invitation's token begins with, for secret scanners.
const PREFIX: &str = "gli_";
/// The page of the console that reads the token.
const PAGE: &str = "/console/invitation";
/// The most invitations of an organization that wait at a time.
const WAITING_MAX: i64 = 1000;
/// Invitations are forgotten this long after they expired.
pub(crate) const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

impl Resource for Invitation {
    type Spec = InvitationSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: InvitationSpec) -> Self {
        Self {
            id: InvitationId::new(new.uuid),
            organization_id: new.organization,
            expires_at: new.now.after(Duration::from_secs(spec.expires_in)),
            spec,
            // Filled in by `check`.
            created_by: String::new(),
            created_at: new.now,
            accepted_at: None,
            revision: 1,
        }
    }

    fn spec(&self) -> &InvitationSpec {
        &self.spec
    }

    fn with(&self, spec: InvitationSpec, _: Timestamp) -> Self {
        Self {
            spec,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, _: Option<&Self>) -> Result<(), Error> {
        self.spec.email = check_email("/email", &self.spec.email)?;
        let mut faults = Faults::default();
        faults.range(
            "/expires_in",
            self.spec.expires_in,
            EXPIRES_IN_MIN,
            EXPIRES_IN_MAX,
        );
        membership::place(&mut faults, tx, caller, self.spec.workspace_id, self.spec.role).await?;
        faults.finish()?;
        caller.within(self.spec.role)?;
        self.created_by = caller.actor();
        absent(tx, self).await?;
        let waiting = store::link::waiting(tx, self.organization_id, self.created_at).await?;
        if waiting >= WAITING_MAX {
            let detail = format!("{waiting} invitations wait already; withdraw some of them first.");
            return Err(Error::refused(Code::Conflict, detail));
        }
        Ok(())
    }

    async fn removable(&self, _: &mut Tx, _: &Caller) -> Result<(), Error> {
        match self.accepted_at {
            None => Ok(()),
            Some(_) => Err(Error::refused(
                Code::Conflict,
                "It was accepted; remove the membership that came of it instead.",
            )),
        }
    }
}

/// Refuses who has a role there already. Only members of the caller's own organization are looked at: whether
/// there is an account elsewhere is nobody's business.
async fn absent(tx: &mut Tx, invitation: &Invitation) -> Result<(), Error> {
    let (organization, spec) = (invitation.organization_id, &invitation.spec);
    if !store::link::has_role(tx, organization, spec.workspace_id, &spec.email).await? {
        return Ok(());
    }
    let detail = "They have a role there already; change the membership instead.";
    Err(Error::refused(Code::Conflict, detail))
}

impl Control {
    /// Invites somebody; the link is in the answer and nowhere else, to be handed over by whatever way there is.
    ///
    /// An earlier invitation of the same address to the same place is replaced: its link is of no use any more.
    ///
    /// # Errors
    /// `permission_denied` if the role is higher than the caller's own, `conflict` if they have a role there.
    pub async fn create_invitation(
        &self,
        caller: &Caller,
        spec: InvitationSpec,
    ) -> Result<IssuedInvitation, Error> {
        let secret = token(PREFIX)?;
        let beside = [("token_hash", Arg::text(token_hash(&secret)))];
        let mut tx = self.begin(caller).await?;
        let invitation = self
            .create_in::<Invitation>(&mut tx, caller, &(), spec, &beside)
            .await?;
        for earlier in entity::all::<Invitation>(&mut tx, &same(&invitation)).await? {
            if earlier.id != invitation.id {
                tx.remove(&earlier).await?;
                self.note(&mut tx, caller, "delete_invitation", Some(&earlier), None)
                    .await?;
            }
        }
        tx.commit().await?;
        let control = self.settings().control_url.trim_end_matches('/');
        // Browsers keep what follows `#` to themselves, so the token is in no server's log.
        let url = format!("{control}{PAGE}#{secret}");
        Ok(IssuedInvitation { invitation, url })
    }
}

/// The invitations of the same address to the same place that nobody has accepted.
fn same(invitation: &Invitation) -> [Condition; 4] {
    let workspace = invitation.spec.workspace_id.map(|id| id.to_string());
    [
        Condition::Is("organization_id", Arg::text(invitation.organization_id)),
        Condition::Is("email", Arg::text(&invitation.spec.email)),
        Condition::Is("workspace_id", Arg::text(workspace.unwrap_or_default())),
        Condition::Is("accepted", Arg::Bool(false)),
    ]
}
