//! Boots the real programs on free ports with temporary folders, and drives them over sockets as users do.
//!
//! One test program for everything that needs more than one crate: what the README promises ([`scripts`]), what
//! survives a crash ([`crash`]), feature flags ([`flags`]) and who asks for them: our SDKs ([`sdks`]) and providers of flagd
//! ([`flagd`]), certificates from an ACME server ([`acme`]), who is told of what must not be ([`alerts`]), what nodes count
//! together ([`together`]), calls over HTTP/3 ([`http3`]), what happens when something is away ([`away`]) or full
//! ([`full`]), when clients are slow ([`slow`]) and networks fail ([`faults`]), what passes unread ([`streams`]), how a node
//! is passed its sockets ([`activated`]), how it is upgraded ([`upgrade`]), and calls that are watched as they come
//! ([`tail`]). Start with [`harness`]. The programs are those next to this test, built first; `GATELINE_PROGRAMS` names
//! another folder.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod acme;
#[cfg(test)]
mod activated;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod away;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod declared;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flagd;
#[cfg(test)]
mod flags;
#[cfg(test)]
mod full;
#[cfg(test)]
mod http3;
#[cfg(test)]
mod lake;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod releases;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod sdks;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tail;
#[cfg(test)]
mod together;
#[cfg(test)]
mod tracked;
#[cfg(test)]
mod upgrade;
