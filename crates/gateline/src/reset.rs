//! `gateline reset-password`: a way back in for whoever has the machine.
//!
//! It works on the database, beside a running control plane or without one, so it needs no sign-in.

use std::io::Write;

use cli::{Exit, Format};
use control::{Control, system_clock};
use domain::invitation::PasswordResetLink;
use serde_json::json;

use crate::arguments::ResetPassword;
use crate::folder;
use crate::serve::{Error, database, database_error, url};
use crate::settings::{self, Settings};

/// Makes a link for a new password and prints it.
pub(crate) fn run(command: &ResetPassword, format: Format) -> Exit {
    let settings = match settings::load(&command.settings.sources()) {
        Ok(loaded) => loaded.settings,
        Err(error) => {
            crate::complain(&error.to_string());
            return Exit::Settings;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let made = match runtime {
        Ok(runtime) => runtime.block_on(make(&settings, &command.email)),
        Err(source) => Err(Error::Runtime { source }),
    };
    match made {
        Ok(link) => say(&command.email, &link, format),
        Err(Error::Control(error)) if matches!(*error, control::Error::Refused { .. }) => {
            crate::complain(&error.to_string());
            Exit::Refused
        }
        Err(error) => {
            crate::complain(&error.explain());
            error.exit()
        }
    }
}

async fn make(settings: &Settings, email: &str) -> Result<PasswordResetLink, Error> {
    // Not taken: a running control plane has the folder, and the database is for several.
    let path = settings.data_dir.canonicalize();
    let data_dir = path.map_err(|source| folder::Error::Unusable {
        path: settings.data_dir.clone(),
        source,
    })?;
    let database = database(settings, &data_dir);
    let listen = url(settings.control.listen);
    let control = Control::attach(control::Settings {
        database: database.clone(),
        data_dir,
        gateway_url: url(settings.gateway.listen),
        control_url: settings.control.public_url.clone().unwrap_or(listen),
        clock: system_clock(),
        lake: None,
        alerts: control::alert::AlertSettings::default(),
        event_ids: control::tracking::IdSettings::default(),
    });
    let control = control.await.map_err(|error| database_error(error, &database))?;
    let made = control.offer_password_reset(email).await;
    control.store().close().await;
    made.map_err(|error| database_error(error, &database))
}

fn say(email: &str, link: &PasswordResetLink, format: Format) -> Exit {
    let text = match format {
        Format::Json => format!(
            "{:#}\n",
            json!({ "url": link.url, "expires_at": link.expires_at })
        ),
        Format::Table => format!(
            "{}\n\nOpen it to choose a new password for {email}. It is good once, until {}; every session of the\naccount \
             ends then.\n",
            link.url, link.expires_at
        ),
    };
    // A reader that has seen enough is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Exit::Done
}
