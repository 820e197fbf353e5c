//! Reports of an organization's own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::analytics::{Dimension, DimensionFilter, Measure};
use crate::id::{OrganizationId, ReportDefinitionId};
use crate::{Name, Timestamp};

/// A section of a report of one's own: what it asks.
///
/// Without dimensions and not over time it is figures; with dimensions a table; over time a course, with a line for each
/// measure, or one for each of the greatest groups of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportPart {
    /// Unique in the report.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// How to read it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub text: String,
    /// What is measured: 1 to 8; over time, measures of one unit, or a single one if there is a dimension.
    #[schema(min_items = 1, max_items = 8)]
    pub measures: Vec<Measure>,
    /// What rows or lines are told apart by: at most 3, over time at most 1.
    #[serde(default)]
    #[schema(max_items = 3)]
    pub dimensions: Vec<Dimension>,
    /// Whether it is told over time.
    #[serde(default)]
    pub over_time: bool,
    /// How many groups are told one by one, the greatest by the first measure: 1 to 100, over time at most 8.
    #[serde(default = "usual_top")]
    #[schema(minimum = 1, maximum = 100)]
    pub top: u32,
    /// What calls must fit, beside what the report is asked about: at most 10.
    #[serde(default)]
    #[schema(max_items = 10)]
    pub filters: Vec<DimensionFilter>,
}

const fn usual_top() -> u32 {
    8
}

/// The editable part of a [`ReportDefinition`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportDefinitionSpec {
    /// Unique in the organization, and none of a built-in report: what it is asked for by.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// Which questions it answers.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub about: String,
    /// Its sections, in the order in which they are read: 1 to 20.
    #[schema(min_items = 1, max_items = 20)]
    pub parts: Vec<ReportPart>,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// A report of an organization's own, for all its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportDefinition {
    /// Its id.
    pub id: ReportDefinitionId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: ReportDefinitionSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}
