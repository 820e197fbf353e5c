//! Notifications: what channels are told, and what became of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::NoticeId;
use crate::{Name, Timestamp};

/// What a notification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// An alert has begun.
    Firing,
    /// It still is so.
    Repeated,
    /// It is over.
    Resolved,
    /// A report was made.
    Report,
}

impl NoticeKind {
    /// What webhooks have as `type`.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Firing => "alert.firing",
            Self::Repeated => "alert.repeated",
            Self::Resolved => "alert.resolved",
            Self::Report => "report.made",
        }
    }
}

/// Whether a notification got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It is on its way, perhaps not for the first time.
    Waiting,
    /// It was received.
    Delivered,
    /// It was given up.
    Failed,
}

/// A notification of an alert, or of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Its id, which the receiver hears each time.
    pub id: NoticeId,
    /// The name of the channel.
    pub channel: Name,
    /// What it says.
    pub kind: NoticeKind,
    /// Whether it got there.
    pub state: NoticeState,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was received or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// Notifications.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notices {
    /// The newest first; at most 200.
    pub data: Vec<Notice>,
}
