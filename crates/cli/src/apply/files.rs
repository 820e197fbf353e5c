//! From a folder to declarations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use client::Collection;
use contracts::Limits;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::certificate::{self, PrivateKey};
use super::flag;
use crate::Error;

/// Policies of which the control plane takes one for the same calls.
const SINGLE: [&str; 3] = ["call_cost", "cors", "key_auth"];

/// What can be declared, in the order in which it is made: nothing refers to what comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Certificate,
    Upstream,
    Api,
    Plan,
    Application,
    Product,
    Segment,
    FeatureFlag,
    Route,
    Policy,
    StreamRoute,
    EventType,
    AlertChannel,
    AlertRule,
    ReportDefinition,
    ReportSchedule,
}

impl Kind {
    pub(super) const ALL: [Self; 16] = [
        Self::Certificate,
        Self::Upstream,
        Self::Api,
        Self::Plan,
        Self::Application,
        Self::Product,
        Self::Segment,
        Self::FeatureFlag,
        Self::Route,
        Self::Policy,
        Self::StreamRoute,
        Self::EventType,
        Self::AlertChannel,
        Self::AlertRule,
        Self::ReportDefinition,
        Self::ReportSchedule,
    ];

    /// The word in files.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Upstream => "upstream",
            Self::Api => "api",
            Self::Plan => "plan",
            Self::Application => "application",
            Self::Product => "product",
            Self::Route => "route",
            Self::Policy => "policy",
            Self::StreamRoute => "stream_route",
            Self::EventType => "event_type",
            Self::Segment => "segment",
            Self::FeatureFlag => "feature_flag",
            Self::AlertChannel => "alert_channel",
            Self::AlertRule => "alert_rule",
            Self::ReportDefinition => "report_definition",
            Self::ReportSchedule => "report_schedule",
        }
    }

    /// The API's list of them.
    pub(super) fn collection(self) -> &'static Collection {
        let name = match self {
            Self::Certificate => "certificates",
            Self::Upstream => "upstreams",
            Self::Api => "apis",
            Self::Plan => "plans",
            Self::Application => "applications",
            Self::Product => "products",
            Self::Route => "routes",
            Self::Policy => "policies",
            Self::StreamRoute => "stream-routes",
            Self::EventType => "event-types",
            Self::Segment => "segments",
            Self::FeatureFlag => "feature-flags",
            Self::AlertChannel => "alert-channels",
            Self::AlertRule => "alert-rules",
            Self::ReportDefinition => "report-definitions",
            Self::ReportSchedule => "report-schedules",
        };
        Collection::named(name).expect("the API has every kind; a test says so")
    }
}

/// Everything that a folder declares.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Under which name it owns what it makes; without one it owns nothing.
    pub(super) name: Option<String>,
    /// In working order.
    pub(super) declared: Vec<Declared>,
}

/// One resource as a file says it should be.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) file: PathBuf,
    pub(super) kind: Kind,
    /// The spec in the words of files; without what is said of the contract.
    pub(super) spec: Map<String, Value>,
    pub(super) contract: Option<Contract>,
    /// The private key of a certificate.
    pub(super) private_key: Option<PrivateKey>,
}

/// A contract that belongs to an API.
#[derive(Debug)]
pub(super) struct Contract {
    /// The document as it is on disk.
    pub(super) text: String,
    /// SHA-256 of it in hexadecimal, as the server keeps it.
    pub(super) sha256: String,
    /// `info.version`.
    pub(super) version: String,
    /// The wanted stage of the version.
    pub(super) stage: String,
}

impl Declared {
    /// What makes it the same resource as one on the server, readable for people.
    pub(super) fn identity(&self) -> String {
        identity(self.kind, &self.spec)
    }
}

