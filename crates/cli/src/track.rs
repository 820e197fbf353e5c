//! `gateline track`: record an event, as a program would.

use clap::Args;
use client::types::{EventReceipt, TrackEventsParams, TrackedEvent, TrackedEvents};
use serde_json::{Map, Value};

use crate::output::Output;
use crate::{Error, Exit, Global, credentials, session};

/// What happened.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The event type, by name.
    r#type: String,
    /// The SDK key.
    #[arg(long, env = "GATELINE_SDK_KEY", value_name = "KEY", hide_env_values = true)]
    key: String,
    /// The user it is about.
    #[arg(long, value_name = "ID", required_unless_present = "anonymous")]
    user: Option<String>,
    /// The browser or device it is about.
    #[arg(long, value_name = "ID")]
    anonymous: Option<String>,
    /// What is to be known of it; a value that is JSON is taken as that, any other as text. Can be repeated.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = property)]
    property: Vec<(String, Value)>,
    /// What it is recognised by when it is sent again.
    #[arg(long)]
    id: Option<String>,
    /// When it happened, as `2026-11-20T12:00:00Z`; now if absent.
    #[arg(long)]
    time: Option<String>,
}

/// Records the event; the key is enough, so nobody has to be signed in.
pub(crate) async fn run(arguments: &Arguments, global: &Global, output: &Output) -> Result<Exit, Error> {
    let remembered = match &global.url {
        Some(_) => None,
        None => credentials::read(&credentials::folder()?)?,
    };
    let client = session::anonymous(global, &session::url(global, remembered.as_ref()))?;
    let properties: Map<String, Value> = arguments.property.iter().cloned().collect();
    let event = TrackedEvent {
        id: arguments.id.clone(),
        time: arguments.time.clone(),
        user_id: arguments.user.clone(),
        anonymous_id: arguments.anonymous.clone(),
        properties: (!properties.is_empty()).then_some(Value::Object(properties)),
        ..TrackedEvent::new(&arguments.r#type)
    };
    let params = TrackEventsParams {
        x_api_key: Some(arguments.key.clone()),
        ..TrackEventsParams::default()
    };
    let events = TrackedEvents { events: vec![event] };
    let receipt = client.track_events(&params, &events).await?;
    output.answer(&receipt, said);
    Ok(Exit::Done)
}

fn said(receipt: &EventReceipt) -> String {
    match receipt.accepted {
        0 => "the event is known already\n".to_owned(),
        _ => "the event is recorded\n".to_owned(),
    }
}

fn property(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a property is NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::property;
    use serde_json::json;

    #[test]
    fn properties_are_json_where_they_are_and_text_otherwise() {
        for (text, value) in [
            ("a=1.5", json!(1.5)),
            ("a=true", json!(true)),
            ("a=[1]", json!([1])),
            ("a=\"1\"", json!("1")),
            ("a=EUR", json!("EUR")),
            ("a=", json!("")),
            ("a=b=c", json!("b=c")),
        ] {
            assert_eq!(property(text), Ok(("a".to_owned(), value)), "{text}");
        }
        assert!(property("a").is_err());
    }
}
