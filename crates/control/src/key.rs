//! API keys: made, followed by another, ended. The text is told once; only its hash is kept.

use domain::Name;
use domain::catalog::Api;
use domain::code::Code;
use domain::consumer::{
    Application, ApplicationSpec, IssuedKey, Key, KeySpec, QuickKeySpec, RotateSpec, Subscription,
    SubscriptionSpec, SubscriptionState,
};
use domain::id::{ApiId, KeyId, PlanId};
use domain::offer::{Plan, Product, Visibility};
use store::entity::{self, Condition};
use store::{Arg, Tx};

use crate::credential::Issued;
use crate::resource::fault::Faults;
use crate::resource::{Resource as _, own};
use crate::{Caller, Control, Error};

/// Keys of an application that has no subscription yet.
const KEYS_MAX_DEFAULT: i64 = 10;
/// The environment that is meant when none is named.
pub(crate) const ENVIRONMENT_DEFAULT: &str = "sandbox";
/// The application that quick keys are made for when none is named.
const APPLICATION_DEFAULT: &str = "default";

impl Control {
    /// Makes a key for an application of the caller's organization.
    ///
    /// # Errors
    /// `key_limit_reached` if the application has as many as the strictest of its plans allows; `request_invalid`
    /// if the application or environment is not there.
    pub async fn issue_key(&self, caller: &Caller, spec: KeySpec) -> Result<IssuedKey, Error> {
        let mut tx = self.begin(caller).await?;
        let issued = self.issue_in(&mut tx, caller, spec).await?;
        tx.commit().await?;
        self.announce();
        Ok(issued)
    }

    async fn issue_in(&self, tx: &mut Tx, caller: &Caller, spec: KeySpec) -> Result<IssuedKey, Error> {
        let (application, environment) = (spec.application_id, spec.environment.clone());
        let made = self.new_credential::<Key>(caller, spec)?;
        self.authorize(tx, caller, "create_key", &made).await?;
        let mut checked = made;
        checked.check(tx, caller, None).await?;
        let organization = checked.organization_id;
        if !store::offer::has_environment(tx, &environment, organization, application).await? {
            let mut faults = Faults::default();
            faults.reference::<()>("/environment", "environment", None);
            faults.finish()?;
        }
        let allowed = store::offer::keys_max(tx, application).await?;
        let allowed = allowed.unwrap_or(KEYS_MAX_DEFAULT);
        if store::offer::keys_valid(tx, application, self.now()).await? >= allowed {
            let detail = format!("The application has {allowed} keys, which is what its plan allows.");
            return Err(Error::refused(Code::KeyLimitReached, detail));
        }
        Ok(self.write_credential(tx, caller, checked).await?.into())
    }

    /// Follows a key by another with the same rights, which is valid at once; the old one stays valid for the
    /// overlap, so that a consumer can change it without a gap.
    ///
    /// A key that would expire gets a successor with the same span of life. The number of keys does not count.
    ///
    /// # Errors
    /// `conflict` if the key is revoked, expired or was replaced already.
    pub async fn rotate_key(&self, caller: &Caller, id: KeyId, how: RotateSpec) -> Result<IssuedKey, Error> {
        let issued = self.rotate_credential::<Key>(caller, id, how).await?;
        Ok(issued.into())
    }

    /// Ends a key for good; a key that was revoked already stays as it is.
    pub async fn revoke_key(&self, caller: &Caller, id: KeyId) -> Result<Key, Error> {
        self.revoke_credential::<Key>(caller, id).await
    }

    /// Makes a key for an API in one step; application and subscription are made when they are missing.
    ///
    /// # Errors
    /// `not_found` if there is no such API, or none that the caller may use; `conflict` that says what to do if
    /// no product offers it under the plan, or the application uses it under another one.
    pub async fn quick_key(&self, caller: &Caller, spec: QuickKeySpec) -> Result<IssuedKey, Error> {
        let organization = caller.organization()?;
        self.inner
            .access
            .check(caller, "create_quick_key", organization, None)?;
        let mut tx = self.begin(caller).await?;
        let api = find_api(&mut tx, caller, &spec.api).await?;
        let offers = offers(&mut tx, caller, &api, &spec.plan).await?;
        let application = self.quick_application(&mut tx, caller, spec.application).await?;
        self.quick_subscription(&mut tx, caller, &application, &offers, &spec.plan)
            .await?;
        let default = || ENVIRONMENT_DEFAULT.parse().expect("a name");
        let wanted = KeySpec {
            application_id: application.id,
            environment: spec.environment.unwrap_or_else(default),
            title: spec.title,
            expires_at: None,
        };
        let issued = self.issue_in(&mut tx, caller, wanted).await?;
        tx.commit().await?;
        self.announce();
        Ok(issued)
    }

