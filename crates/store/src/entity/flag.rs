//! How feature flags and their segments are kept.

use domain::flag::{FeatureFlag, Segment};
use domain::id::{FeatureFlagId, SegmentId};

use super::entity;
use crate::Arg;

entity!(FeatureFlag, FeatureFlagId, "feature_flags", "feature_flag", name: true, |it| [
    "name" = Arg::text(&it.spec.key),
]);
entity!(Segment, SegmentId, "segments", "segment", name: true, |it| [
    "name" = Arg::text(&it.spec.key),
]);
