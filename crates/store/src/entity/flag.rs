//! How feature flags are kept.

use domain::flag::FeatureFlag;
use domain::id::FeatureFlagId;

use super::entity;
use crate::Arg;

entity!(FeatureFlag, FeatureFlagId, "feature_flags", "feature_flag", name: true, |it| [
    "name" = Arg::text(&it.spec.key),
]);
