//! What the reading and the serving side of a client's connection know of each other.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Uri};

use crate::core::Core;
use crate::deadline::Deadline;
use crate::framing::Violation;
use crate::listen::Leaving;
use crate::named::Named;
use crate::pool::Pool;
use crate::proxies;
use crate::proxy_protocol::Ends;
use crate::refusal::Cause;
use crate::tls::{Asks, ClientCertificate, Shelf};

/// How long a connection without a request stays once its listener is left.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Conn {
    core: Rc<Core>,
    /// Who opened it and to what, as far as we believe.
    pub(crate) ends: Ends,
    /// The client's.
    pub(crate) address: IpAddr,
    pub(crate) is_tls: bool,
    leaving: Rc<Leaving>,
    had_last_chance: Cell<bool>,
    /// Whether a trusted proxy is at the other end.
    pub(crate) is_trusted: bool,
    /// The address as `X-Forwarded-For` says it.
    pub(crate) address_header: HeaderValue,
    in_flight: Cell<u32>,
    violation: Cell<Option<Violation>>,
    /// Fires when a head does not arrive in time, or no request at all.
    pub(crate) deadline: Deadline,
    /// Fires when the client does not take what is written.
    pub(crate) taking: Deadline,
    is_in_head: Cell<bool>,
    /// What the client was asked for when its TLS began.
    asked: OnceCell<Option<Arc<Asks>>>,
    client_certificate: OnceCell<ClientCertificate>,
    /// Interim answers (1xx) that are not written yet; only HTTP/1.1 has them here.
    pub(crate) interim: RefCell<BytesMut>,
    /// Connections to upstreams that nobody else may have.
    pools: RefCell<Vec<Rc<Pool>>>,
    /// The host that the last request named.
    named: RefCell<Option<Rc<Named>>>,
}

impl Conn {
    pub(crate) fn new(core: &Rc<Core>, ends: Ends, is_tls: bool, leaving: Rc<Leaving>) -> Rc<Self> {
        let address = ends.source.ip().to_canonical();
        // After a pause, the core's clock has stood still.
        core.clock.renew();
        let deadline = core.deadlines.deadline();
        deadline.arm(core.settings.limits.head());
        let mut trusted = core.settings.trusted_proxies.iter();
        Rc::new(Self {
            core: Rc::clone(core),
            ends,
            address,
            is_tls,
            leaving,
            had_last_chance: Cell::new(false),
            is_trusted: trusted.any(|network| network.contains(address)),
            address_header: HeaderValue::from_str(&address.to_string()).expect("an address is visible ASCII"),
            in_flight: Cell::new(0),
            violation: Cell::new(None),
            deadline,
            taking: core.deadlines.deadline(),
            is_in_head: Cell::new(false),
            asked: OnceCell::new(),
            client_certificate: OnceCell::new(),
            interim: RefCell::default(),
            pools: RefCell::default(),
            named: RefCell::default(),
        })
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Where a request came from: the other end, or whom a trusted proxy there speaks for.
    pub(crate) fn client(&self, headers: &HeaderMap) -> IpAddr {
        if !self.is_trusted {
            return self.address;
        }
        let settings = &self.core.settings;
        proxies::client(
            self.address,
            &settings.trusted_proxies,
            settings.trusted_header,
            headers,
        )
    }

    pub(crate) const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// Whether the listener it came by is left: requests under way are finished, and then it ends.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_left()
    }

    /// Where the same is served over HTTP/3, as `Alt-Svc` says it (RFC 7838); nothing if nowhere.
    pub(crate) fn alt_svc(&self) -> Option<&HeaderValue> {
        self.leaving.alt_svc.as_ref()
    }

    /// Whether it came by a place where only questions about flags are answered.
    pub(crate) fn is_for_flags(&self) -> bool {
        self.leaving.flagd.is_some()
    }

    /// The SDK key of those who came by such a place without one.
    pub(crate) fn flagd_key(&self) -> Option<&str> {
        self.leaving.flagd.as_ref()?.key()
    }

