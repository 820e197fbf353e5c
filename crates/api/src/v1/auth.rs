//! Tokens for programs (OAuth2), and who is signed in.
//!
//! The token endpoints keep to the form that OAuth2 libraries expect of errors (RFC 6749 §5.2): our problem with
//! `error` and `error_description` beside its own members.

use axum::response::Response;
use control::Error;
use control::auth::Grant;
use domain::Code;
use domain::session::{Identity, Tokens};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer;
use crate::call::Call;
use crate::endpoint::{Access, Endpoint};
use crate::problem;

const FORM: &str = "application/x-www-form-urlencoded";

/// `create_token`, `revoke_token`, `whoami`, `read_jwks`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![create(), revoke(), whoami(), jwks()]
}

/// What is offered for an access token.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct TokenRequest {
    /// `password`, `refresh_token` or `client_credentials`.
    #[schema(required)]
    grant_type: String,
    /// The e-mail address, for `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The password, for `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// The refresh token, for `refresh_token`; each can be used once.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The client's id, for `client_credentials`; `Authorization: Basic` is taken too.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The client's secret, for `client_credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Taken and not looked at: what may be done follows from the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// The token to end.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenRevocation {
    /// A refresh token or an access token.
    token: String,
    /// Which of the two it is; taken and not looked at, because it can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_type_hint: Option<String>,
}

fn create() -> Endpoint {
    let example = TokenRequest {
        grant_type: "password".to_owned(),
        username: Some("admin@example.com".to_owned()),
        password: Some("correct horse battery staple".to_owned()),
        ..TokenRequest::default()
    };
    Endpoint::post("/api/v1/auth/token", "create_token")
        .tag("auth")
        .says(
            "Get an access token",
            "OAuth2 (RFC 6749) with the grants `password`, `refresh_token` and `client_credentials`. The access token is \
             valid for `expires_in` seconds; a refresh token can be used once and is answered with the next one. Errors \
             have the members of RFC 6749 §5.2 beside those of a problem.",
        )
        .access(Access::Open)
        .not_idempotent()
        .body(&example)
        .body_as(|body| body.types = &[FORM])
        .answers::<Tokens>(200, "The tokens.")
        .refuses(&[Code::CredentialsInvalid, Code::SignInDelayed, Code::StoreUnavailable])
        .to(|call| async move {
            let tokens = match grant(&call) {
                Ok(grant) => call.control().grant(&grant, &call.about()).await,
                Err(error) => Err(error),
            };
            match tokens {
                Ok(tokens) => answer::json(StatusCode::OK, &tokens),
                Err(error) => Ok(oauth_error(&call, &error)),
            }
        })
}

fn revoke() -> Endpoint {
    let example = TokenRevocation {
        token: "glr_…".to_owned(),
        token_type_hint: None,
    };
    Endpoint::post("/api/v1/auth/revoke", "revoke_token")
        .tag("auth")
        .says(
            "End a token",
            "Ends the sign-in that the token belongs to, with all its tokens (RFC 7009). A token that means nothing is no \
             error.",
        )
        .access(Access::Open)
        .not_idempotent()
        .body(&example)
        .body_as(|body| body.types = &[FORM])
        .answers_with(200, "It is ended.", Vec::new())
        .refuses(&[Code::StoreUnavailable])
        .to(|call| async move {
            let body: TokenRevocation = call.form()?;
            call.control().revoke(&body.token, &call.about()).await?;
            answer::json(StatusCode::OK, &json!({}))
        })
}

fn whoami() -> Endpoint {
    Endpoint::get("/api/v1/auth/whoami", "whoami")
        .tag("auth")
        .says(
            "Read who is signed in",
            "With the organizations to choose from, and the one that this call is about.",
        )
        .answers::<Identity>(200, "Who it is.")
        .to(|call| async move { answer::json(StatusCode::OK, &call.control().whoami(&call.caller).await?) })
}

