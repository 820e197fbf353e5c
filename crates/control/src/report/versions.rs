//! Who still calls versions and operations that end.

use std::collections::BTreeMap;

use domain::analytics::Dimension;
use domain::catalog::{Stage, Version};
use domain::id::VersionId;
use domain::report::{ReportCell, ReportSection, ReportUnit};
use store::report::Ending;

use super::form::{change, figure, figures, table};
use super::{Asked, LOOKED_AT_MAX};
use crate::Error;

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let store = &mut asked.control.store();
    let now = store::report::ending(store, asked.about(asked.period), LOOKED_AT_MAX).await?;
    let before = store::report::ending(store, asked.about(asked.previous()), LOOKED_AT_MAX).await?;
    let called: Vec<_> = now.iter().map(|each| each.version).collect();
    let mut versions =
        store::report::ended_versions(store, asked.organization, &called, LOOKED_AT_MAX).await?;
    let apis: Vec<_> = versions
        .iter()
        .map(|version| version.api_id.to_string())
        .collect();
    let apis = asked
        .names(Dimension::Api, apis.iter().map(String::as_str))
        .await?;
    if let Some(api) = asked.api {
        versions.retain(|version| {
            let id = version.api_id.to_string();
            apis.get(&id).is_some_and(|name| name == api) || id == api
        });
    }
    Ok(vec![
        sums(&now, &before),
        ending(&versions, &apis, (&now, &before)),
        operations(asked, &versions, &now).await?,
        callers(asked, &versions, &apis, &now).await?,
    ])
}

fn sums(now: &[Ending], before: &[Ending]) -> ReportSection {
    let calls = |those: &[Ending]| those.iter().map(|each| each.calls).sum::<i64>();
    let applications = |those: &[Ending]| {
        let those = those.iter().map(|each| each.application.as_str());
        let those: std::collections::BTreeSet<_> = those.filter(|id| !id.is_empty()).collect();
        i64::try_from(those.len()).unwrap_or(i64::MAX)
    };
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
    let compared = |name, title, of: &dyn Fn(&[Ending]) -> i64| {
        let mut figure = figure(name, title, ReportUnit::Count, of(now));
        figure.previous = Some(of(before) as f64);
        figure
    };
    figures(
        (
            "sums",
            "All together",
            "What ends should be called less and less before it does.",
        ),
        vec![
            compared("calls", "Calls to what ends", &calls),
            compared("applications", "Applications that make them", &applications),
        ],
    )
}

fn ending(
    versions: &[Version],
    apis: &BTreeMap<String, String>,
    (now, before): (&[Ending], &[Ending]),
) -> ReportSection {
    let of = |those: &[Ending], id: VersionId| {
        those
            .iter()
            .filter(|each| each.version == id && each.operation.is_empty())
            .fold((0, 0, None), |(calls, callers, last), each| {
                (calls + each.calls, callers + 1, last.max(Some(each.last)))
            })
    };
    let ends = versions
        .iter()
        .filter(|version| matches!(version.spec.stage, Stage::Deprecated | Stage::Retired));
    let mut rows: Vec<_> = ends
        .map(|version| {
            let (calls, callers, last): (i64, i64, _) = of(now, version.id);
            let (earlier, ..) = of(before, version.id);
            let api = version.api_id.to_string();
            let row = vec![
                ReportCell::named(&api, apis.get(&api).map(String::as_str)),
                ReportCell::named(&version.id.to_string(), Some(&version.spec.name)),
                stage(version.spec.stage).into(),
                version.deprecated_at.into(),
                version.spec.sunset_at.into(),
                calls.into(),
                change(calls, earlier).into(),
                callers.into(),
                last.into(),
            ];
            (calls, row)
        })
        .collect();
    rows.sort_by_key(|(calls, _)| std::cmp::Reverse(*calls));
    table(
        (
            "versions",
            "Versions that end",
            "One without calls can be retired; calls to a retired one were answered with 410.",
        ),
        &[
            ("api", "API", ReportUnit::Text),
            ("version", "Version", ReportUnit::Text),
            ("stage", "Stage", ReportUnit::Text),
            ("deprecated_at", "Deprecated", ReportUnit::Moment),
            ("sunset_at", "Ends", ReportUnit::Moment),
            ("calls", "Calls", ReportUnit::Count),
            ("change", "Change", ReportUnit::Change),
            ("callers", "Callers", ReportUnit::Count),
            ("last", "Last call", ReportUnit::Moment),
        ],
        rows.into_iter().map(|(_, row)| row),
        "No version is deprecated.",
    )
}

