//! How feature flags and their segments are kept.

use domain::flag::{FeatureFlag, FlagChangeRequest, FlagComment, Segment};
use domain::id::{FeatureFlagId, FlagChangeRequestId, FlagCommentId, SegmentId};

use super::entity;
use crate::Arg;
use crate::flag::bytes;

entity!(FeatureFlag, FeatureFlagId, "feature_flags", "feature_flag", name: true, |it| [
    "name" = Arg::text(&it.spec.key),
    "bytes" = Arg::Int(Some(bytes(&it.spec))),
]);
entity!(Segment, SegmentId, "segments", "segment", name: true, |it| [
    "name" = Arg::text(&it.spec.key),
    "bytes" = Arg::Int(Some(bytes(&it.spec))),
]);
entity!(FlagComment, FlagCommentId, "flag_comments", "flag_comment", name: false, |it| [
    "flag_id" = Arg::text(it.flag_id),
]);
entity!(FlagChangeRequest, FlagChangeRequestId, "flag_change_requests", "flag_change_request", name: false, |it| [
    "flag_id" = Arg::text(it.flag_id),
    "state" = Arg::text(it.state.as_str()),
]);
