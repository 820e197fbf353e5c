//! Signing in, up and out on the web.

use axum::response::Response;
use control::Error;
use control::auth::WebSignIn;
use domain::Code;
use domain::session::{SignIn, SignUp, WebSession};
use http::{HeaderValue, StatusCode, header};

use crate::answer;
use crate::auth::{self, Credential};
use crate::call::Call;
use crate::endpoint::{Access, Endpoint};

/// `create_session`, `read_session`, `delete_session`, `sign_up`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![create(), read(), delete(), sign_up()]
}

fn create() -> Endpoint {
    let example = SignIn {
        email: "admin@example.com".to_owned(),
        password: "correct horse battery staple".to_owned(),
    };
    Endpoint::post("/api/v1/auth/sessions", "create_session")
        .tag("auth")
        .says(
            "Sign in on the web",
            "Sets the session's cookie, which scripts cannot read. Send `csrf_token` as `X-CSRF-Token` with every request \
             that changes something.",
        )
        .access(Access::Open)
        .not_idempotent()
        .body(&example)
        .answers::<WebSession>(201, "Signed in.")
        .with_headers(&["Set-Cookie"])
        .refuses(&[Code::CredentialsInvalid, Code::SignInDelayed, Code::CsrfRejected, Code::StoreUnavailable])
        .to(|call| async move {
            auth::from_our_pages(&call.app, &call.headers)?;
            let body: SignIn = call.json()?;
            let signed_in = call.control().sign_in(&body.email, &body.password, &call.about()).await?;
            answer_signed_in(&call, &signed_in)
        })
}

fn sign_up() -> Endpoint {
    let example = SignUp {
        email: "dana@example.com".to_owned(),
        password: "correct horse battery staple".to_owned(),
        name: "Dana".to_owned(),
        organization_title: Some("Dana's apps".to_owned()),
    };
    Endpoint::post("/api/v1/auth/sign-up", "sign_up")
        .tag("auth")
        .says(
            "Sign up on the web",
            "Makes an account and an organization of which it is the owner, and signs in as `create_session` does. Trying \
             addresses that have an account is slowed down like trying passwords.",
        )
        .access(Access::Open)
        .not_idempotent()
        .body(&example)
        .answers::<WebSession>(201, "Signed up and in.")
        .with_headers(&["Set-Cookie"])
        .refuses(&[Code::NameTaken, Code::SignInDelayed, Code::CsrfRejected, Code::StoreUnavailable, Code::StorageFull])
        .to(|call| async move {
            auth::from_our_pages(&call.app, &call.headers)?;
            let body: SignUp = call.json()?;
            let (_, signed_in) = call.control().sign_up(&body, &call.about()).await?;
            answer_signed_in(&call, &signed_in)
        })
}

fn read() -> Endpoint {
    Endpoint::get("/api/v1/auth/sessions/current", "read_session")
        .tag("auth")
        .says(
            "Read the web session",
            "As at sign-in; a page asks for it when it is loaded.",
        )
        .answers::<WebSession>(200, "The session.")
        .to(|call| async move {
            let session = call.control().read_session(cookie(&call)?).await?;
            answer::json(StatusCode::OK, &session)
        })
}

fn delete() -> Endpoint {
    Endpoint::delete("/api/v1/auth/sessions/current", "delete_session")
        .tag("auth")
        .says("Sign out on the web", "Ends the session and removes its cookie.")
        .without_precondition()
        .answers_with(204, "Signed out.", Vec::new())
        .with_headers(&["Set-Cookie"])
        .to(|call| async move {
            call.control().sign_out(cookie(&call)?, &call.about()).await?;
            let mut response = answer::nothing();
            set_cookie(&call, &mut response, "", 0)?;
            Ok(response)
        })
}

/// The cookie of the web session; who came with a token has none.
fn cookie(call: &Call) -> Result<&str, Error> {
    match &call.credential {
        Credential::Cookie(cookie) => Ok(cookie),
        Credential::None | Credential::Bearer => Err(Error::refused(
            Code::AuthenticationRequired,
            "There is no web session: the request came without its cookie.",
        )),
    }
}

/// Answers somebody who is signed in now: the session, with its cookie.
pub(super) fn answer_signed_in(call: &Call, signed_in: &WebSignIn) -> Result<Response, Error> {
    let mut response = answer::json(StatusCode::CREATED, &signed_in.session)?;
    set_cookie(call, &mut response, &signed_in.cookie, signed_in.max_age)?;
    Ok(response)
}

fn set_cookie(call: &Call, response: &mut Response, value: &str, max_age: u64) -> Result<(), Error> {
    let secure = if call.app.settings.is_secure() {
        "; Secure"
    } else {
        ""
    };
    let text = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}",
        auth::COOKIE
    );
    let text = HeaderValue::try_from(text).map_err(|error| Error::internal("writing a cookie", error))?;
    response.headers_mut().insert(header::SET_COOKIE, text);
    Ok(())
}
