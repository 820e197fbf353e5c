//! Alerts: what is watched, what was found, and who is told.
//!
//! A rule ([`AlertRule`]) says what must not be; while it is, there is an [`Alert`] for each group of calls that it
//! holds for. Who is told stands in channels ([`AlertChannel`]), and for how long nobody is, in silences
//! ([`AlertSilence`]). [`step`] says how an alert goes on.

mod channel;
mod rule;
mod state;

pub use channel::{
    AlertChannel, AlertChannelSpec, AlertSilence, AlertSilenceSpec, AlertTarget, ChannelSecret, ChannelTest,
    WebhookFormat,
};
pub use rule::{
    AlertCondition, AlertRule, AlertRuleSpec, AlertRuleUse, AlertSeverity, AnomalySide, BurnWindow, Outlook,
    Preview,
};
pub use state::{Alert, AlertEnd, AlertState, Seen, Step, step};
