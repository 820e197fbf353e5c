use std::io::Write;

use super::{Loaded, LogFormat, Settings, Sources, load, schema};

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn from(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &'static str, &str)],
) -> Result<Loaded, String> {
    let file = file(text);
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        flags: flags
            .iter()
            .map(|(name, flag, value)| (*name, *flag, (*value).to_owned()))
            .collect(),
    };
    load(&sources).map_err(|error| {
        error
            .to_string()
            .replace(&file.path().display().to_string(), "FILE")
    })
}

#[test]
fn later_sources_win() {
    let text = "[gateway]\nlisten = \"127.0.0.1:1\"\ncores = 1\n[log]\nformat = \"json\"\nlevel = \"warn\"\n";
    let environment = [
        ("GATELINE_GATEWAY_CORES", "2"),
        ("GATELINE_LOG_LEVEL", "info"),
        ("GATELINE_URL", "x"),
        ("HOME", "y"),
    ];
    let loaded = from(text, &environment, &[("log.level", "--log-level", "debug")]).unwrap();
    assert_eq!(loaded.settings.gateway.listen.port(), 1);
    assert_eq!(loaded.settings.gateway.cores, 2);
    assert_eq!(loaded.settings.log.level, "debug");
    assert_eq!(loaded.settings.log.format, LogFormat::Json);
    let origins: Vec<String> = loaded.origins.values().map(ToString::to_string).collect();
    assert_eq!(origins[0], "GATELINE_GATEWAY_CORES");
    assert!(origins[1].ends_with(":2"), "{origins:?}");
    assert!(origins[2].ends_with(":5"), "{origins:?}");
    assert_eq!(origins[3], "--log-level");
}

#[test]
fn nothing_set_gives_the_defaults() {
    let loaded = from("", &[], &[]).unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.settings.gateway.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.settings.control.listen.to_string(), "127.0.0.1:8081");
}

/// A file, variables, and what is said about them.
type Wrong = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let table: [Wrong; 11] = [
        (
            "\n[gateway]\nlistn = \"127.0.0.1:1\"\n",
            &[],
            "FILE:3: there is no setting `gateway.listn`; did you mean `gateway.listen`?",
        ),
        ("[gatway]\nx = 1\n", &[], "FILE:1: there is no setting `gatway`"),
        (
            "gateway = 3\n",
            &[],
            "FILE:1: `gateway` is a table of settings, not a integer",
        ),
        (
            "[gateway]\nlisten = \"here\"\n",
            &[],
            "FILE:2: `gateway.listen` is not valid: invalid socket address syntax",
        ),
        (
            "[gateway.limits]\nhead_ms = \"1\"\n",
            &[],
            "FILE:2: `gateway.limits.head_ms` is not valid: invalid type: string \"1\", expected u32",
        ),
        (
            "[usage]\ncommit_interval_ms = 0\n",
            &[],
            "FILE:2: `usage.commit_interval_ms` must be from 1 to 1000",
        ),
        (
            "[usage]\nlog_bytes_max = 4_000_000\n",
            &[],
            "FILE:2: `usage.log_bytes_max` must be 4194304 or more",
        ),
        (
            "[tracking]\nduplicates_max = 1\n",
            &[],
            "FILE:2: `tracking.duplicates_max` must be from 1000 to 100000000",
        ),
        (
            "[control]\npublic_url = \"x\"\n",
            &[],
            "FILE:2: `control.public_url` must begin with http:// or https://",
        ),
        (
            "",
            &[("GATELINE_GATEWAY_CORE", "2")],
            "GATELINE_GATEWAY_CORE: there is no setting `GATELINE_GATEWAY_CORE`; did you mean `GATELINE_GATEWAY_CORES`?",
        ),
        (
            "",
            &[("GATELINE_GATEWAY_CORES", "two")],
            "GATELINE_GATEWAY_CORES: `gateway.cores` must be a number, not `two`",
        ),
    ];
    for (text, environment, expected) in table {
        let error = from(text, environment, &[]).unwrap_err();
        assert_eq!(error, expected);
    }
    let error = from("a = = 1\n", &[], &[]).unwrap_err();
    assert!(error.starts_with("FILE:1: "), "{error}");
}

#[test]
fn the_log_is_kept_as_set() {
    assert_eq!(
        Settings::default().usage.log(),
        events::log::LogSettings::default()
    );
    let loaded = from("", &[("GATELINE_USAGE_LOG_BYTES_MAX", "5000000")], &[]).unwrap();
    assert_eq!(loaded.settings.usage.log().bytes_max, 5_000_000);
}

#[test]
fn secrets_are_not_shown() {
    let loaded = from(
        "[cluster]\ntoken = \"t0ken\"\n[database]\nurl = \"postgres://u:pa55@h/d\"\n",
        &[],
        &[],
    )
    .unwrap();
    let shown = format!("{:?}", loaded.settings);
    assert!(!shown.contains("t0ken") && !shown.contains("pa55"), "{shown}");
}

#[test]
fn the_schema_on_disk_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/config.schema.json");
    let on_disk = std::fs::read_to_string(path).unwrap_or_default();
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert!(
        on_disk == made,
        "spec/config.schema.json is old: `make gen` writes it"
    );
}
