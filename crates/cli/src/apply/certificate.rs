//! Certificates in declarative folders: the texts lie in files beside, and the private key is never part of what is
//! compared or shown.

use std::fmt;
use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value};

use super::files::wrong;
use crate::Error;

/// A private key on its way to the server.
pub(super) struct PrivateKey(String);

impl PrivateKey {
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// Puts the texts of files into the places of their names, and takes the private key out.
pub(super) fn resolve(file: &Path, spec: &mut Map<String, Value>) -> Result<Option<PrivateKey>, Error> {
    for part in ["client_auth", "acme"] {
        if let Some(Value::Object(fields)) = spec.get_mut(part) {
            text_of(file, fields, "authorities")?;
        }
    }
    let mut key = None;
    if let Some(Value::Object(pem)) = spec.get_mut("pem") {
        text_of(file, pem, "chain")?;
        key = private_key(file, pem)?;
    }
    // Exactly one of the two is there: who declares one wants the other one gone.
    for (one, other) in [("pem", "acme"), ("acme", "pem")] {
        if spec.contains_key(one) && !spec.contains_key(other) {
            spec.insert(other.to_owned(), Value::Null);
        }
    }
    Ok(key)
}

/// `chain_file: shop.pem` becomes `chain: …`.
fn text_of(file: &Path, fields: &mut Map<String, Value>, name: &str) -> Result<(), Error> {
    let named = format!("{name}_file");
    let Some(path) = fields.remove(&named) else {
        return Ok(());
    };
    if fields.contains_key(name) {
        return Err(wrong(
            file,
            format!("there is `{name}` and `{named}`: name one of them"),
        ));
    }
    fields.insert(name.to_owned(), read(file, &named, &path)?.into());
    Ok(())
}

fn private_key(file: &Path, pem: &mut Map<String, Value>) -> Result<Option<PrivateKey>, Error> {
    if pem.contains_key("private_key") {
        let reason = "a private key does not belong into the file: name its own file with `private_key_file`, or a \
                      variable of the environment with `private_key_env`";
        return Err(wrong(file, reason.to_owned()));
    }
    match (pem.remove("private_key_file"), pem.remove("private_key_env")) {
        (None, None) => Ok(None),
        (Some(path), None) => read(file, "private_key_file", &path).map(PrivateKey).map(Some),
        (None, Some(name)) => {
            let name = name.as_str().unwrap_or_default();
            match env::var(name) {
                Ok(text) => Ok(Some(PrivateKey(text))),
                Err(_) => Err(wrong(
                    file,
                    format!("the environment has no text `{name}` for the private key"),
                )),
            }
        }
        (Some(_), Some(_)) => {
            let reason = "there is `private_key_file` and `private_key_env`: name one of them";
            Err(wrong(file, reason.to_owned()))
        }
    }
}

fn read(file: &Path, name: &str, path: &Value) -> Result<String, Error> {
    let path = path
        .as_str()
        .ok_or_else(|| wrong(file, format!("`{name}` is the path of a file")))?;
    let path = file.parent().unwrap_or(Path::new(".")).join(path);
    fs::read_to_string(&path).map_err(|source| Error::File { path, source })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::resolve;

    fn resolved(spec: &Value) -> Result<(Value, Option<String>), String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop.pem"), "CHAIN").unwrap();
        std::fs::write(folder.path().join("shop.key"), "KEY").unwrap();
        let Value::Object(mut spec) = spec.clone() else {
            unreachable!()
        };
        let key = resolve(&folder.path().join("shop.yaml"), &mut spec).map_err(|error| error.to_string())?;
        assert!(!format!("{key:?}").contains("KEY"));
        Ok((Value::Object(spec), key.map(|key| key.text().to_owned())))
    }

    #[test]
    fn files_are_read_and_the_key_is_kept_apart() {
        let found = resolved(&json!({
            "pem": { "chain_file": "shop.pem", "private_key_file": "shop.key" },
            "client_auth": { "authorities_file": "shop.pem", "mode": "optional" },
        }));
        let expected = json!({
            "pem": { "chain": "CHAIN" },
            "client_auth": { "authorities": "CHAIN", "mode": "optional" },
            "acme": null,
        });
        assert_eq!(found, Ok((expected, Some("KEY".to_owned()))));
        let ordered = json!({ "acme": { "directory_url": "https://a.example/" } });
        let expected = json!({ "acme": { "directory_url": "https://a.example/" }, "pem": null });
        assert_eq!(resolved(&ordered), Ok((expected, None)));
        let home = resolved(&json!({ "pem": { "chain": "C", "private_key_env": "PATH" } })).unwrap();
        assert_eq!(home.1, std::env::var("PATH").ok());
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for (pem, reason) in [
            (json!({ "private_key": "KEY" }), "does not belong into the file"),
            (
                json!({ "private_key_file": "shop.key", "private_key_env": "PATH" }),
                "name one of them",
            ),
            (
                json!({ "private_key_env": "GATELINE_NO_SUCH_VARIABLE" }),
                "GATELINE_NO_SUCH_VARIABLE",
            ),
            (
                json!({ "chain": "C", "chain_file": "shop.pem" }),
                "name one of them",
            ),
            (json!({ "chain_file": "nowhere.pem" }), "nowhere.pem"),
            (json!({ "chain_file": 1 }), "is the path of a file"),
        ] {
            let said = resolved(&json!({ "pem": pem })).unwrap_err();
            assert!(said.contains(reason) && !said.contains("KEY\""), "{said}");
        }
    }
}
