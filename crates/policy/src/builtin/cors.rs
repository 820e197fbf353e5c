//! `cors`: lets web pages of other origins call an API.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Answer;
use crate::kind::{Builtin, Fault};
use crate::verdict::Reply;
use crate::{Phase, Policy, State};

const ANY: &str = "*";
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

/// Which pages may call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Origins as `https://app.example.com`, or `*` for all.
    #[schemars(length(min = 1, max = 100))]
    pub origins: Vec<String>,
    /// Request headers that pages may send; those they ask for if empty.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Answer headers that pages may read besides the safe ones.
    #[serde(default)]
    pub expose: Vec<String>,
    /// Pages may send cookies; not together with the origin `*`.
    #[serde(default)]
    pub credentials: bool,
    /// How long a browser may remember the permission, in seconds.
    #[serde(default = "max_age_seconds")]
    #[schemars(range(max = 86_400))]
    pub max_age_seconds: u32,
}

const fn max_age_seconds() -> u32 {
    600
}

/// The compiled policy.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<HeaderValue>,
    any: bool,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

impl Builtin for Cors {
    type Config = Config;
    const NAME: &'static str = "cors";
    const TITLE: &'static str = "CORS";
    const DESCRIPTION: &'static str = "Lets web pages of other origins call the API: answers preflights itself and \
        marks answers, so that browsers hand them to the page. Source: the Fetch standard.";

    fn build(config: Config, _: Option<&State>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        if config.origins.is_empty() {
            faults.push(Fault::new("/origins", "name at least one origin"));
        }
        let any = config.origins.iter().any(|origin| origin == ANY);
        if any && config.credentials {
            faults.push(Fault::new(
                "/credentials",
                "cookies cannot be allowed to every origin; list the origins",
            ));
        }
        if config.max_age_seconds > 86_400 {
            faults.push(Fault::new(
                "/max_age_seconds",
                "browsers keep a permission for a day at most",
            ));
        }
        let mut origins = Vec::new();
        for (index, origin) in config
            .origins
            .iter()
            .enumerate()
            .filter(|(_, origin)| *origin != ANY)
        {
            match HeaderValue::from_str(origin) {
                Ok(value) if is_origin(origin) => origins.push(value),
                _ => faults.push(Fault::new(
                    format!("/origins/{index}"),
                    "an origin is a scheme and a host in lower case, with a port if it is unusual, and no slash at the end",
                )),
            }
        }
        let headers = list(&config.headers, "/headers", &mut faults);
        let expose = list(&config.expose, "/expose", &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let (credentials, max_age) = (config.credentials, HeaderValue::from(config.max_age_seconds));
        Ok(Self {
            origins,
            any,
            headers,
            expose,
            credentials,
            max_age,
        })
    }
}

impl Policy for Cors {
    // Pages must be able to read a refusal, so it is on before the caller is known.
    fn phase(&self) -> Phase {
        Phase::First
    }

    fn response(&self, answer: &mut Answer<'_>) {
        let headers = &mut *answer.headers;
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            headers.remove(name);
        }
        if !self.any {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(allowed) = answer.origin.and_then(|origin| self.allowed(origin)) else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(expose) = &self.expose {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    fn preflight(&self, headers: &HeaderMap, allowed: &str) -> Option<Reply> {
        let origin = headers.get(ORIGIN)?;
        headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let mut answer = HeaderMap::with_capacity(8);
        answer.insert(VARY, PREFLIGHT_VARY);
        if let Some(origin) = self.allowed(origin) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
            if let Ok(methods) = HeaderValue::from_str(allowed) {
                answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
            if let Some(headers) = self.headers.as_ref().or(asked) {
                answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
            }
            if self.credentials {
                answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
        Some(Reply {
            status: StatusCode::NO_CONTENT,
            headers: answer,
        })
    }
}

impl Cors {
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.any {
            Some(HeaderValue::from_static(ANY))
        } else {
            self.origins.iter().find(|known| *known == origin).cloned()
        }
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    !scheme.is_empty()
        && !host.is_empty()
        && !host.contains(['/', '?', '#', '@', ' '])
        && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn list(names: &[String], place: &str, faults: &mut Vec<Fault>) -> Option<HeaderValue> {
    for (index, name) in names.iter().enumerate() {
        if name.parse::<HeaderName>().is_err() {
            faults.push(Fault::new(
                format!("{place}/{index}"),
                "this is not the name of a header",
            ));
        }
    }
    if names.is_empty() {
        return None;
    }
    HeaderValue::from_str(&names.join(", ")).ok()
}