    /// Waits until the listener is left and what the client may have sent before it knew has had time to arrive.
    pub(crate) async fn last_chance(&self) {
        self.leaving.left().await;
        tokio::time::sleep(LAST_CHANCE).await;
    }

    /// Ends the connection soon, but not at once: a request that its client has sent before it knew is answered.
    pub(crate) fn give_last_chance(&self) {
        if !self.had_last_chance.replace(true) {
            self.deadline.arm(LAST_CHANCE);
        }
    }

    /// Notes how TLS began.
    pub(crate) fn shaken(&self, asked: Option<Arc<Asks>>, certificate: Option<ClientCertificate>) {
        let _ = self.asked.set(asked);
        if let Some(certificate) = certificate {
            let _ = self.client_certificate.set(certificate);
        }
    }

    /// The certificate that the client has shown; checked against the authorities that it was asked for.
    pub(crate) fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.get()
    }

    /// Wants the connection to have been opened with what the host asks of clients.
    ///
    /// A client names the host twice, in TLS and in each request; without this check the second could be one that
    /// asks for another certificate, or for one at all.
    pub(crate) fn check_asked(&self, shelf: &Shelf, host: &str) -> Result<(), Cause> {
        if !self.is_tls {
            let is_open = !shelf.requires(host);
            return is_open.then_some(()).ok_or(Cause::Misdirected);
        }
        let own = self.core.own_certificate();
        let wanted = match shelf.asked(host) {
            Some(wanted) => wanted,
            None => own.as_ref().and_then(|own| own.asks.as_ref()),
        };
        if self.asked.get().and_then(Option::as_ref) == wanted {
            return Ok(());
        }
        // While the host's own certificate is away, a connection of its own would not be asked for the same either.
        let is_open = self.client_certificate().is_none() && shelf.is_optional_and_unshown(host);
        is_open.then_some(()).ok_or(Cause::Misdirected)
    }

    /// Where a call of this connection finds connections to an endpoint: its own pool, if they may not be shared.
    pub(crate) fn pool(&self, pool: &Rc<Pool>) -> Rc<Pool> {
        if pool.is_personal() {
            pool.of_client(self.ends, &self.pools)
        } else {
            Rc::clone(pool)
        }
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.violation.get()
    }

    pub(crate) fn violate(&self, violation: Violation) {
        self.violation.set(Some(violation));
    }

    /// Whether no request is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.get() == 0
    }

    /// Whether the beginning of a head is there, but not its end.
    pub(crate) fn is_in_head(&self) -> bool {
        self.is_in_head.get()
    }

    /// The first bytes of a head arrived without the last ones.
    pub(crate) fn head_begun(&self) {
        if !self.is_in_head.replace(true) {
            self.deadline.arm(self.core.settings.limits.head());
        }
    }

    pub(crate) fn head_ended(&self) {
        self.is_in_head.set(false);
        self.deadline.disarm();
    }

    fn request_begun(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.deadline.disarm();
    }

    fn request_ended(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
        if self.is_idle() && !self.is_in_head.get() {
            self.deadline.arm(self.core.settings.limits.keep_alive());
        }
    }

    /// The host that a request names.
    pub(crate) fn named(&self, uri: &Uri, headers: &HeaderMap) -> Result<Rc<Named>, Cause> {
        if let Some(known) = &*self.named.borrow()
            && known.fits(uri, headers)
        {
            return Ok(Rc::clone(known));
        }
        let address = (self.address, &self.address_header);
        let named = Rc::new(Named::read((uri, headers), address, self.scheme())?);
        *self.named.borrow_mut() = Some(Rc::clone(&named));
        Ok(named)
    }
}

/// A request under way on a connection.
#[derive(Debug)]
pub(crate) struct Open(Rc<Conn>);

impl Open {
    pub(crate) fn new(conn: &Rc<Conn>) -> Self {
        conn.request_begun();
        Self(Rc::clone(conn))
    }

    pub(crate) const fn conn(&self) -> &Rc<Conn> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}