/// What makes a resource the one it is: its name, or what else is unique about it.
pub(super) fn identity(kind: Kind, spec: &Map<String, Value>) -> String {
    let field = |name: &str| match spec.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match kind {
        Kind::Route => {
            let place = format!("{}:{}{}", field("environment"), field("host"), field("base_path"));
            match spec.get("match").and_then(plain) {
                Some(conditions) => format!("{place} {conditions}"),
                None => place,
            }
        }
        Kind::Policy => {
            let operation = field("operation");
            let place = if operation.is_empty() {
                field("api")
            } else {
                format!("{}.{operation}", field("api"))
            };
            let kind = field("kind");
            // There is one for all calls: with another position it is still the same.
            if SINGLE.contains(&kind.as_str()) && spec.get("audience").is_none_or(Value::is_null) {
                return format!("{place}:{kind}");
            }
            let position = spec.get("position").and_then(Value::as_i64).unwrap_or_default();
            format!("{place}:{kind}:{position}")
        }
        Kind::Segment | Kind::FeatureFlag => field("key"),
        _ => field("name"),
    }
}

/// Conditions of a route without what is so anyway, in one order; nothing if there are none.
fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Array(entries) => {
            let entries: Vec<Value> = entries.iter().filter_map(plain).collect();
            Some(Value::Array(entries)).filter(|entries| *entries != Value::Array(Vec::new()))
        }
        Value::Object(fields) => {
            // A certificate is wanted unless it is said otherwise.
            if let Some(Value::Object(certificate)) = fields.get("client_certificate")
                && !certificate.contains_key("kind")
            {
                let mut fields = fields.clone();
                fields["client_certificate"]["kind"] = "present".into();
                return plain(&Value::Object(fields));
            }
            // How a field is compared unless it is said; how a path is compared has no such default.
            let is_field = fields.contains_key("name");
            let said = |name: &str, value: &Value| !(is_field && name == "kind" && value == "exact");
            let mut fields: Vec<(String, Value)> = fields
                .iter()
                .filter(|(name, value)| said(name, value))
                .filter_map(|(name, value)| Some((name.clone(), plain(value)?)))
                .collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            (!fields.is_empty()).then(|| Value::Object(fields.into_iter().collect()))
        }
        other => Some(other.clone()),
    }
}

/// Reads a file, or all `.yaml` and `.yml` files of a folder and the folders in it.
pub(super) fn read(path: &Path) -> Result<Folder, Error> {
    let mut files = Vec::new();
    find(path, &mut files)?;
    files.sort();
    let mut folder = Folder {
        path: path.to_owned(),
        name: None,
        declared: Vec::new(),
    };
    for file in files {
        read_file(&file, &mut folder)?;
    }
    let is_flag = |one: &Declared| matches!(one.kind, Kind::Segment | Kind::FeatureFlag);
    let (flags, others): (Vec<_>, Vec<_>) = folder.declared.into_iter().partition(is_flag);
    folder.declared = others;
    folder.declared.extend(flag::in_order(flags));
    // Stable: within a kind, files in the order of their names, and flags and segments after those that they need.
    folder.declared.sort_by_key(|one| one.kind);
    let mut seen = BTreeMap::new();
    for one in &folder.declared {
        if let Some(other) = seen.insert((one.kind, one.identity()), &one.file) {
            let reason = format!(
                "{} `{}` is declared in {} too",
                one.kind.word(),
                one.identity(),
                other.display()
            );
            return Err(wrong(&one.file, reason));
        }
    }
    if let Some((one, reason)) = flag::circle(&folder.declared) {
        let reason = format!("{} `{}` and others: {reason}", one.kind.word(), one.identity());
        return Err(wrong(&one.file, reason));
    }
    Ok(folder)
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        let yaml = entry
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if entry.is_dir() || (yaml && !is_contract(&entry)) {
            find(&entry, files)?;
        }
    }
    Ok(())
}

/// Contracts may lie beside the declarations that name them.
fn is_contract(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .any(|line| line.starts_with("openapi:") || line.starts_with("\"openapi\""))
}

