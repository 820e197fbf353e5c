//! How consumers are kept.

use domain::Timestamp;
use domain::consumer::{Application, Key, KeyState, Subscription, SubscriptionState};
use domain::id::{ApplicationId, EventTypeId, KeyId, SdkKeyId, SubscriptionId};
use domain::tracking::{EventType, EventTypeState, SdkKey, SdkKeyKind};

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
    "state" = Arg::text(state(it.state)),
    "ended_at" = Arg::time_or_null(ended(it.revoked_at, it.spec.expires_at)),
]);
entity!(SdkKey, SdkKeyId, "sdk_keys", "sdk_key", name: false, |it| [
    "environment" = Arg::text(&it.spec.environment),
    "kind" = Arg::text(match it.spec.kind {
        SdkKeyKind::Server => "server",
        SdkKeyKind::Client => "client",
    }),
    "state" = Arg::text(state(it.state)),
    "ended_at" = Arg::time_or_null(ended(it.revoked_at, it.spec.expires_at)),
]);
entity!(EventType, EventTypeId, "event_types", "event_type", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
    "state" = Arg::text(match it.spec.state {
        EventTypeState::Active => "active",
        EventTypeState::Archived => "archived",
    }),
]);

const fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Revoked => "revoked",
    }
}

/// When a key ends or ended.
fn ended(revoked_at: Option<Timestamp>, expires_at: Option<Timestamp>) -> Option<Timestamp> {
    match (revoked_at, expires_at) {
        (Some(revoked), Some(expires)) => Some(revoked.min(expires)),
        (revoked, expires) => revoked.or(expires),
    }
}
