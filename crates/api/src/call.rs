//! One call, as handlers see it: who calls, and what they sent, already checked against the declaration.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use control::{Caller, Control, Error};
use domain::Code;
use http::{HeaderMap, HeaderValue, Uri, header};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::auth::Credential;
use crate::endpoint::Endpoint;

/// One call.
#[derive(Clone)]
pub(crate) struct Call {
    /// What the whole server shares.
    pub(crate) app: App,
    /// The endpoint that was called.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Who calls.
    pub(crate) caller: Caller,
    /// What they showed to prove it.
    pub(crate) credential: Credential,
    /// The request's id.
    pub(crate) request_id: Arc<str>,
    /// The address of whoever is at the other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// What was asked for.
    pub(crate) uri: Uri,
    /// The page of another site that may read the answer, once it is known that there is one.
    pub(crate) page: Arc<OnceLock<HeaderValue>>,
    /// The parameters in the path.
    pub(crate) path: Vec<(String, String)>,
    /// The parameters in the query; only those that the endpoint declares, each once.
    pub(crate) query: Vec<(String, String)>,
    /// The headers as they came.
    pub(crate) headers: HeaderMap,
    /// The body; empty if the endpoint takes none.
    pub(crate) body: Bytes,
    /// What the connection adds to the request, as the way to make a WebSocket of it.
    pub(crate) extensions: http::Extensions,
}

impl Call {
    /// The use cases.
    pub(crate) fn control(&self) -> &Control {
        &self.app.control
    }

    /// A part of the path.
    pub(crate) fn path<T>(&self, name: &str) -> Result<T, Error>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.path.iter().find(|(known, _)| known == name);
        let text = text.map_or("", |(_, value)| value);
        text.parse().map_err(|error| invalid(name, &error))
    }

    /// The id in the path.
    pub(crate) fn id<T>(&self) -> Result<T, Error>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.path("id")
    }

    /// A query parameter as it came.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A query parameter, read.
    pub(crate) fn query_as<T>(&self, name: &str) -> Result<Option<T>, Error>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.query(name);
        text.map(str::parse)
            .transpose()
            .map_err(|error| invalid(name, &error))
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The JSON body; what is wrong in it is told with its place.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        control::resource::parse(self.json_value()?)
    }

    /// The JSON body as it came.
    pub(crate) fn json_value(&self) -> Result<serde_json::Value, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let mut field = control::FieldError::new(
                "",
                "json_malformed",
                format!("The body is not JSON: {error}."),
                "Send one JSON value in UTF-8.",
            );
            field.line = u32::try_from(error.line()).unwrap_or(0);
            field.column = u32::try_from(error.column()).unwrap_or(0);
            Error::fields(Code::RequestInvalid, "The body is not JSON.", vec![field])
        })
    }

    /// The revision in `If-Match`; `None` for `*` or when the endpoint does not ask for one.
    pub(crate) fn if_match(&self) -> Result<Option<i64>, Error> {
        match self.header(header::IF_MATCH) {
            None | Some("*") => Ok(None),
            Some(tag) => crate::etag::revision(tag).map(Some),
        }
    }

    /// Whether the client wants the answer later (RFC 7240).
    pub(crate) fn prefers_async(&self) -> bool {
        let prefer = self.header("prefer").unwrap_or_default();
        prefer
            .split([',', ';'])
            .any(|token| token.trim().eq_ignore_ascii_case("respond-async"))
    }
}

/// What a parameter that cannot be read is answered with.
pub(crate) fn invalid(name: &str, why: &dyn std::fmt::Display) -> Error {
    Error::refused(Code::ParameterInvalid, format!("`{name}`: {why}."))
}

impl Call {
    /// What use cases of signing in want to know.
    pub(crate) fn about(&self) -> control::auth::About {
        control::auth::About {
            address: self.peer,
            request_id: Some(self.request_id.clone()),
            organization: self.header(crate::auth::ORGANIZATION).map(str::to_owned),
        }
    }

    /// What of this call stands in its problems.
    pub(crate) fn origin(&self) -> crate::problem::Origin<'_> {
        crate::problem::Origin {
            control_url: &self.app.settings.control_url,
            request_id: &self.request_id,
            path: self.uri.path(),
        }
    }

    /// The same for work that outlives the call.
    pub(crate) fn owned_origin(&self) -> OwnedOrigin {
        OwnedOrigin {
            app: self.app.clone(),
            request_id: self.request_id.clone(),
            uri: self.uri.clone(),
        }
    }

    /// The body as a form (`application/x-www-form-urlencoded`).
    pub(crate) fn form<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let mut fields = serde_json::Map::new();
        for (name, value) in url::form_urlencoded::parse(&self.body) {
            if fields
                .insert(name.clone().into_owned(), value.into_owned().into())
                .is_some()
            {
                let detail = format!("`{name}` stands in the form twice.");
                return Err(Error::field(
                    &format!("/{name}"),
                    "field_twice",
                    &detail,
                    "Send it once.",
                ));
            }
        }
        control::resource::parse(serde_json::Value::Object(fields))
    }
}

/// What of a call stands in problems that are found after it was answered.
pub(crate) struct OwnedOrigin {
    app: App,
    request_id: Arc<str>,
    uri: Uri,
}

impl OwnedOrigin {
    /// The problem that explains an error.
    pub(crate) fn explain(&self, error: &Error) -> crate::problem::Problem {
        let origin = crate::problem::Origin {
            control_url: &self.app.settings.control_url,
            request_id: &self.request_id,
            path: self.uri.path(),
        };
        crate::problem::explain(&origin, error)
    }
}
