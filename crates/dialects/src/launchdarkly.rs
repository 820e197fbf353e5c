//! Flags of LaunchDarkly.