    async fn quick_application(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        name: Option<Name>,
    ) -> Result<Application, Error> {
        let name = name.unwrap_or_else(|| APPLICATION_DEFAULT.parse().expect("a name"));
        if let Some(found) = own::by_name::<Application>(tx, caller, name.as_str()).await? {
            return Ok(found);
        }
        let spec = ApplicationSpec {
            title: name.to_string(),
            name,
            description: String::new(),
            managed_by: None,
        };
        self.create_in::<Application>(tx, caller, &(), spec, &[]).await
    }

    async fn quick_subscription(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        application: &Application,
        offers: &[(Product, PlanId)],
        plan: &Name,
    ) -> Result<(), Error> {
        let of = Condition::Is("application_id", Arg::text(application.id));
        let there = entity::all::<Subscription>(tx, &[of]).await?;
        for (product, plan_id) in offers {
            let live = there.iter().find(|subscription| {
                subscription.spec.product_id == product.id
                    && subscription.spec.state != SubscriptionState::Cancelled
            });
            let Some(live) = live else { continue };
            let name = &product.spec.name;
            if live.spec.plan_id != *plan_id {
                let detail = format!(
                    "The application `{}` uses `{name}` under another plan; set subscription {} to `{plan}`, or \
                     use another application.",
                    application.spec.name, live.id
                );
                return Err(Error::refused(Code::Conflict, detail));
            }
            if live.spec.state == SubscriptionState::Suspended {
                let detail = format!(
                    "Subscription {} to `{name}` is suspended; ask the provider.",
                    live.id
                );
                return Err(Error::refused(Code::Conflict, detail));
            }
            return Ok(());
        }
        let (product, plan_id) = offers.first().expect("`offers` refuses if there is none");
        let spec = SubscriptionSpec {
            application_id: application.id,
            product_id: product.id,
            plan_id: *plan_id,
            state: SubscriptionState::Active,
        };
        self.create_in::<Subscription>(tx, caller, &(), spec, &[])
            .await
            .map(drop)
    }
}

impl From<Issued<Key>> for IssuedKey {
    fn from(issued: Issued<Key>) -> Self {
        Self {
            info: issued.info,
            key: issued.key,
        }
    }
}

/// Finds an API by id or name: one of the caller's organization, or one in a public product.
async fn find_api(tx: &mut Tx, caller: &Caller, text: &str) -> Result<Api, Error> {
    let missing = || {
        let detail = format!(
            "There is no API `{}`, or you may not use it.",
            text.escape_debug()
        );
        Error::refused(Code::NotFound, detail)
    };
    if let Ok(id) = text.parse::<ApiId>() {
        let api = entity::find_id::<Api>(tx, id).await?.ok_or_else(missing)?;
        let is_own = api.organization_id == caller.organization()?;
        let products = store::offer::products_of(tx, id).await?;
        let is_public = |product: &Product| product.spec.visibility == Visibility::Public;
        return if is_own || products.iter().any(is_public) {
            Ok(api)
        } else {
            Err(missing())
        };
    }
    if let Some(api) = own::by_name::<Api>(tx, caller, text).await? {
        return Ok(api);
    }
    match store::offer::public_apis(tx, text).await?.as_slice() {
        [] => Err(missing()),
        [one] => entity::find_id::<Api>(tx, *one).await?.ok_or_else(missing),
        several => {
            let ids: Vec<_> = several.iter().map(ToString::to_string).collect();
            let detail = format!(
                "Several organizations offer an API `{text}`: name one by its id, as {}.",
                ids.join(", ")
            );
            Err(Error::refused(Code::Conflict, detail))
        }
    }
}

/// The products that offer an API to the caller under a plan, with that plan; the best match first.
async fn offers(
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    plan: &Name,
) -> Result<Vec<(Product, PlanId)>, Error> {
    let organization = caller.organization()?;
    let mut products = store::offer::products_of(tx, api.id).await?;
    products.retain(|product| {
        product.organization_id == organization || product.spec.visibility == Visibility::Public
    });
    let name = &api.spec.name;
    if products.is_empty() {
        let detail = format!(
            "No product offers `{name}` yet: import it with `publish`, or make a product that holds one of its \
             versions."
        );
        return Err(Error::refused(Code::Conflict, detail));
    }
    let mut found = Vec::new();
    let mut known = Vec::new();
    for product in products {
        let ids = product.spec.plan_ids.iter().map(ToString::to_string).collect();
        for offered in entity::all::<Plan>(tx, &[Condition::In("id", ids)]).await? {
            if offered.spec.name == *plan {
                found.push((product.clone(), offered.id));
            } else {
                known.push(format!("`{}`", offered.spec.name));
            }
        }
    }
    if found.is_empty() {
        known.sort();
        known.dedup();
        let there = if known.is_empty() {
            "no plan at all".to_owned()
        } else {
            known.join(", ")
        };
        let detail = format!("`{name}` is not offered under a plan `{plan}`, but under {there}.");
        return Err(Error::refused(Code::Conflict, detail));
    }
    found.sort_by_key(|(product, _)| (product.spec.name != *name, product.id));
    Ok(found)
}

#[cfg(test)]
mod tests;
