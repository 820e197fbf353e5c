//! What was used.

use axum::response::Response;
use control::Error;
use control::usage::{Group, UsageQuery};
use domain::usage::UsageRow;

use crate::call::{Call, invalid};
use crate::endpoint::Endpoint;
use crate::page;
use crate::parameter::{Parameter, moment, text};

/// The words of `group`.
const GROUPS: &[(&str, Option<Group>)] = &[
    ("hour", Some(Group::Hour)),
    ("day", Some(Group::Day)),
    // Rows are told apart by API in any case.
    ("api", None),
    ("version", Some(Group::Version)),
    ("operation", Some(Group::Operation)),
    ("application", Some(Group::Application)),
    ("subscription", Some(Group::Subscription)),
    ("plan", Some(Group::Plan)),
];

/// `list_usage`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![read()]
}

fn read() -> Endpoint {
    let group = "What rows are told apart by, separated by commas: `hour`, `day`, `api`, `version`, `operation`, \
                 `application`, `subscription`, `plan`; `operation` if absent. Rows are told apart by API in any case.";
    Endpoint::get("/api/v1/usage", "list_usage")
        .tag("usage")
        .says(
            "Read usage",
            "Counted calls, summed as `group` says. A provider sees the calls of its APIs, a consumer the calls of its \
             applications. Every call is in it exactly once, about a second after its answer.",
        )
        .takes_all(Parameter::page(&[]))
        .takes(Parameter::query("filter[api]", "Only calls of this API: its id or name.", text(100)))
        .takes(Parameter::query(
            "filter[application]",
            "Only calls of this application: its id or name.",
            text(100),
        ))
        .takes(Parameter::query("from", "Only from the hour of this moment on.", moment()))
        .takes(Parameter::query("to", "Only hours that began before this moment.", moment()))
        .takes(Parameter::query("group", group, text(100)))
        .answers_page_of::<UsageRow>("A page.")
        .to(answer_usage)
}

async fn answer_usage(call: Call) -> Result<Response, Error> {
    let asked = page::asked(&call)?;
    let query = UsageQuery {
        from: call.query_as("from")?,
        to: call.query_as("to")?,
        api: call.query("filter[api]").map(str::to_owned),
        application: call.query("filter[application]").map(str::to_owned),
        group: groups(call.query("group").unwrap_or("operation"))?,
        after: asked.after.map(|(place, _)| place),
        limit: asked.limit,
    };
    let found = call.control().usage(&call.caller, &query).await?;
    page::answer(
        &call,
        page::values(&found.rows)?,
        found.next.map(|place| (place, String::new())),
    )
}

fn groups(text: &str) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    for word in text.split(',').map(str::trim) {
        let Some((_, group)) = GROUPS.iter().find(|(known, _)| *known == word) else {
            let known: Vec<_> = GROUPS.iter().map(|(known, _)| *known).collect();
            let why = format!("`{word}` is not one of `{}`", known.join("`, `"));
            return Err(invalid("group", &why));
        };
        groups.extend(group);
    }
    Ok(groups)
}
