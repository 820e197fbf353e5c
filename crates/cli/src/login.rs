//! `gateline login` and `gateline logout`.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use client::Tokens;
use client::types::{TokenRequest, TokenRevocation};

use crate::credentials::{self, Credentials};
use crate::output::Output;
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
    let who = client.whoami().await?;
    let credentials = Credentials {
        url: url.clone(),
        access_token: tokens.access,
        refresh_token: tokens.refresh,
        organization: global.organization.clone(),
    };
    credentials::write(&folder, &credentials)?;
    output.answer(&who, |who| {
        let who = who.user.as_ref().map_or("a machine client", |user| &user.email);
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
    let wanted = TokenRequest {
        username: Some(email),
        password: Some(password),
        ..TokenRequest::new("password")
    };
    let answer = client.create_token(&wanted).await?;
    Ok(Tokens {
        access: answer.access_token,
        refresh: answer.refresh_token,
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
        let client = session::anonymous(global, &url)?;
        // Forgetting must work with the server away; the refresh token then ends by itself.
        let _ = client.revoke_token(&TokenRevocation::new(token)).await;
    }
    let was = credentials::remove(&folder)?;
    output.note(if was { "signed out" } else { "nobody was signed in" });
    Ok(Exit::Done)
}
