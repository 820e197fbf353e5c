//! Handing the listening sockets to the next process, so that no connection is refused in between.
//!
//! A node offers its sockets at a path (`handover` in the settings). The next one asks there when it starts, gets the
//! sockets by `SCM_RIGHTS`, listens with them, and says when it serves; only then the one before stops accepting and
//! drains. Connections that wait at a socket meanwhile are served by either of the two: it is the same socket.

use std::fs;
use std::io::{self, BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use domain::id::SubscriptionId;
use events::log::QuotaCount;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::Gateway;
use crate::listen::Sockets;

/// Descriptors in one message; Linux takes 253.
const AT_ONCE: usize = 64;
/// The most sockets that are taken over.
const SOCKETS_MAX: usize = 4096;
/// The most bytes of what is said beside them.
const WORDS_MAX: u64 = 64 * 1024 * 1024;
/// How long each side waits for the other's next word.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the next process says once it serves.
const SERVING: &str = "serving\n";

/// Why sockets could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("handing sockets over at {}", .path.display())]
pub struct Error {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What is said before the sockets, in one line.
#[derive(Debug, Serialize, Deserialize)]
struct Words {
    /// The address and number of sockets of each listener, in the order in which they follow.
    listeners: Vec<(SocketAddr, usize)>,
    /// What was counted for quotas: subscription, beginning of the period, calls.
    counts: Vec<(SubscriptionId, i64, u64)>,
}

/// Listening sockets that were there before this process, and what the one before has said of them; nothing if there
/// were none.
#[derive(Debug, Default)]
pub struct Inheritance {
    pub(crate) sockets: Sockets,
    /// What it had counted for quotas.
    pub counts: Vec<QuotaCount>,
    before: Option<UnixStream>,
}

impl Inheritance {
    /// Asks the process that offers its sockets at a path; nothing if there is none.
    pub fn ask(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error {
            path: path.to_owned(),
            source,
        };
        match UnixStream::connect(path) {
            Ok(stream) => Self::receive(stream).map_err(failed),
            // Nobody there, or one that has ended without tidying up.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(Self::default())
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Sockets that were not opened by a process before.
    pub(crate) fn of(sockets: Sockets) -> Self {
        Self {
            sockets,
            ..Self::default()
        }
    }

    /// The same with further sockets, for addresses that it has none for.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (address, sockets) in other.sockets {
            if self.sockets.iter().all(|(known, _)| *known != address) {
                self.sockets.push((address, sockets));
            }
        }
        self
    }

    /// Whether there was a process before.
    pub const fn is_some(&self) -> bool {
        self.before.is_some()
    }

    /// Tells the process before that it may go.
    pub fn serving(self) -> io::Result<()> {
        match self.before {
            Some(mut stream) => stream.write_all(SERVING.as_bytes()),
            None => Ok(()),
        }
    }

    fn receive(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = Vec::new();
        let mut byte = [0];
        // Byte by byte: what follows the line comes with descriptors, which a longer read would lose.
        while (&stream).read(&mut byte)? == 1 && byte != *b"\n" {
            line.push(byte[0]);
            if line.len() as u64 > WORDS_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let words: Words = serde_json::from_slice(&line)?;
        let wanted: usize = words.listeners.iter().map(|(_, count)| count).sum();
        if wanted > SOCKETS_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut descriptors = Vec::with_capacity(wanted);
        while descriptors.len() < wanted {
            receive_some(&stream, &mut descriptors)?;
        }
        let mut descriptors = descriptors.into_iter();
        let mut sockets = Vec::with_capacity(words.listeners.len());
        for (address, count) in words.listeners {
            let own: Vec<_> = descriptors.by_ref().take(count).map(TcpListener::from).collect();
            sockets.push((address, own));
        }
        let counts = words
            .counts
            .into_iter()
            .map(|(subscription, period_start, count)| QuotaCount {
                subscription,
                period_start,
                count,
            });
        Ok(Self {
            sockets,
            counts: counts.collect(),
            before: Some(stream),
        })
    }
}

/// Offers the sockets of a node at a path; true once the next process serves.
///
/// `counted` tells what was counted for quotas until now. The path is made anew: whoever offered there before has handed over or is gone. Only the same user may ask.
pub fn offer(
    path: &Path,
    gateway: &Arc<Gateway>,
    counted: impl Fn() -> io::Result<Vec<QuotaCount>> + Send + 'static,
) -> Result<watch::Receiver<bool>, Error> {
    let failed = |source| Error {
        path: path.to_owned(),
        source,
    };
    // Bound beside and moved there: at no moment could anybody else connect, or nobody.
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside).map_err(failed)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    let (told, served) = watch::channel(false);
    let gateway = Arc::downgrade(gateway);
    let body = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Some(gateway) = gateway.upgrade() else { return };
            match hand_over(&stream, &gateway, &counted) {
                Ok(()) => {
                    gateway.handed_over();
                    told.send_replace(true);
                    return;
                }
                Err(error) => tracing::warn!(%error, "the next process did not come to serve"),
            }
        }
    };
    thread::Builder::new()
        .name("gateway-handover".to_owned())
        .spawn(body)
        .map_err(failed)?;
    Ok(served)
}

/// Sends the sockets, and waits until the next process serves.
fn hand_over(
    mut stream: &UnixStream,
    gateway: &Gateway,
    counted: impl Fn() -> io::Result<Vec<QuotaCount>>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let doors = gateway.doors();
    let counts = counted()?;
    let words = Words {
        listeners: doors
            .iter()
            .map(|door| (door.address, door.sockets().len()))
            .collect(),
        counts: counts
            .into_iter()
            .map(|count| (count.subscription, count.period_start, count.count))
            .collect(),
    };
    let mut line = serde_json::to_vec(&words)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let sockets: Vec<_> = doors
        .iter()
        .flat_map(|door| door.sockets())
        .map(|socket| socket.as_fd())
        .collect();
    for some in sockets.chunks(AT_ONCE) {
        send_some(stream, some)?;
    }
    let mut word = String::new();
    BufReader::new(stream).take(64).read_line(&mut word)?;
    if word == SERVING {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn send_some(stream: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fits = control.push(SendAncillaryMessage::ScmRights(descriptors));
    debug_assert!(fits, "the buffer is for as many");
    // At least one byte has to go with them.
    sendmsg(stream, &[IoSlice::new(b"+")], &mut control, SendFlags::empty())?;
    Ok(())
}

fn receive_some(stream: &UnixStream, descriptors: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message = recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
    let before = descriptors.len();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            descriptors.extend(some);
        }
    }
    if message.bytes == 0 || descriptors.len() == before {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
