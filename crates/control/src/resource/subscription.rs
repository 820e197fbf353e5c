//! Subscriptions: an application's use of a product under a plan, seen from both sides.

use domain::Timestamp;
use domain::code::Code;
use domain::consumer::{Application, Subscription, SubscriptionSpec, SubscriptionState};
use domain::id::{OrganizationId, ProductId, SubscriptionId};
use domain::offer::{Product, Visibility};
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};

use super::fault::Faults;
use super::{New, Resource, own};
use crate::{Caller, Error};

impl Resource for Subscription {
    type Spec = SubscriptionSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: SubscriptionSpec) -> Self {
        Self {
            id: SubscriptionId::new(new.uuid),
            organization_id: new.organization,
            // Known once the product is; `check` sets it.
            provider_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &SubscriptionSpec {
        &self.spec
    }

    fn with(&self, spec: SubscriptionSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    fn authority(&self, caller: &Caller) -> Option<OrganizationId> {
        if caller.organization == Some(self.provider_id) {
            Some(self.provider_id)
        } else {
            Some(self.organization_id)
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        match before {
            None => begun(self, tx, caller).await,
            Some(before) => changed(self, tx, caller, before).await,
        }
    }

    async fn removable(&self, _: &mut Tx, caller: &Caller) -> Result<(), Error> {
        if caller.organization()? == self.organization_id {
            return Ok(());
        }
        let detail = "Only the consumer removes a subscription; the provider may suspend or cancel it.";
        Err(Error::refused(Code::PermissionDenied, detail))
    }

    fn visible(caller: &Caller) -> Result<Vec<Condition>, Error> {
        let organization = Arg::text(caller.organization()?);
        Ok(vec![Condition::Either(
            "organization_id",
            "provider_id",
            organization,
        )])
    }
}

async fn begun(it: &mut Subscription, tx: &mut Tx, caller: &Caller) -> Result<(), Error> {
    let mut faults = Faults::default();
    let application = own::by_id::<Application>(tx, caller, it.spec.application_id).await?;
    faults.reference("/application_id", "application", application);
    let product = offered(tx, caller, it.spec.product_id).await?;
    if let Some(product) = faults.reference("/product_id", "product", product) {
        it.provider_id = product.organization_id;
        plan_of(&mut faults, &product, &it.spec);
    }
    if it.spec.state != SubscriptionState::Active {
        faults.add(
            "/state",
            "field_invalid",
            "A new subscription is active.",
            "Leave it out.",
        );
    }
    faults.finish()
}

async fn changed(
    it: &mut Subscription,
    tx: &mut Tx,
    caller: &Caller,
    before: &Subscription,
) -> Result<(), Error> {
    let (old, new) = (&before.spec, &it.spec);
    let mut faults = Faults::default();
    faults.fixed("/application_id", old.application_id != new.application_id);
    faults.fixed("/product_id", old.product_id != new.product_id);
    if old.plan_id != new.plan_id
        && let Some(product) = entity::find_id::<Product>(tx, new.product_id).await?
    {
        plan_of(&mut faults, &product, new);
    }
    faults.finish()?;
    if old.state == SubscriptionState::Cancelled && old != new {
        let detail = "A cancelled subscription cannot be changed; make a new one.";
        return Err(Error::refused(Code::Conflict, detail));
    }
    let side = Side::of(caller.organization()?, before);
    if old.plan_id != new.plan_id && !side.is_consumer {
        return Err(Error::refused(
            Code::PermissionDenied,
            "Only the consumer chooses the plan.",
        ));
    }
    if !side.may_turn(old.state, new.state) {
        let detail = "Only the provider suspends a subscription and lifts the suspension.";
        return Err(Error::refused(Code::PermissionDenied, detail));
    }
    Ok(())
}

/// On which sides of a subscription a caller is; within one organization on both.
struct Side {
    is_consumer: bool,
    is_provider: bool,
}

impl Side {
    fn of(organization: OrganizationId, subscription: &Subscription) -> Self {
        Self {
            is_consumer: organization == subscription.organization_id,
            is_provider: organization == subscription.provider_id,
        }
    }

    fn may_turn(&self, from: SubscriptionState, to: SubscriptionState) -> bool {
        from == to || to == SubscriptionState::Cancelled || self.is_provider
    }
}

fn plan_of(faults: &mut Faults, product: &Product, spec: &SubscriptionSpec) {
    if !product.spec.plan_ids.contains(&spec.plan_id) {
        faults.add(
            "/plan_id",
            "plan_not_offered",
            format!("`{}` is not offered under this plan.", product.spec.name),
            "Choose one of the product's `plan_ids`.",
        );
    }
}

/// The product, if the caller's organization may subscribe to it: its own, or a public one.
pub(crate) async fn offered(
    read: &mut impl Read,
    caller: &Caller,
    id: ProductId,
) -> Result<Option<Product>, Error> {
    let organization = caller.organization()?;
    let product = entity::find_id::<Product>(read, id).await?;
    Ok(product.filter(|product| {
        product.organization_id == organization || product.spec.visibility == Visibility::Public
    }))
}

/// The subscriptions that are not cancelled.
pub(super) async fn live(tx: &mut Tx, condition: Condition) -> Result<Vec<Subscription>, Error> {
    let states = Condition::In("state", vec!["active".to_owned(), "suspended".to_owned()]);
    Ok(entity::all(tx, &[condition, states]).await?)
}

/// Removes cancelled subscriptions of something that is about to be removed.
pub(super) async fn forget_cancelled(tx: &mut Tx, condition: Condition) -> Result<(), Error> {
    let cancelled = Condition::Is("state", Arg::text("cancelled"));
    for subscription in entity::all::<Subscription>(tx, &[condition, cancelled]).await? {
        tx.remove(&subscription).await?;
    }
    Ok(())
}
