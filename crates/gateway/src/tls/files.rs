//! The node's own certificate: files that may change while it runs.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::shown::{Kit, Shown};
use super::{Error, development};
use crate::settings::{Certificate, ClientCertificates, Settings};

/// How often the files are looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// The files, and how they looked when they were read last.
#[derive(Debug)]
pub(crate) struct Files {
    certificate: Certificate,
    client: Option<ClientCertificates>,
    seen: Vec<Stamp>,
}

/// How a file looks from outside; none if it is not there.
pub(crate) type Stamp = Option<(SystemTime, u64, u64)>;

impl Files {
    /// Those that the settings name; without any, a development certificate in the data directory.
    pub(crate) fn of(settings: &Settings, data: &Path) -> Result<Self, Error> {
        let certificate = match &settings.certificate {
            Some(certificate) => certificate.clone(),
            None => development(&data.join("tls"))?,
        };
        Ok(Self {
            certificate,
            client: settings.client_certificates.clone(),
            seen: Vec::new(),
        })
    }

    /// Reads them.
    pub(crate) fn read(&mut self, kit: &Kit) -> Result<Shown, Error> {
        // Looked at first: what changes while it is read is read again.
        self.seen = self.stamps();
        let in_file = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Content { path, source }
        };
        let chain = pki::chain(&text(&self.certificate.chain)?).map_err(in_file(&self.certificate.chain))?;
        let key = pki::key(&text(&self.certificate.key)?).map_err(in_file(&self.certificate.key))?;
        let pair = pki::pair(chain, key).map_err(in_file(&self.certificate.key))?;
        let Some(client) = &self.client else {
            return kit.show(pair, None);
        };
        let authorities = text(&client.authorities)?;
        pki::authorities(&authorities).map_err(in_file(&client.authorities))?;
        kit.show(pair, Some((client.mode, client.forward, &authorities)))
    }

    /// Whether they look different than when they were read.
    pub(crate) fn have_changed(&self) -> bool {
        self.seen != self.stamps()
    }

    fn stamps(&self) -> Vec<Stamp> {
        let client = self.client.as_ref().map(|client| &client.authorities);
        let paths = [Some(&self.certificate.chain), Some(&self.certificate.key), client];
        paths.into_iter().flatten().map(|path| stamp(path)).collect()
    }
}

/// Looks at a file.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    // Secrets are often swapped by a link: then the file is another one with the same time.
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

fn text(path: &PathBuf) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File {
        path: path.clone(),
        source,
    })
}
