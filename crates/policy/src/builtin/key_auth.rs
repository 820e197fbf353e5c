//! `key_auth`: finds out who calls by an API key.

use domain::{Code, key};
use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::{Call, Consumer};
use crate::kind::{Builtin, Fault};
use crate::verdict::{Refusal, Verdict};
use crate::{Phase, Policy, State};

/// The header that carries the key unless the policy names another one.
pub const HEADER_DEFAULT: &str = "X-API-Key";

/// Where the key is and whether one is needed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The header that carries the key; it is not forwarded.
    #[serde(default = "header_default")]
    #[schemars(length(min = 1, max = 100))]
    pub header: String,
    /// Off: calls without a key pass as well; a key that is sent must still be valid.
    #[serde(default = "yes")]
    pub required: bool,
}

fn header_default() -> String {
    HEADER_DEFAULT.to_owned()
}

const fn yes() -> bool {
    true
}

/// The compiled policy.
#[derive(Debug)]
pub struct KeyAuth {
    header: HeaderName,
    required: bool,
}

impl Builtin for KeyAuth {
    type Config = Config;
    const NAME: &'static str = "key_auth";
    const TITLE: &'static str = "API key";
    const DESCRIPTION: &'static str = "Finds the application by the key in a header and refuses calls without a \
        valid one. Every route has this policy; configure it to choose another header or to open an API.";

    fn build(config: Config, _: Option<&State>) -> Result<Self, Vec<Fault>> {
        let header = config
            .header
            .parse()
            .map_err(|_| vec![Fault::new("/header", "this is not the name of a header")])?;
        Ok(Self {
            header,
            required: config.required,
        })
    }
}

impl Policy for KeyAuth {
    fn phase(&self) -> Phase {
        Phase::Authenticate
    }

    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let Some(value) = call.headers.remove(&self.header) else {
            return if self.required {
                self.missing(call)
            } else {
                Verdict::Continue
            };
        };
        match consumer(call, value.as_bytes()) {
            Ok(consumer) => {
                call.consumer = Some(consumer);
                Verdict::Continue
            }
            // An open API need not be subscribed to.
            Err(refusal) if refusal.code == Code::NotSubscribed && !self.required => Verdict::Continue,
            Err(refusal) => Verdict::Refuse(refusal),
        }
    }
}

impl KeyAuth {
    fn missing(&self, call: &Call<'_, '_>) -> Verdict {
        let detail = format!(
            "Calls of `{}` need a key in the header `{}`.",
            call.place.api_name, self.header
        );
        Refusal::new(Code::KeyMissing, detail).into()
    }
}

fn consumer<'a>(call: &Call<'a, '_>, text: &[u8]) -> Result<Consumer<'a>, Box<Refusal>> {
    // Hashing comes first, so that a key that exists and one that does not take the same time.
    let Some((key, application)) = call.directory.key(&key::hash(text)) else {
        return Err(unknown(call, text));
    };
    let refuse = |code, detail: String| Err(Box::new(Refusal::new(code, detail)));
    if key.is_revoked {
        return refuse(Code::KeyRevoked, format!("{} was revoked.", key.id));
    }
    if let Some(expires_at) = key.expires_at()
        && expires_at <= call.moment.calendar
    {
        return refuse(
            Code::KeyExpired,
            format!("{} was valid until {expires_at}.", key.id),
        );
    }
    use domain::consumer::SubscriptionState;
    let name = &call.place.api_name;
    match call.directory.subscription(application, call.place.version) {
        Some(subscription) if subscription.state == SubscriptionState::Active => Ok(Consumer {
            key: key.id,
            application,
            subscription,
        }),
        Some(subscription) if subscription.state == SubscriptionState::Suspended => refuse(
            Code::SubscriptionSuspended,
            format!(
                "Subscription {} of {} to `{name}` is suspended.",
                subscription.id, application.id
            ),
        ),
        _ => refuse(
            Code::NotSubscribed,
            format!("{} has no subscription to `{name}`.", application.id),
        ),
    }
}

/// Says as much as the text of a key tells without being valid.
fn unknown(call: &Call<'_, '_>, text: &[u8]) -> Box<Refusal> {
    let here = &call.place.environment;
    let refusal = match std::str::from_utf8(text).ok().and_then(key::parse) {
        None => Refusal::new(
            Code::KeyMalformed,
            "The key's form or checksum is wrong, so it was not copied whole.",
        ),
        Some(parts) if parts.environment != here.as_str() => Refusal::new(
            Code::KeyOtherEnvironment,
            format!(
                "The key is for `{}`; this gateway serves `{here}`.",
                parts.environment
            ),
        ),
        Some(_) => Refusal::new(Code::KeyUnknown, format!("No such key is known in `{here}`.")),
    };
    Box::new(refusal)
}

#[cfg(test)]
mod tests;
