//! `gateline explain` and `gateline debug-token`: what became of a recent request.

use clap::Args;
use client::types::{
    CallExplanation, CallFallback, CallTry, DebugTokenSpec, ExplainRequestParams, ExplainedCall,
};

use crate::output::Output;
use crate::session::Connection;
use crate::{Error, Exit};

/// A recent request.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its id, which its client was told in `X-Request-ID`.
    request_id: String,
}

/// What the token is for.
#[derive(Debug, Args)]
pub struct TokenArguments {
    /// The environment; `sandbox` if absent.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The only route it is good for, by id.
    #[arg(long, value_name = "ID")]
    route: Option<String>,
    /// How long it is good: 10 to 3600 seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    lifetime: u64,
}

pub(crate) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<Exit, Error> {
    let params = ExplainRequestParams {
        request_id: Some(arguments.request_id.clone()),
    };
    let explanation = connection.client.explain_request(&params).await?;
    output.answer(&explanation, people);
    Ok(Exit::Done)
}

pub(crate) async fn token(
    connection: &Connection,
    arguments: &TokenArguments,
    output: &Output,
) -> Result<Exit, Error> {
    let spec = DebugTokenSpec {
        environment: arguments.environment.clone(),
        route_id: arguments.route.clone(),
        lifetime_seconds: Some(arguments.lifetime),
    };
    let token = connection.client.create_debug_token(&spec).await?;
    output.note(&format!("good until {}; it is not shown again", token.expires_at));
    output.answer(&token, |token| format!("{}: {}\n", token.header, token.token));
    Ok(Exit::Done)
}

fn people(answer: &CallExplanation) -> String {
    let calls: Vec<String> = answer.calls.iter().map(call).collect();
    calls.join("\n")
}

/// Lines of a name and a value.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let line = format!("{name:<12} {value}");
            self.0.push_str(line.trim_end());
            self.0.push('\n');
        }
    }
}

/// A call line by line: what it was, what decided, where it went, when.
fn call(call: &ExplainedCall) -> String {
    let mut lines = Lines::default();
    let code = call
        .code
        .as_deref()
        .map(|code| format!(" {code}"))
        .unwrap_or_default();
    let path = call.path.as_deref().unwrap_or_default();
    lines.add("request", &format!("{} at {}", call.request_id, call.started_at));
    lines.add("", format!("{} {path}", call.method).trim_end());
    lines.add(
        "answer",
        &format!("{}{code}, {} bytes", call.status, call.bytes_out),
    );
    route(call, &mut lines);
    decisions(call, &mut lines);
    if let Some(upstream) = &call.upstream {
        let fallback = match (&upstream.fallback, upstream.fallback_age_seconds) {
            (None, _) => String::new(),
            (Some(CallFallback::Unrecognized(kind)), _) => format!(", answered with {kind}"),
            (Some(CallFallback::Fixed), _) => ", answered with its fixed fallback".to_owned(),
            (Some(CallFallback::LastGood), None) => ", answered with its last good answer".to_owned(),
            (Some(CallFallback::LastGood), Some(age)) => {
                format!(", answered with its last good answer, {age} s old")
            }
        };
        let chosen = format!("{} ({}){fallback}", upstream.upstream_id, upstream.algorithm);
        lines.add("upstream", &chosen);
        for one in &upstream.tries {
            lines.add("try", &tried(one));
        }
    }
    let times = [
        ("decided", call.timing.decided_us),
        ("sent", call.timing.sent_us),
        ("first byte", call.timing.first_byte_us),
        ("end", Some(call.timing.ended_us)),
    ];
    let times: Vec<String> = times
        .into_iter()
        .filter_map(|(name, micros)| Some(format!("{name} {}", millis(micros?))))
        .collect();
    lines.add("timing", &times.join(", "));
    lines.0
}

fn route(call: &ExplainedCall, lines: &mut Lines) {
    for tried in &call.routing.tried {
        let route = tried
            .route_id
            .as_deref()
            .unwrap_or("a route of another organization");
        let place = tried.base_path.as_deref().unwrap_or_default();
        let missed = tried.missed.as_deref().unwrap_or("this one");
        lines.add("tried", &format!("{route} {place}: not {missed}"));
    }
    let route = call.routing.route_id.as_deref().unwrap_or_default();
    let why = call.routing.why.as_deref().unwrap_or_default();
    lines.add("route", format!("{route} {why}").trim());
    if let Some(variant) = &call.routing.variant {
        lines.add("variant", &format!("{} {}", variant.name, variant.why));
        for detail in &variant.details {
            lines.add("", &format!("  {detail}"));
        }
    }
    if let Some(operation) = &call.routing.operation {
        lines.add("operation", &format!("{} {}", operation.method, operation.path));
    }
}

