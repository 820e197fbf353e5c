use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Purpose, Secrets, same};

#[test]
fn secrets_are_kept_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("data/secrets");
    let made = Secrets::open(&place).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    let files: Vec<_> = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let read = Secrets::open(&place).unwrap();
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(made.cluster_token(), read.cluster_token());
    assert_eq!(made.signing_key(), read.signing_key());
    assert_eq!(made.mac(Purpose::Cursor, b"x"), read.mac(Purpose::Cursor, b"x"));
    assert!(format!("{made:?}").len() < 20);
}

#[test]
fn a_broken_secret_is_told() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cursor.key"), "short").unwrap();
    assert!(Secrets::open(directory.path()).is_err());
}

#[test]
fn macs_differ_by_purpose() {
    let secrets = Secrets::ephemeral().unwrap();
    let mac = secrets.mac(Purpose::Cursor, b"x");
    assert!(secrets.verify(Purpose::Cursor, b"x", &mac));
    assert!(!secrets.verify(Purpose::Csrf, b"x", &mac));
    assert!(!secrets.verify(Purpose::Cursor, b"y", &mac));
    assert!(!same(b"a", b"ab") && same(b"", b""));
}

#[test]
fn what_is_sealed_is_opened_in_its_place_only() {
    let secrets = Secrets::ephemeral().unwrap();
    let sealed = secrets.seal(b"here", b"plain").unwrap();
    assert!(!sealed.windows(5).any(|window| window == b"plain"));
    assert_eq!(secrets.unseal(b"here", &sealed).as_deref(), Some(&b"plain"[..]));
    assert_eq!(secrets.unseal(b"there", &sealed), None);
    assert_eq!(secrets.unseal(b"here", &sealed[..8]), None);
    assert_eq!(Secrets::ephemeral().unwrap().unseal(b"here", &sealed), None);
}
