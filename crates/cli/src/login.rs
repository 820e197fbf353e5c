//! `gateline login` and `gateline logout`.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use client::{Call, Tokens};
use http::Method;
use serde_json::{Value, json};

use crate::credentials::{self, Credentials};
use crate::output::{Output, text};
use crate::{Error, Exit, Global, session};

/// Who signs in.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Your address; asked for when absent.
    #[arg(long)]
    email: Option<String>,
    /// Read the password from standard input instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) async fn login(arguments: Arguments, global: &Global, output: &Output) -> Result<Exit, Error> {
    let folder = credentials::folder()?;
    let url = session::url(global, credentials::read(&folder).unwrap_or_default().as_ref());
    let client = session::anonymous(global, &url)?;
    // A token that somebody else made is remembered as it is.
    let tokens = match &global.token {
        Some(token) => Tokens {
            access: token.clone(),
            refresh: None,
        },
        None => password_grant(&client, arguments).await?,
    };
    client.session().replace(Some(tokens.clone()));
    let who: Value = client
        .send_json(Call::new(Method::GET, "/api/v1/auth/whoami"))
        .await?;
    let credentials = Credentials {
        url: url.clone(),
        access_token: tokens.access,
        refresh_token: tokens.refresh,
        organization: global.organization.clone(),
    };
    credentials::write(&folder, &credentials)?;
    output.answer(&who, |who| {
        let email = text(who, "/user/email");
        let who = if email.is_empty() {
            "a machine client".to_owned()
        } else {
            email
        };
        format!("signed in at {url} as {who}\n")
    });
    Ok(Exit::Done)
}

async fn password_grant(client: &client::Client, arguments: Arguments) -> Result<Tokens, Error> {
    let failed = |source| Error::Terminal { source };
    let email = match arguments.email {
        Some(email) => email,
        None => {
            let mut stderr = std::io::stderr();
            stderr
                .write_all(b"email: ")
                .and_then(|()| stderr.flush())
                .map_err(failed)?;
            line()?
        }
    };
    let password = if arguments.password_stdin || !std::io::stdin().is_terminal() {
        line()?
    } else {
        rpassword::prompt_password("password: ").map_err(failed)?
    };
    let form = json!({ "grant_type": "password", "username": email, "password": password });
    let answer: Value = client
        .send_json(Call::new(Method::POST, "/api/v1/auth/token").form(&form)?)
        .await?;
    let token = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    let access = token("access_token").ok_or(Error::Answer {
        field: "access_token",
    })?;
    Ok(Tokens {
        access,
        refresh: token("refresh_token"),
    })
}

fn line() -> Result<String, Error> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut text)
        .map_err(|source| Error::Terminal { source })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

pub(crate) async fn logout(global: &Global, output: &Output) -> Result<Exit, Error> {
    let folder = credentials::folder()?;
    if let Some(Credentials {
        url,
        refresh_token: Some(token),
        ..
    }) = credentials::read(&folder)?
    {
        let call = Call::new(Method::POST, "/api/v1/auth/revoke").form(&json!({ "token": token }))?;
        // Forgetting must work with the server away; the refresh token then ends by itself.
        let _ = session::anonymous(global, &url)?.send_nothing(call).await;
    }
    let was = credentials::remove(&folder)?;
    output.note(if was { "signed out" } else { "nobody was signed in" });
    Ok(Exit::Done)
}
