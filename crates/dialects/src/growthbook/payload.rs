//! What an SDK of GrowthBook is sent: features and what they name.

use serde_json::{Map, Value as Json};

use super::crypt;

/// Fields that may be sent encrypted, each under its name and under `encrypted…`.
const SECRETS: [(&str, &str); 4] = [
    ("features", "encryptedFeatures"),
    ("experiments", "encryptedExperiments"),
    ("savedGroups", "encryptedSavedGroups"),
    ("contextualBandits", "encryptedContextualBandits"),
];

/// Features and what they name, as an SDK is sent them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Payload {
    /// Features by their keys.
    pub features: Map<String, Json>,
    /// Experiments that stand for themselves, as those on pages.
    pub experiments: Vec<Json>,
    /// Lists and conditions that conditions name.
    pub saved_groups: Map<String, Json>,
    /// Weights that depend on who it is.
    pub contextual_bandits: Map<String, Json>,
}

impl Payload {
    /// Takes what is there of a payload; what has another form is taken for nothing, as SDKs do.
    pub fn of(payload: &Json) -> Self {
        let object = |name: &str| payload.get(name).and_then(Json::as_object).cloned();
        Self {
            features: object("features").unwrap_or_default(),
            experiments: payload
                .get("experiments")
                .and_then(Json::as_array)
                .cloned()
                .unwrap_or_default(),
            saved_groups: object("savedGroups").unwrap_or_default(),
            contextual_bandits: object("contextualBandits").unwrap_or_default(),
        }
    }

    /// The payload as an SDK is sent it.
    pub fn to_json(&self) -> Map<String, Json> {
        let mut payload = Map::new();
        payload.insert("features".to_owned(), self.features.clone().into());
        payload.insert("experiments".to_owned(), self.experiments.clone().into());
        payload.insert("savedGroups".to_owned(), self.saved_groups.clone().into());
        if !self.contextual_bandits.is_empty() {
            payload.insert(
                "contextualBandits".to_owned(),
                self.contextual_bandits.clone().into(),
            );
        }
        payload
    }

    /// The payload as an SDK with a key is sent it: what it has is empty, and stands encrypted beside.
    ///
    /// `ivs` are unforeseeable and used once; there is one for each field.
    ///
    /// # Errors
    /// The key is none.
    pub fn to_encrypted_json(
        &self,
        key: &str,
        ivs: [crypt::Iv; 4],
    ) -> Result<Map<String, Json>, crypt::Error> {
        let mut payload = self.to_json();
        for ((name, secret), iv) in SECRETS.into_iter().zip(ivs) {
            let Some(plain) = payload.get_mut(name) else {
                continue;
            };
            let empty = if plain.is_array() {
                Json::Array(Vec::new())
            } else {
                Map::new().into()
            };
            let written = std::mem::replace(plain, empty).to_string();
            payload.insert(secret.to_owned(), crypt::encrypt(&written, key, iv)?.into());
        }
        Ok(payload)
    }
}

/// Puts what was sent encrypted in the place of what it stands for.
///
/// # Errors
/// The key is not the one that it was encrypted with, or what was is no JSON.
pub fn decrypted(payload: &Json, key: &str) -> Result<Json, crypt::Error> {
    let mut payload = payload.clone();
    let Some(fields) = payload.as_object_mut() else {
        return Ok(payload);
    };
    for (name, secret) in SECRETS {
        if let Some(encrypted) = fields.shift_remove(secret) {
            let plain = crypt::decrypt(encrypted.as_str().unwrap_or_default(), key)?;
            let plain = serde_json::from_str(&plain).map_err(|_| crypt::Error::Text)?;
            fields.insert(name.to_owned(), plain);
        }
    }
    Ok(payload)
}
