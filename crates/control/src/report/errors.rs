//! What goes wrong: which side decided it, with which code, since when, and who is affected.

use std::collections::HashMap;

use domain::Code;
use domain::analytics::{Dimension, Measure};
use domain::report::{ReportCell, ReportSection, ReportUnit};
use store::report::Cause;

use super::form::{change, course, figures, lines, measured, share, table};
use super::{Asked, LOOKED_AT_MAX};
use crate::Error;

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let measures = [
        (Measure::Calls, "Calls", ReportUnit::Count),
        (Measure::ErrorRate, "Failed", ReportUnit::Share),
        (Measure::ServerErrors, "Server errors", ReportUnit::Count),
        (Measure::ClientErrors, "Client errors", ReportUnit::Count),
        (Measure::Refused, "Refused", ReportUnit::Count),
    ];
    let sums = asked.sums(&measures.map(|(measure, ..)| measure)).await?;
    let (at, answer) = asked
        .course(&[Measure::ServerErrors, Measure::ClientErrors, Measure::Refused])
        .await?;
    let over_time = [
        (Measure::ServerErrors, "Server errors"),
        (Measure::ClientErrors, "Client errors"),
        (Measure::Refused, "Refused"),
    ];
    Ok(vec![
        figures(
            (
                "sums",
                "All together",
                "Server errors are answers from 500 on, client errors those of the service from 400 to 499; refused is what \
                 the gateway did not let pass.",
            ),
            measured(sums.rows.first(), &measures),
        ),
        course(
            (
                "course",
                "Over time",
                "A step says that something has changed; look for what began then among the causes.",
            ),
            ReportUnit::Count,
            (asked.per(), at.clone()),
            lines(&at, &answer.rows, &over_time),
        ),
        causes(asked).await?,
        affected(asked).await?,
    ])
}

async fn causes(asked: &Asked<'_>) -> Result<ReportSection, Error> {
    let store = &mut asked.control.store();
    let found = store::report::causes(store, asked.about(asked.period), LOOKED_AT_MAX).await?;
    let before = store::report::causes(store, asked.about(asked.previous()), LOOKED_AT_MAX).await?;
    let before: HashMap<_, _> = before.iter().map(|cause| (key(cause), cause.calls)).collect();
    let all: i64 = found.iter().map(|cause| cause.calls).sum();
    let operations = asked
        .names(
            Dimension::Operation,
            found.iter().map(|cause| cause.operation.as_str()),
        )
        .await?;
    let apis = asked
        .names(Dimension::Api, found.iter().map(|cause| cause.api.as_str()))
        .await?;
    let rows = found.iter().map(|cause| {
        let earlier = before.get(&key(cause)).copied().unwrap_or(0);
        vec![
            what(cause),
            side(&cause.side).into(),
            cause.status.into(),
            ReportCell::named(&cause.api, apis.get(&cause.api).map(String::as_str)),
            match cause.operation.as_str() {
                "" => ReportCell::from("None"),
                id => ReportCell::named(id, operations.get(id).map(String::as_str)),
            },
            cause.calls.into(),
            share(cause.calls, all).into(),
            earlier.into(),
            change(cause.calls, earlier).into(),
            cause.applications.into(),
            cause.first.into(),
            cause.last.into(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    Ok(table(
        (
            "causes",
            "Causes",
            "What was answered, who decided it, since when, and how many applications are affected. Without calls in the \
             time before, it is new.",
        ),
        &[
            ("what", "What", ReportUnit::Text),
            ("side", "Decided by", ReportUnit::Text),
            ("status", "Status", ReportUnit::Count),
            ("api", "API", ReportUnit::Text),
            ("operation", "Operation", ReportUnit::Text),
            ("calls", "Calls", ReportUnit::Count),
            ("share", "Of all errors", ReportUnit::Share),
            ("before", "Time before", ReportUnit::Count),
            ("change", "Change", ReportUnit::Change),
            ("applications", "Applications", ReportUnit::Count),
            ("since", "Since", ReportUnit::Moment),
            ("last", "Last", ReportUnit::Moment),
        ],
        rows,
        "Nothing went wrong.",
    ))
}

/// By what causes of two times are the same.
fn key(cause: &Cause) -> (i64, &str, &str, &str) {
    (cause.status, &cause.code, &cause.api, &cause.operation)
}

/// What an error is called, with the code that explains it.
fn what(cause: &Cause) -> ReportCell {
    let code = Code::ALL.iter().find(|code| code.as_str() == cause.code);
    match code {
        Some(code) => ReportCell::named(code.as_str(), Some(code.title())),
        None if cause.side == "client" => ReportCell::from("The client went away before the answer"),
        None => ReportCell::from(format!("The service answered {}", cause.status)),
    }
}

fn side(name: &str) -> &'static str {
    match name {
        "gateway" => "Gateway",
        "client" => "Client",
        _ => "Service",
    }
}

async fn affected(asked: &Asked<'_>) -> Result<ReportSection, Error> {
    let about = asked.about(asked.period);
    let found = store::report::calling(&mut asked.control.store(), about, LOOKED_AT_MAX).await?;
    let mut found: Vec<_> = found.into_iter().filter(|each| each.failed > 0).collect();
    found.sort_by_key(|each| (std::cmp::Reverse(each.failed), each.application));
    let ids: Vec<_> = found
        .iter()
        .map(|each| (each.application.to_string(), each.consumer.to_string()))
        .collect();
    let titles = asked
        .names(Dimension::Application, ids.iter().map(|(id, _)| id.as_str()))
        .await?;
    let owners = asked
        .names(Dimension::Consumer, ids.iter().map(|(_, id)| id.as_str()))
        .await?;
    let rows = found.iter().zip(&ids).map(|(each, (id, owner))| {
        vec![
            ReportCell::named(id, titles.get(id).map(String::as_str)),
            ReportCell::named(owner, owners.get(owner).map(String::as_str)),
            each.failed.into(),
            each.calls.into(),
            share(each.failed, each.calls).into(),
        ]
    });
    Ok(table(
        (
            "affected",
            "Who is affected",
            "Applications with calls that failed or were refused, those with most first.",
        ),
        &[
            ("application", "Application", ReportUnit::Text),
            ("organization", "Organization", ReportUnit::Text),
            ("failed", "Went wrong", ReportUnit::Count),
            ("calls", "Calls", ReportUnit::Count),
            ("share", "Of its calls", ReportUnit::Share),
        ],
        rows,
        "Nobody is.",
    ))
}