fn decisions(call: &ExplainedCall, lines: &mut Lines) {
    if let Some(caller) = &call.caller {
        let plan = caller.plan_id.as_deref().unwrap_or("no plan");
        let (application, key) = (&caller.application_id, &caller.key_id);
        lines.add("caller", &format!("{application} with {key}, {plan}"));
    }
    for step in &call.steps {
        let verdict = word(&step.verdict);
        lines.add("policy", &format!("{:<18} {verdict}", step.kind));
        for detail in &step.details {
            lines.add("", &format!("  {detail}"));
        }
    }
    for limit in &call.limits {
        let window = match limit.window_seconds {
            Some(seconds) => format!("in {seconds} s"),
            None => "at a time".to_owned(),
        };
        let (name, remaining, whole) = (&limit.name, limit.remaining, limit.limit);
        lines.add(
            "limit",
            &format!("{name}: {remaining} of {whole} {window} are left"),
        );
    }
    if call.cost != 1 {
        lines.add("cost", &call.cost.to_string());
    }
    if call.delay_us > 0 {
        lines.add("held back", &millis(call.delay_us));
    }
}

fn tried(one: &CallTry) -> String {
    let reason = word(&one.reason);
    let outcome = match one.status {
        Some(status) => status.to_string(),
        None => word(&one.outcome),
    };
    let connection = if one.is_reused {
        "idle connection"
    } else {
        "new connection"
    };
    let took = one
        .ended_us
        .map(|ended| format!(", {}", millis(ended.saturating_sub(one.began_us))))
        .unwrap_or_default();
    format!("{} ({reason}, {connection}): {outcome}{took}", one.target)
}

/// A word of the API as people read it.
fn word(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(value).ok();
    let text = text
        .as_ref()
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    text.replace('_', " ")
}

fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

#[cfg(test)]
mod tests {
    use client::types::CallExplanation;
    use serde_json::json;

    use super::people;

    #[test]
    fn a_call_is_read_line_by_line() {
        let answer: CallExplanation = serde_json::from_value(json!({
            "request_id": "abc", "nodes_asked": 1, "nodes_answered": 1,
            "calls": [{
                "request_id": "abc", "id": "req_1", "environment": "sandbox", "noted": "full",
                "started_at": "2026-11-21T12:00:00Z", "method": "GET", "path": "/shop/pets", "status": 200,
                "routing": {
                    "tried": [{ "route_id": "rte_0", "base_path": "/shop", "fits": false, "missed": "/match/methods" }],
                    "missed": 1, "route_id": "rte_1", "why": "It takes any host below `/shop`.",
                    "variant": { "name": "green", "reason": "forced_by_header", "why": "The header `x-variant` asked for it.",
                        "by_name": "x-variant", "buckets": 100, "buckets_from": 90, "buckets_until": 100,
                        "details": ["`green` has 10 of 100 buckets"] },
                    "operation": { "id": "opn_1", "method": "GET", "path": "/pets" },
                },
                "caller": { "organization_id": "org_1", "application_id": "app_1", "key_id": "key_1", "plan_id": "pln_1" },
                "steps": [
                    { "kind": "key_auth", "verdict": "passed", "details": ["removes `x-api-key`"] },
                    { "kind": "plan_quota", "verdict": "not_run", "details": [] },
                ],
                "limits": [{ "name": "plan_rate", "limit": 5, "window_seconds": 60, "remaining": 4 }],
                "cost": 3, "delay_us": 1500,
                "upstream": {
                    "upstream_id": "ups_1", "algorithm": "round_robin", "candidates": [], "fallback": "last_good", "fallback_age_seconds": 7,
                    "tries": [
                        { "target": "http://a", "reason": "first", "is_reused": false, "outcome": "unreachable",
                          "began_us": 10, "ended_us": 1010 },
                        { "target": "http://b", "reason": "unreachable", "is_reused": true, "outcome": "answered",
                          "status": 200, "began_us": 1010, "sent_us": 1010, "ended_us": 3010 },
                    ],
                },
                "bytes_in": 0, "bytes_out": 5,
                "timing": { "decided_us": 9, "sent_us": 1010, "first_byte_us": 3010, "ended_us": 3020 },
            }],
        }))
        .unwrap();
        assert_eq!(
            people(&answer),
            "request      abc at 2026-11-21T12:00:00Z\n\
             \x20            GET /shop/pets\n\
             answer       200, 5 bytes\n\
             tried        rte_0 /shop: not /match/methods\n\
             route        rte_1 It takes any host below `/shop`.\n\
             variant      green The header `x-variant` asked for it.\n\
             \x20              `green` has 10 of 100 buckets\n\
             operation    GET /pets\n\
             caller       app_1 with key_1, pln_1\n\
             policy       key_auth           passed\n\
             \x20              removes `x-api-key`\n\
             policy       plan_quota         not run\n\
             limit        plan_rate: 4 of 5 in 60 s are left\n\
             cost         3\n\
             held back    1.500 ms\n\
             upstream     ups_1 (round_robin), answered with its last good answer, 7 s old\n\
             try          http://a (first, new connection): unreachable, 1.000 ms\n\
             try          http://b (unreachable, idle connection): 200, 2.000 ms\n\
             timing       decided 0.009 ms, sent 1.010 ms, first byte 3.010 ms, end 3.020 ms\n"
        );
    }
}
