//! Segments: audiences that flags name, the same in all environments.

use eval::definition::Condition;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::FlagKey;
use crate::id::{ApiId, FeatureFlagId, OrganizationId, PolicyId, RouteId, SegmentId};
use crate::{Name, Timestamp};

/// The editable part of a [`Segment`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentSpec {
    /// Unique in the organization; what conditions say in `segment`. Cannot be changed.
    pub key: FlagKey,
    /// What people read; the key if empty.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
    /// Who they are, and where that is known from.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// Who is in it.
    pub when: Condition,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// Subjects that flags speak of together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: SegmentSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// Of whom it is asked whether they are in a segment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentTrial {
    /// What is known of them, as `user_id` and `country`: texts, numbers, booleans and lists of texts.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
}

/// Whether somebody is in a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentAnswer {
    /// The segment's key.
    pub key: String,
    /// Whether they are in it.
    pub inside: bool,
}

/// What names a segment, and so keeps it from being deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentUses {
    /// Flags that name it, itself or another segment that needs it, in the order of their keys.
    pub flags: Vec<SegmentFlag>,
    /// Segments whose conditions name it, in the order of their keys.
    pub segments: Vec<SegmentSegment>,
    /// Routes whose audience names it.
    pub routes: Vec<SegmentRoute>,
    /// Policies whose audience names it.
    pub policies: Vec<SegmentPolicy>,
}

/// A flag that depends on a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentFlag {
    /// The flag's id.
    pub id: FeatureFlagId,
    /// The flag's key.
    pub key: FlagKey,
    /// Where it does, in the order of the environments' names.
    pub environments: Vec<SegmentPlace>,
}

/// An environment in which a flag depends on a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentPlace {
    /// The environment's name.
    pub environment: Name,
    /// The segments that the flag's rules name there: this one, and others that need it.
    pub through: Vec<FlagKey>,
}

/// A segment that needs another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentSegment {
    /// The segment's id.
    pub id: SegmentId,
    /// The segment's key.
    pub key: FlagKey,
}

/// A route for those who are in a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentRoute {
    /// The route's id.
    pub id: RouteId,
    /// Its API.
    pub api_id: ApiId,
    /// The environment's name.
    pub environment: Name,
}

/// A policy for those who are in a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentPolicy {
    /// The policy's id.
    pub id: PolicyId,
    /// Its API.
    pub api_id: ApiId,
    /// What it does, as `rate_limit`.
    pub kind: String,
}
