//! When everything answers, and telling so.

use std::path::Path;
use std::time::{Duration, Instant};

use client::types::TokenRequest;
use client::{Call, Client, Session, Settings, Tokens};
use http::Method;
use serde_json::{Value, json};

use super::{Error, Plane};
use crate::demo::Demo;
use crate::folder::write_private;

/// How long a start may take after which it has failed.
pub(super) const WITHIN: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(20);

/// The first administrator.
#[derive(Clone)]
pub(crate) struct Admin {
    /// The address to sign in with.
    pub(crate) email: String,
    /// The password that was made.
    pub(crate) password: String,
    /// An access token; absent when the password was changed since.
    pub(crate) token: Option<String>,
}

/// Waits until edges answer and, of each of which that is wanted, until it says that it is ready. A gateway alone is
/// not asked that: its control plane may be away.
pub(super) async fn wait(edges: [Option<(&str, bool)>; 2]) -> Result<(), Error> {
    let path = |ready: bool| if ready { "/health/ready" } else { "/health/live" };
    for (url, ready) in edges.into_iter().flatten() {
        wait_for(url, path(ready)).await?;
    }
    Ok(())
}

async fn wait_for(url: &str, path: &str) -> Result<(), Error> {
    let settings = Settings {
        timeout: Duration::from_secs(5),
        ..Settings::new(url)
    };
    let client = Client::new(settings).map_err(|error| silent(url, &error))?;
    let end = Instant::now() + WITHIN;
    loop {
        // Not the typed method: a gateway's health is no part of the control API's document.
        match client.send_nothing(Call::new(Method::GET, path)).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= end => return Err(silent(url, &error)),
            Err(_) => tokio::time::sleep(EVERY).await,
        }
    }
}

fn silent(url: &str, error: &client::Error) -> Error {
    Error::Silent {
        url: url.to_owned(),
        seconds: WITHIN.as_secs(),
        said: error.to_string(),
    }
}

/// Signs the first administrator in, as anybody would; `None` if nobody knows who that is any more.
pub(super) async fn sign_in(plane: &Plane) -> Result<Option<Admin>, Error> {
    let Some(admin) = plane.first_admin()? else {
        return Ok(None);
    };
    let failed = |error| Error::SignIn(Box::new(error));
    let client = Client::new(Settings::new(plane.url())).map_err(failed)?;
    let wanted = TokenRequest {
        username: Some(admin.email.clone()),
        password: Some(admin.password.clone()),
        ..TokenRequest::new("password")
    };
    let token = match client.create_token(&wanted).await {
        // The tokens of a sign-in end after minutes; scripts that read the ready file work for hours.
        Ok(_) => {
            let token = plane.control().script_token(admin.user_id).await;
            Some(token.map_err(|error| Error::Control(Box::new(error)))?)
        }
        // Changed since, as it should be.
        Err(error) if error.problem().is_some_and(|problem| problem.status < 500) => None,
        Err(error) => return Err(failed(error)),
    };
    Ok(Some(Admin {
        email: admin.email,
        password: admin.password,
        token,
    }))
}

/// A client that acts as the administrator.
pub(crate) fn client(url: &str, admin: &Admin) -> Result<Client, client::Error> {
    let tokens = admin.token.clone().map(|access| Tokens {
        access,
        refresh: None,
    });
    Client::new(Settings {
        session: Session::new(tokens),
        ..Settings::new(url)
    })
}

/// What the ready file says.
pub(super) fn report(
    control: Option<&str>,
    gateway: Option<&str>,
    admin: Option<&Admin>,
    demo: Option<&Demo>,
) -> Value {
    let mut report = json!({});
    if let Some(gateway) = gateway {
        report["gateway"] = gateway.into();
    }
    if let Some(control) = control {
        report["control"] = control.into();
    }
    if let Some(admin) = admin {
        report["admin"] = json!({ "email": admin.email, "password": admin.password, "token": admin.token });
    }
    if let Some(demo) = demo {
        report["demo"] = json!({ "api": demo.api, "url": demo.url, "key": demo.key });
    }
    report
}

/// Writes the report in one step: whoever sees the file sees all of it.
pub(super) fn write(path: &Path, report: &Value) -> Result<(), Error> {
    write_private(path, &format!("{report:#}\n")).map_err(|source| Error::ReadyFile {
        path: path.to_owned(),
        source,
    })
}
