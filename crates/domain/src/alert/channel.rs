//! Who is told, and when nobody is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{AlertChannelId, AlertSilenceId, OrganizationId};
use crate::{Name, Timestamp};

/// How a webhook's body is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// JSON with everything that is known, signed as Standard Webhooks has it.
    #[default]
    Standard,
    /// `{"text": …}`, as Slack, Mattermost, Rocket.Chat and Google Chat take it.
    Text,
}

/// Where notifications go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AlertTarget {
    /// An HTTP server: `POST` with a JSON body; any 2xx answer is "received".
    Webhook {
        /// `https://…`, at most 2000 characters; `http://` only where the installation allows private addresses.
        #[schema(max_length = 2000)]
        url: String,
        /// How the body is written.
        #[serde(default)]
        format: WebhookFormat,
    },
    /// Mailboxes.
    Email {
        /// Their addresses: 1 to 20.
        #[schema(min_items = 1, max_items = 20)]
        to: Vec<String>,
    },
}

/// The editable part of an [`AlertChannel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertChannelSpec {
    /// Unique in the organization; what rules call it. Cannot be changed.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// Where notifications go.
    pub target: AlertTarget,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// Somebody who can be told of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertChannel {
    /// Its id.
    pub id: AlertChannelId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: AlertChannelSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// What a webhook's receiver checks signatures with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelSecret {
    /// The key of the HMAC-SHA256, as Standard Webhooks writes it.
    #[schema(examples("whsec_…"))]
    pub secret: String,
}

/// What became of a notification that was sent to try a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelTest {
    /// Whether it was received.
    pub delivered: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The editable part of an [`AlertSilence`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertSilenceSpec {
    /// Why nobody is told, as `deployment`.
    #[schema(max_length = 200)]
    pub title: String,
    /// Whose alerts: names of rules, at most 100; all if empty.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub rules: Vec<Name>,
    /// From this moment on.
    pub starts_at: Timestamp,
    /// Before this moment, at most a year later. Who is still concerned then is told.
    pub ends_at: Timestamp,
}

/// A time in which nobody is told of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertSilence {
    /// Its id.
    pub id: AlertSilenceId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: AlertSilenceSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

impl AlertSilence {
    /// Whether it holds for a rule at a moment.
    pub fn covers(&self, rule: &Name, now: Timestamp) -> bool {
        let spec = &self.spec;
        spec.starts_at <= now && now < spec.ends_at && (spec.rules.is_empty() || spec.rules.contains(rule))
    }
}
