//! Alerts, the rules that they come from, who is told, and when nobody is.

use control::Error;
use control::resource::ListQuery;
use domain::alert::{
    Alert, AlertChannel, AlertChannelSpec, AlertCondition, AlertRule, AlertRuleSpec, AlertRuleUse,
    AlertSeverity, AlertSilence, AlertSilenceSpec, AlertTarget, BurnWindow, ChannelSecret, ChannelTest,
    Preview, WebhookFormat,
};
use domain::analytics::Measure;
use domain::id::{AlertChannelId, AlertId, AlertRuleId};
use domain::notice::Notices;
use domain::{Code, Name};
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer;
use crate::call::{Call, invalid};
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::page;
use crate::parameter::{Parameter, one_of, text};

const STATES: [&str; 3] = ["pending", "firing", "resolved"];
const SEVERITIES: [&str; 3] = ["info", "warning", "critical"];

/// Those of rules, channels and silences, and `list_alerts`, `read_alert`, `list_alert_notices`, `preview_alert`,
/// `read_alert_channel_secret`, `rotate_alert_channel_secret`, `test_alert_channel`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    [
        vec![list(), read(), notices()],
        crud::all::<AlertRule>(),
        vec![preview()],
        crud::all::<AlertChannel>(),
        vec![read_secret(), rotate_secret(), test()],
        crud::all::<AlertSilence>(),
    ]
    .concat()
}

fn shown(alert: &Alert) -> Result<Value, Error> {
    let links = Links::to(format!("/api/v1/alerts/{}", alert.id))
        .and("rule", format!("/api/v1/alert-rules/{}", alert.rule_id))
        .and("notices", format!("/api/v1/alerts/{}/notices", alert.id));
    let mut value =
        serde_json::to_value(alert).map_err(|error| Error::internal("writing an answer", error))?;
    value["links"] = json!(links);
    Ok(value)
}

fn list() -> Endpoint {
    Endpoint::get("/api/v1/alerts", "list_alerts")
        .tag("alerts")
        .says(
            "List alerts",
            "What is so and must not be, and what was in the last 90 days; the newest first.",
        )
        .takes_all(Parameter::page(&["-created_at", "created_at"]))
        .takes(Parameter::query(
            "filter[state]",
            "Only those in this state.",
            one_of(&STATES),
        ))
        .takes(Parameter::query(
            "filter[severity]",
            "Only those that are as bad.",
            one_of(&SEVERITIES),
        ))
        .takes(Parameter::query(
            "filter[rule_id]",
            "Only those of this rule.",
            text(40),
        ))
        .answers_page_of_shown::<Alert, Nothing>("A page.")
        .to(|call| async move {
            let mut conditions = Vec::new();
            for (name, column, known) in [
                ("filter[state]", "state", &STATES),
                ("filter[severity]", "severity", &SEVERITIES),
            ] {
                if let Some(value) = call.query(name) {
                    if !known.contains(&value) {
                        return Err(invalid(name, &format!("it is one of {}", known.join(", "))));
                    }
                    conditions.push(crud::is::<String>(column, value).map_err(|why| invalid(name, &why))?);
                }
            }
            if let Some(rule) = call.query("filter[rule_id]") {
                let condition = crud::is::<AlertRuleId>("rule_id", rule);
                conditions.push(condition.map_err(|why| invalid("filter[rule_id]", &why))?);
            }
            let query = ListQuery {
                conditions,
                window: page::asked(&call)?.window(),
            };
            let listed = call.control().list_alerts(&call.caller, &query).await?;
            let last = listed.data.last().filter(|_| listed.has_more);
            let next = last.map(|alert| (alert.id.to_string(), alert.id.to_string()));
            let rows = listed.data.iter().map(shown).collect::<Result<_, _>>()?;
            page::answer(&call, rows, next)
        })
}

fn read() -> Endpoint {
    Endpoint::get("/api/v1/alerts/{id}", "read_alert")
        .tag("alerts")
        .says("Read an alert", "What was found, as it was seen last.")
        .takes_id::<AlertId>("The alert's id.")
        .takes(crud::if_none_match())
        .answers_shown::<Alert, Nothing>(200, "The alert.")
        .with_headers(&["ETag"])
        .answers_with(304, "It is what `If-None-Match` names.", Vec::new())
        .to(|call| async move {
            let alert = call.control().read_alert(&call.caller, call.id()?).await?;
            answer::revised(&call, &shown(&alert)?, alert.revision)
        })
}

fn notices() -> Endpoint {
    Endpoint::get("/api/v1/alerts/{id}/notices", "list_alert_notices")
        .tag("alerts")
        .says(
            "List an alert's notifications",
            "Who was told what, and whether it was received.",
        )
        .takes_id::<AlertId>("The alert's id.")
        .answers::<Notices>(200, "The notifications.")
        .to(|call| async move {
            let data = call.control().alert_notices(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &Notices { data })
        })
}

