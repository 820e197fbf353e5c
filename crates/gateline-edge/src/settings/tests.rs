use std::path::PathBuf;

use super::{Error, Settings, load};
use crate::arguments::Arguments;

fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn with_file(text: &str, environment: &[(&str, &str)], arguments: Arguments) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, text).unwrap();
    let arguments = Arguments {
        config: Some(path),
        ..arguments
    };
    load(&arguments, &variables(environment)).map_err(|error| match error {
        Error::Content { source, .. } => source.to_string(),
        other => other.to_string(),
    })
}

#[test]
fn later_sources_win() {
    let file =
        "snapshot = 'a.json'\n[gateway]\ncores = 1\nlisten = '127.0.0.1:1'\n[gateway.limits]\nhead_ms = 7\n";
    let environment = [
        ("GATELINE_GATEWAY_CORES", "2"),
        ("GATELINE_GATEWAY_LIMITS_FIELDS_MAX", "9"),
        ("GATELINE_TOKEN", "x"),
    ];
    let arguments = Arguments {
        listen: Some("127.0.0.1:3".parse().unwrap()),
        environment: Some("123".to_owned()),
        ..Arguments::default()
    };
    let settings = with_file(file, &environment, arguments).unwrap();
    assert_eq!(settings.snapshot, Some(PathBuf::from("a.json")));
    assert_eq!((settings.gateway.cores, settings.gateway.listen.port()), (2, 3));
    assert_eq!(
        (
            settings.gateway.limits.head_ms,
            settings.gateway.limits.fields_max
        ),
        (7, 9)
    );
    assert_eq!(settings.gateway.environment.as_str(), "123");
}

#[test]
fn what_is_wrong_is_named() {
    let unknown = with_file("snapshot = 'a'\n[gateway]\nport = 1\n", &[], Arguments::default()).unwrap_err();
    assert!(
        unknown.contains("line 3") && unknown.contains("unknown field `port`"),
        "{unknown}"
    );
    let unknown = with_file("", &[("GATELINE_GATEWAY_PORT", "1")], Arguments::default()).unwrap_err();
    assert_eq!(unknown, "GATELINE_GATEWAY_PORT: there is no such setting");
    let invalid = with_file("", &[("GATELINE_GATEWAY_CORES", "many")], Arguments::default()).unwrap_err();
    assert!(
        invalid.starts_with("GATELINE_GATEWAY_CORES: invalid type"),
        "{invalid}"
    );
    assert!(
        with_file("", &[], Arguments::default())
            .unwrap_err()
            .contains("--control")
    );
    let no_token = [("GATELINE_CLUSTER_CONTROL_URL", "http://c")];
    assert!(
        with_file("", &no_token, Arguments::default())
            .unwrap_err()
            .contains("--token-file")
    );
}

#[test]
fn numbers_have_bounds() {
    let with = |variable: &str, value: &str| {
        with_file("snapshot = 'a'\n", &[(variable, value)], Arguments::default())
    };
    let kept = with("GATELINE_USAGE_LOG_BYTES_MAX", "5000000").unwrap();
    assert_eq!(kept.usage.log().bytes_max, 5_000_000);
    let tracking = with("GATELINE_TRACKING_DUPLICATES_SECONDS", "60")
        .unwrap()
        .tracking;
    assert_eq!(tracking.intake().window.as_secs(), 60);
    for (variable, value, said) in [
        (
            "GATELINE_TRACKING_AGE_MAX_SECONDS",
            "59",
            "tracking.age_max_seconds: 59 is not from 60 to 31622400",
        ),
        (
            "GATELINE_TRACKING_DUPLICATES_SECONDS",
            "86401",
            "tracking.duplicates_seconds: 86401 is not from 0 to 86400",
        ),
        (
            "GATELINE_TRACKING_DUPLICATES_MAX",
            "999",
            "tracking.duplicates_max: 999 is not from 1000 to 100000000",
        ),
        (
            "GATELINE_TRACKING_WAITING_BYTES_MAX",
            "8388607",
            "tracking.waiting_bytes_max: 8388607 is not from 8388608 to 1073741824",
        ),
        (
            "GATELINE_USAGE_LOG_BYTES_MAX",
            "4000000",
            "usage.log_bytes_max: 4000000 is not from 4194304 to",
        ),
        (
            "GATELINE_USAGE_COMMIT_INTERVAL_MS",
            "0",
            "usage.commit_interval_ms: 0 is not from 1 to 1000",
        ),
        (
            "GATELINE_USAGE_RING_CAPACITY",
            "1",
            "usage.ring_capacity: 1 is not from 64 to 1048576",
        ),
    ] {
        let error = with(variable, value).unwrap_err();
        assert!(error.starts_with(said), "{error}");
    }
}