const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Retired => "Retired",
        _ => "Deprecated",
    }
}

async fn operations(asked: &Asked<'_>, versions: &[Version], now: &[Ending]) -> Result<ReportSection, Error> {
    let mut calls: BTreeMap<(&str, VersionId), (i64, i64)> = BTreeMap::new();
    for each in now.iter().filter(|each| !each.operation.is_empty()) {
        let sums = calls.entry((&each.operation, each.version)).or_default();
        *sums = (sums.0 + each.calls, sums.1 + 1);
    }
    let names = asked
        .names(Dimension::Operation, calls.keys().map(|(id, _)| *id))
        .await?;
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_by_key(|(_, (calls, _))| std::cmp::Reverse(*calls));
    let rows = calls.iter().map(|((id, version), (calls, callers))| {
        vec![
            ReportCell::named(id, names.get(*id).map(String::as_str)),
            version_name(versions, *version),
            (*calls).into(),
            (*callers).into(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    Ok(table(
        (
            "operations",
            "Operations that end",
            "Those that contracts of versions that stay mark as deprecated.",
        ),
        &[
            ("operation", "Operation", ReportUnit::Text),
            ("version", "Version", ReportUnit::Text),
            ("calls", "Calls", ReportUnit::Count),
            ("callers", "Callers", ReportUnit::Count),
        ],
        rows,
        "No operation that ends was called.",
    ))
}

async fn callers(
    asked: &Asked<'_>,
    versions: &[Version],
    apis: &BTreeMap<String, String>,
    now: &[Ending],
) -> Result<ReportSection, Error> {
    let titles = asked
        .names(
            Dimension::Application,
            now.iter().map(|each| each.application.as_str()),
        )
        .await?;
    let owners = asked
        .names(Dimension::Consumer, now.iter().map(|each| each.consumer.as_str()))
        .await?;
    let operations = asked
        .names(
            Dimension::Operation,
            now.iter().map(|each| each.operation.as_str()),
        )
        .await?;
    let rows = now.iter().map(|each| {
        let api = each.api.to_string();
        let of = |names: &BTreeMap<String, String>, id: &str| match id {
            "" => ReportCell::from("None"),
            id => ReportCell::named(id, names.get(id).map(String::as_str)),
        };
        vec![
            of(&titles, &each.application),
            of(&owners, &each.consumer),
            of(apis, &api),
            version_name(versions, each.version),
            match each.operation.as_str() {
                "" => ReportCell::from("All of the version"),
                id => of(&operations, id),
            },
            each.calls.into(),
            each.last.into(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    Ok(table(
        ("callers", "Who has to move", "Those with most calls first."),
        &[
            ("application", "Application", ReportUnit::Text),
            ("organization", "Organization", ReportUnit::Text),
            ("api", "API", ReportUnit::Text),
            ("version", "Version", ReportUnit::Text),
            ("operation", "Operation", ReportUnit::Text),
            ("calls", "Calls", ReportUnit::Count),
            ("last", "Last call", ReportUnit::Moment),
        ],
        rows,
        "Nobody calls what ends.",
    ))
}

fn version_name(versions: &[Version], id: VersionId) -> ReportCell {
    let known = versions.iter().find(|version| version.id == id);
    ReportCell::named(&id.to_string(), known.map(|version| version.spec.name.as_str()))
}