impl Shown for AlertRule {
    const COLLECTION: &'static str = "/api/v1/alert-rules";
    const TAG: &'static str = "alerts";
    const ONE: &'static str = "an alert rule";
    const MANY: &'static str = "alert rules";
    const ABOUT: &'static str = "An alert rule says what must not be: a measure over or under a number (`threshold`), an \
        error budget that is spent too fast (`burn_rate`), an hour that is not as the weeks before let expect \
        (`anomaly`), a quota that is nearly used up (`quota`). It is judged several times a minute by what was counted, \
        of the organization's APIs and of the calls that its applications made.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict];
    type Extra = AlertRuleUse;

    fn example() -> AlertRuleSpec {
        AlertRuleSpec {
            name: "availability".parse().expect("it is a name"),
            title: "Availability".to_owned(),
            description: "See the runbook.".to_owned(),
            condition: AlertCondition::BurnRate {
                objective: 0.999,
                filters: Vec::new(),
                windows: BurnWindow::USUAL.to_vec(),
            },
            severity: AlertSeverity::Critical,
            for_minutes: 0,
            channels: Vec::new(),
            repeat_minutes: Some(240),
            paused: false,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "paused": true })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<AlertRuleUse>, Error> {
        let ids: Vec<_> = them.iter().map(|it| it.id).collect();
        let mut uses = call.control().alert_rule_uses(&ids).await?;
        Ok(ids.iter().map(|id| uses.remove(id).unwrap_or_default()).collect())
    }
}

fn preview() -> Endpoint {
    let example = AlertCondition::Threshold {
        measure: Measure::LatencyP95Us,
        filters: Vec::new(),
        by: Vec::new(),
        window_minutes: 5,
        over: Some(500_000.0),
        under: None,
        calls_min: 100,
    };
    Endpoint::post("/api/v1/alert-rules/preview", "preview_alert")
        .tag("alerts")
        .says(
            "Try a condition",
            "What a condition finds now, without a rule being made of it.",
        )
        .not_idempotent()
        .body(&example)
        .answers::<Preview>(200, "What it finds.")
        .to(|call| async move {
            let condition: AlertCondition = call.json()?;
            let preview = call.control().preview_alert(&call.caller, &condition).await?;
            answer::json(StatusCode::OK, &preview)
        })
}

impl Shown for AlertChannel {
    const COLLECTION: &'static str = "/api/v1/alert-channels";
    const TAG: &'static str = "alerts";
    const ONE: &'static str = "an alert channel";
    const MANY: &'static str = "alert channels";
    const ABOUT: &'static str = "An alert channel says where notifications of alerts go: to a webhook, signed as Standard \
        Webhooks has it, or to mailboxes. What is not received is tried again for a day.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict];
    type Extra = Nothing;

    fn example() -> AlertChannelSpec {
        AlertChannelSpec {
            name: "on-call".parse().expect("it is a name"),
            title: "On call".to_owned(),
            target: AlertTarget::Webhook {
                url: "https://hooks.example.com/alerts".to_owned(),
                format: WebhookFormat::Standard,
            },
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Whoever is on call" })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links.and("test", format!("/api/v1/alert-channels/{}/test", self.id))
    }
}

fn read_secret() -> Endpoint {
    Endpoint::get("/api/v1/alert-channels/{id}/secret", "read_alert_channel_secret")
        .tag("alerts")
        .says(
            "Read a channel's secret",
            "The key with which the receiver of a webhook checks `webhook-signature`: HMAC-SHA256 over id, timestamp and \
             body, joined by full stops.",
        )
        .takes_id::<AlertChannelId>("The channel's id.")
        .answers::<ChannelSecret>(200, "The secret.")
        .to(|call| async move {
            let secret = call.control().alert_channel_secret(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &secret)
        })
}

fn rotate_secret() -> Endpoint {
    Endpoint::post(
        "/api/v1/alert-channels/{id}/rotate-secret",
        "rotate_alert_channel_secret",
    )
    .tag("alerts")
    .says(
        "Give a channel another secret",
        "Whatever is sent from then on is signed with it, also what was found before.",
    )
    .takes_id::<AlertChannelId>("The channel's id.")
    .answers::<ChannelSecret>(200, "The secret.")
    .to(|call| async move {
        let id = call.id()?;
        let secret = call
            .control()
            .rotate_alert_channel_secret(&call.caller, id)
            .await?;
        answer::json(StatusCode::OK, &secret)
    })
}

fn test() -> Endpoint {
    Endpoint::post("/api/v1/alert-channels/{id}/test", "test_alert_channel")
        .tag("alerts")
        .says(
            "Try a channel",
            "Sends a notification that is about nothing, once, and says what became of it.",
        )
        .takes_id::<AlertChannelId>("The channel's id.")
        .not_idempotent()
        .answers::<ChannelTest>(200, "What became of it.")
        .to(|call| async move {
            let test = call
                .control()
                .test_alert_channel(&call.caller, call.id()?)
                .await?;
            answer::json(StatusCode::OK, &test)
        })
}

impl Shown for AlertSilence {
    const COLLECTION: &'static str = "/api/v1/alert-silences";
    const TAG: &'static str = "alerts";
    const ONE: &'static str = "an alert silence";
    const MANY: &'static str = "alert silences";
    const ABOUT: &'static str = "An alert silence is a time in which nobody is told that something must not be, as a \
        deployment. Alerts are found and shown all the same; what still is so when it ends is told then.";
    const REFUSALS: &'static [Code] = &[Code::Conflict];
    type Extra = Nothing;

    fn example() -> AlertSilenceSpec {
        AlertSilenceSpec {
            title: "Deployment".to_owned(),
            rules: Vec::new(),
            starts_at: "2026-11-20T20:00:00Z".parse().expect("it is a moment"),
            ends_at: "2026-11-20T21:00:00Z".parse().expect("it is a moment"),
        }
    }

    fn patch_example() -> Value {
        json!({ "ends_at": "2026-11-20T20:30:00Z" })
    }

    fn filters() -> Vec<Filter> {
        Vec::new()
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }
}
