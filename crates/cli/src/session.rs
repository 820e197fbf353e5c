//! From flags, environment and the remembered sign-in to a client.

use client::{Client, Session, Settings, Tokens};

use crate::credentials::{self, Credentials};
use crate::{Error, Global};

/// The server that is called when nothing says otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:8081";

/// A client, and the remembered sign-in it came from.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// Tokens that came from the file and must go back there when they were renewed.
    remembered: Option<Tokens>,
}

/// The server to call.
pub(crate) fn url(global: &Global, remembered: Option<&Credentials>) -> String {
    let url = global
        .url
        .clone()
        .or_else(|| remembered.map(|credentials| credentials.url.clone()));
    url.unwrap_or_else(|| URL_DEFAULT.to_owned())
        .trim_end_matches('/')
        .to_owned()
}

/// A client for nobody yet.
pub(crate) fn anonymous(global: &Global, url: &str) -> Result<Client, Error> {
    let settings = Settings {
        organization: global.organization.clone(),
        ..Settings::new(url)
    };
    Ok(Client::new(settings)?)
}

impl Connection {
    /// Who is signed in where; an error if nobody is.
    pub(crate) fn open(global: &Global) -> Result<Self, Error> {
        // With both given there is nothing to remember, and no folder is needed.
        let remembered = match (&global.url, &global.token) {
            (Some(_), Some(_)) => None,
            _ => credentials::read(&credentials::folder()?)?,
        };
        let url = url(global, remembered.as_ref());
        // A remembered token is for the server that gave it, and for no other.
        let remembered = remembered.filter(|credentials| credentials.url == url);
        let given = global.token.clone().map(|access| Tokens {
            access,
            refresh: None,
        });
        let kept = remembered
            .as_ref()
            .filter(|_| given.is_none())
            .map(|credentials| Tokens {
                access: credentials.access_token.clone(),
                refresh: credentials.refresh_token.clone(),
            });
        let Some(tokens) = given.or_else(|| kept.clone()) else {
            return Err(Error::NotSignedIn { url });
        };
        let organization = global.organization.clone();
        let organization =
            organization.or_else(|| remembered.and_then(|credentials| credentials.organization));
        let session = Session::new(Some(tokens));
        let client = Client::new(Settings {
            session,
            organization,
            ..Settings::new(url)
        })?;
        Ok(Self {
            client,
            remembered: kept,
        })
    }

    /// Remembers tokens that were renewed on the way.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let now = self.client.session().tokens();
        if self.remembered.is_none() || now == self.remembered {
            return Ok(());
        }
        let folder = credentials::folder()?;
        if let (Some(tokens), Some(before)) = (now, credentials::read(&folder)?) {
            let renewed = Credentials {
                access_token: tokens.access,
                refresh_token: tokens.refresh,
                ..before
            };
            credentials::write(&folder, &renewed)?;
        }
        Ok(())
    }
}
