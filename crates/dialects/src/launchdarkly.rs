//! Flags of LaunchDarkly: what its SDKs are sent, and what its REST API exports.
//!
//! **Who is who.** LaunchDarkly knows contexts of several kinds, we know attributes. A user's key is `user_id`, its other
//! attributes have their own names, what is within them a path (`/address/city` is `address.city`). Of other kinds the name
//! begins with the kind: an organization's key is `organization.key`. Where that would make two things one, a flag is refused.
//!
//! **What is assumed.** Attributes are of the kind that conditions speak of: texts, numbers, booleans, or lists of texts;
//! versions have three numbers and no `v`; moments are RFC 3339 or milliseconds; units are texts.
//!
//! Source: the evaluation of LaunchDarkly's SDKs for servers, <https://docs.launchdarkly.com/sdk/concepts/flag-evaluation-rules>.

mod clause;
mod document;
mod export;
mod names;
mod read;

pub use export::read_export;
pub use read::read;

#[cfg(test)]
mod tests;