fn jwks() -> Endpoint {
    let schema = json!({ "type": "object", "description": "A JSON Web Key Set.", "required": ["keys"],
        "properties": { "keys": { "type": "array", "items": { "type": "object" } } } });
    Endpoint::get("/.well-known/jwks.json", "read_jwks")
        .tag("auth")
        .says(
            "Read the public keys of access tokens",
            "A JSON Web Key Set (RFC 7517); the tokens are signed with EdDSA.",
        )
        .access(Access::Open)
        .answers_with(200, "The keys.", vec![("application/json", schema)])
        .to(|call| async move { answer::json(StatusCode::OK, &call.control().jwks()?) })
}

/// Reads what is offered.
fn grant(call: &Call) -> Result<Grant, Error> {
    let body: TokenRequest = call.form()?;
    let wanted = |value: Option<String>, name: &str| {
        value.ok_or_else(|| {
            let detail = format!("`{name}` is needed for the grant `{}`.", body.grant_type);
            Error::field(
                &format!("/{name}"),
                "field_missing",
                &detail,
                "Add it to the form.",
            )
        })
    };
    match body.grant_type.as_str() {
        "password" => Ok(Grant::Password {
            username: wanted(body.username.clone(), "username")?,
            password: wanted(body.password.clone(), "password")?,
        }),
        "refresh_token" => Ok(Grant::RefreshToken {
            refresh_token: wanted(body.refresh_token.clone(), "refresh_token")?,
        }),
        "client_credentials" => {
            let (id, secret) = match crate::auth::basic(&call.headers) {
                Some((id, secret)) => (Some(id), Some(secret)),
                None => (body.client_id.clone(), body.client_secret.clone()),
            };
            Ok(Grant::ClientCredentials {
                client_id: wanted(id, "client_id")?,
                client_secret: wanted(secret, "client_secret")?,
            })
        }
        other => {
            let detail = format!("The grant `{other}` is not known.");
            let advice = "Use `password`, `refresh_token` or `client_credentials`.";
            Err(Error::field("/grant_type", "grant_unknown", &detail, advice))
        }
    }
}

/// A problem that OAuth2 libraries understand. Wrong credentials of a person are 400 `invalid_grant` there, wrong
/// ones of a client 401 `invalid_client`; nothing in the other members differs from our problems.
fn oauth_error(call: &Call, error: &Error) -> Response {
    let is_client = call
        .form::<TokenRequest>()
        .is_ok_and(|body| body.grant_type == "client_credentials");
    let unknown_grant = matches!(error, Error::Refused { errors, .. }
        if errors.iter().any(|error| error.code == "grant_unknown"));
    let (name, status) = match error.code() {
        _ if unknown_grant => ("unsupported_grant_type", StatusCode::BAD_REQUEST),
        Code::CredentialsInvalid if is_client => ("invalid_client", StatusCode::UNAUTHORIZED),
        Code::CredentialsInvalid | Code::TokenInvalid | Code::TokenExpired => {
            ("invalid_grant", StatusCode::BAD_REQUEST)
        }
        Code::StoreUnavailable | Code::SignInDelayed => {
            return with_members(call, error, "temporarily_unavailable", None);
        }
        Code::Internal => return with_members(call, error, "server_error", None),
        _ => ("invalid_request", StatusCode::BAD_REQUEST),
    };
    with_members(call, error, name, Some(status))
}

fn with_members(call: &Call, error: &Error, name: &str, status: Option<StatusCode>) -> Response {
    let problem = problem::explain(&call.origin(), error);
    let mut body = serde_json::to_value(&problem).unwrap_or_default();
    body["error"] = json!(name);
    body["error_description"] = json!(problem.detail);
    let mut response = problem::answer(&call.origin(), error);
    if let Some(status) = status {
        *response.status_mut() = status;
        body["status"] = json!(status.as_u16());
    }
    if response.status() != StatusCode::UNAUTHORIZED {
        response.headers_mut().remove(header::WWW_AUTHENTICATE);
    }
    replace_body(response, &body)
}

fn replace_body(response: Response, body: &Value) -> Response {
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, axum::body::Body::from(body.to_string()))
}
