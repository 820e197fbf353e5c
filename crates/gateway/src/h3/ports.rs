//! Where HTTP/3 is listened for: sockets for datagrams, opened and closed while a node runs.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use crate::listen::{Changed, datagram_socket};
use crate::start::Error;

/// An address that datagrams are taken at, with a socket for each core.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) id: u64,
    pub(crate) address: SocketAddr,
    sockets: Vec<UdpSocket>,
}

impl Port {
    /// The sockets of a core: together the cores have all of them.
    pub(crate) fn sockets_of(&self, core: usize, cores: usize) -> impl Iterator<Item = &UdpSocket> {
        self.sockets.iter().skip(core).step_by(cores.max(1))
    }
}

/// All ports of a node; changed by one thread, followed by every core.
#[derive(Debug)]
pub(crate) struct Ports {
    cores: usize,
    next_id: u64,
    /// Each with the address that was asked for, which may have had port 0.
    open: Vec<(SocketAddr, Arc<Port>)>,
    /// Those that are left, as long as there are connections.
    left: Vec<Weak<Port>>,
    told: watch::Sender<Vec<Arc<Port>>>,
}

impl Ports {
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            cores,
            next_id: 0,
            open: Vec::new(),
            left: Vec::new(),
            told: watch::Sender::default(),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Vec<Arc<Port>>> {
        self.told.subscribe()
    }

    /// The addresses that are open.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.open.iter().map(|(_, port)| port.address)
    }

    /// Whether an address is still taken by connections that end.
    pub(crate) fn is_ending(&self, address: SocketAddr) -> bool {
        let mut left = self.left.iter().filter_map(Weak::upgrade);
        left.any(|port| port.address == address)
    }

    /// Opens and closes what it takes to listen as wanted, and adds it to what has changed; wanted are addresses as they
    /// were asked for, and as they are.
    pub(crate) fn change(&mut self, wanted: &[(SocketAddr, SocketAddr)], changed: &mut Changed) {
        let mut before = std::mem::take(&mut self.open);
        for (asked, address) in wanted {
            let known = before.iter().position(|(known, _)| known == asked);
            let port = match known {
                Some(place) => Ok(before.remove(place).1),
                None => self
                    .listen(*address)
                    .inspect(|port| changed.opened_http3.push(port.address)),
            };
            match port {
                Ok(port) => self.open.push((*asked, port)),
                Err(source) => changed.failed.push(Error::Listen {
                    address: *address,
                    source,
                }),
            }
        }
        changed
            .closed_http3
            .extend(before.iter().map(|(_, port)| port.address));
        self.left.retain(|port| port.strong_count() > 0);
        self.left
            .extend(before.iter().map(|(_, port)| Arc::downgrade(port)));
        let open = self.open.iter().map(|(_, port)| Arc::clone(port));
        self.told.send_replace(open.collect());
    }

    /// One socket per core on the same address; the kernel keeps what comes from one place with one of them.
    fn listen(&mut self, address: SocketAddr) -> io::Result<Arc<Port>> {
        // Another process that listens there would take half of the packets in silence.
        drop(bind(address, false)?);
        let first = bind(address, true)?;
        let address = first.local_addr()?;
        let mut sockets = vec![first];
        while sockets.len() < self.cores {
            sockets.push(bind(address, true)?);
        }
        self.next_id += 1;
        Ok(Arc::new(Port {
            id: self.next_id,
            address,
            sockets,
        }))
    }
}

fn bind(address: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = datagram_socket(address)?;
    socket.set_reuse_port(is_shared)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}
