//! Notifications: written down in the transaction of what they tell, and sent by a task until they are received.

mod send;
mod target;

use domain::alert::AlertChannel;
use domain::id::NoticeId;
use domain::notice::NoticeKind;
use serde_json::Value;
use store::notice::NewNotice;

use crate::Control;

pub(crate) use send::{run, try_out};
pub(crate) use target::{check as check_target, secret};

/// The most notifications that are told of one alert or schedule.
pub(crate) const TOLD_MAX: u32 = 200;

/// A notification for each of these channels.
pub(crate) fn for_channels<'a>(
    control: &Control,
    channels: impl IntoIterator<Item = &'a AlertChannel>,
    (about, kind, body): (&str, NoticeKind, &Value),
) -> Vec<NewNotice> {
    let notices = channels.into_iter().map(|channel| NewNotice {
        id: NoticeId::new(control.uuid()),
        organization: channel.organization_id,
        about: about.to_owned(),
        channel: channel.id,
        channel_name: channel.spec.name.clone(),
        kind,
        body: body.clone(),
    });
    notices.collect()
}
