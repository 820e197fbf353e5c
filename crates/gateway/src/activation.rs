//! Listening sockets that whoever started the process has opened: systemd's socket activation, sd_listen_fds(3).
//!
//! They stay open while the program is replaced, so that nobody is refused meanwhile: who connects waits.

use std::io;

use listenfd::ListenFd;

use crate::Inheritance;
use crate::listen::Sockets;

/// Takes the sockets that were passed to this process (`LISTEN_FDS`); none if there are none.
///
/// To be called before there are threads: it takes what was said about them out of the environment, so that no other
/// process takes it for its own.
///
/// # Errors
/// One of them is no listening socket of TCP.
pub fn activated() -> io::Result<Inheritance> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Sockets::new();
    for index in 0..passed.len() {
        let Some(listener) = passed.take_tcp_listener(index)? else {
            continue;
        };
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        match sockets.iter_mut().find(|(known, _)| *known == address) {
            Some((_, same)) => same.push(listener),
            None => sockets.push((address, vec![listener])),
        }
    }
    Ok(Inheritance::of(sockets))
}