fn read_file(file: &Path, folder: &mut Folder) -> Result<(), Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::File {
        path: file.to_owned(),
        source,
    })?;
    let data = contracts::data(&text, &Limits::default()).map_err(|refusal| {
        let first = refusal.findings.first();
        Error::Declared {
            path: file.to_owned(),
            line: first.map(|finding| finding.line).filter(|line| *line > 0),
            reason: first.map_or_else(|| refusal.to_string(), |finding| finding.detail.clone()),
        }
    })?;
    let flags = flag::resources(&data).transpose();
    if let Some(flags) = flags.map_err(|reason| wrong(file, reason))? {
        for resource in flags {
            folder.declared.push(read_resource(file, resource)?);
        }
        return Ok(());
    }
    let resources = match data {
        Value::Array(resources) => resources,
        one => vec![one],
    };
    for resource in resources {
        if resource.get("kind").is_some_and(|kind| kind == "folder") {
            read_name(file, &resource, folder)?;
        } else {
            folder.declared.push(read_resource(file, resource)?);
        }
    }
    Ok(())
}

/// `kind: folder` says how the folder itself is called.
fn read_name(file: &Path, resource: &Value, folder: &mut Folder) -> Result<(), Error> {
    let fields = |value: &Value| value.as_object().map_or(0, Map::len);
    let spec = resource.get("spec").unwrap_or(&Value::Null);
    match spec.get("name").and_then(Value::as_str) {
        Some(name) if fields(resource) == 2 && fields(spec) == 1 => {
            if let Some(other) = folder.name.replace(name.to_owned()) {
                return Err(wrong(file, format!("the folder has the name `{other}` already")));
            }
            Ok(())
        }
        _ => Err(wrong(
            file,
            "a folder has `spec: { name: … }` and nothing else".to_owned(),
        )),
    }
}

fn read_resource(file: &Path, resource: Value) -> Result<Declared, Error> {
    let words = || format!("folder, {}", Kind::ALL.map(Kind::word).join(", "));
    let Value::Object(mut resource) = resource else {
        return Err(wrong(
            file,
            "a resource is a mapping of `kind` and `spec`".to_owned(),
        ));
    };
    let word = resource.remove("kind").unwrap_or_default();
    let word = word.as_str().unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == word) else {
        return Err(wrong(file, format!("`kind` is `{word}`, not one of {}", words())));
    };
    let Some(Value::Object(mut spec)) = resource.remove("spec") else {
        return Err(wrong(file, format!("the {word} has no `spec`")));
    };
    if let Some(field) = resource.keys().next() {
        return Err(wrong(
            file,
            format!("`{field}` is unknown; a resource has `kind` and `spec`"),
        ));
    }
    let contract = if kind == Kind::Api {
        contract(file, &mut spec)?
    } else {
        None
    };
    let private_key = match kind {
        Kind::Certificate => certificate::resolve(file, &mut spec)?,
        _ => None,
    };
    let declared = Declared {
        private_key,
        file: file.to_owned(),
        kind,
        spec,
        contract,
    };
    if matches!(kind, Kind::Route | Kind::Policy) || !declared.identity().is_empty() {
        Ok(declared)
    } else {
        let has_key = matches!(kind, Kind::Segment | Kind::FeatureFlag);
        let name = if has_key { "key" } else { "name" };
        Err(wrong(file, format!("the {word} has no `{name}`")))
    }
}

fn contract(file: &Path, spec: &mut Map<String, Value>) -> Result<Option<Contract>, Error> {
    let stage = spec.remove("stage");
    let Some(named) = spec.remove("contract") else {
        return match stage {
            Some(_) => Err(wrong(
                file,
                "`stage` is the contract's; name a `contract`".to_owned(),
            )),
            None => Ok(None),
        };
    };
    let named = named
        .as_str()
        .ok_or_else(|| wrong(file, "`contract` is the path of a file".to_owned()))?;
    let path = file.parent().unwrap_or(Path::new(".")).join(named);
    let text = fs::read_to_string(&path).map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    let read = contracts::read(&text, &Limits::default()).map_err(|refusal| Error::Declared {
        path: path.clone(),
        line: refusal.findings.first().map(|finding| finding.line),
        reason: refusal
            .findings
            .first()
            .map_or_else(|| refusal.to_string(), |finding| finding.detail.clone()),
    })?;
    let sha256 = Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let stage = stage
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or("stable")
        .to_owned();
    Ok(Some(Contract {
        sha256,
        version: read.version,
        stage,
        text,
    }))
}

pub(super) fn wrong(file: &Path, reason: String) -> Error {
    Error::Declared {
        path: file.to_owned(),
        line: None,
        reason,
    }
}
