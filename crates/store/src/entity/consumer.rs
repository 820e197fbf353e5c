//! How consumers are kept.

use domain::consumer::{Application, Key, KeyState, Subscription, SubscriptionState};
use domain::id::{ApplicationId, KeyId, SubscriptionId};

use super::entity;
use crate::Arg;

entity!(Application, ApplicationId, "applications", "application", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
]);
entity!(Subscription, SubscriptionId, "subscriptions", "subscription", name: false, |it| [
    "provider_id" = Arg::text(it.provider_id),
    "application_id" = Arg::text(it.spec.application_id),
    "product_id" = Arg::text(it.spec.product_id),
    "plan_id" = Arg::text(it.spec.plan_id),
    "state" = Arg::text(match it.spec.state {
        SubscriptionState::Active => "active",
        SubscriptionState::Suspended => "suspended",
        SubscriptionState::Cancelled => "cancelled",
    }),
]);
entity!(Key, KeyId, "keys", "key", name: false, |it| [
    "application_id" = Arg::text(it.spec.application_id),
    "environment" = Arg::text(&it.spec.environment),
    "state" = Arg::text(match it.state {
        KeyState::Active => "active",
        KeyState::Revoked => "revoked",
    }),
    "ended_at" = Arg::time_or_null(match (it.revoked_at, it.spec.expires_at) {
        (Some(revoked), Some(expires)) => Some(revoked.min(expires)),
        (revoked, expires) => revoked.or(expires),
    }),
]);
