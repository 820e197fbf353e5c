//! Why a call got its variant, and how that is told.

use domain::recent::{CallVariant, VariantReason};
use domain::release::SplitBy;
use http::{HeaderMap, HeaderName};

use super::{By, Splitting};
use crate::conditions::cookies;

/// Why a call got its variant; what was hashed is known by its hash only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A header field asked for it.
    ForcedByHeader,
    /// A cookie asked for it.
    ForcedByCookie,
    /// The hash of what callers are told apart by.
    Unit(u32),
    /// The same of the cookie that it was given.
    Given(u32),
    /// The hash of its client's address, as it lacked what callers are told apart by.
    Address(u32),
}

impl Why {
    /// The same as a word.
    pub const fn reason(self) -> VariantReason {
        match self {
            Self::ForcedByHeader => VariantReason::ForcedByHeader,
            Self::ForcedByCookie => VariantReason::ForcedByCookie,
            Self::Unit(_) => VariantReason::Kept,
            Self::Given(_) => VariantReason::CookieGiven,
            Self::Address(_) => VariantReason::UnitMissing,
        }
    }

    const fn hash(self) -> Option<u32> {
        match self {
            Self::ForcedByHeader | Self::ForcedByCookie => None,
            Self::Unit(hash) | Self::Given(hash) | Self::Address(hash) => Some(hash),
        }
    }
}

impl Splitting {
    /// Tells why a call got the variant in this place.
    pub fn tell(&self, variant: usize, why: Why) -> CallVariant {
        let (by, by_name) = match why {
            Why::ForcedByHeader => (None, self.forced_header.as_ref().map(HeaderName::as_str)),
            Why::ForcedByCookie => (None, self.forced_cookie.as_deref()),
            Why::Unit(_) | Why::Given(_) | Why::Address(_) => {
                let (by, name) = self.units.by.said();
                (Some(by), name)
            }
        };
        let bucket = why.hash().map(|hash| self.bucket(hash));
        let range = self.range(variant);
        CallVariant {
            name: self.names[variant],
            reason: why.reason(),
            why: self.words(variant, why, bucket),
            by,
            by_name: by_name.map(str::to_owned),
            bucket,
            buckets: self.buckets(),
            buckets_from: range.start,
            buckets_until: range.end,
            details: Vec::new(),
        }
    }

    /// Tells what of a head did not lead to a variant, and how many of all buckets each variant has.
    pub fn details(&self, headers: &HeaderMap) -> Vec<String> {
        let is_name = |value: &[u8]| self.names.iter().any(|name| name.as_str().as_bytes() == value);
        let mut details = Vec::new();
        if let Some(name) = &self.forced_header
            && headers.get(name).is_some_and(|value| !is_name(value.as_bytes()))
        {
            details.push(format!("the header `{name}` names no variant"));
        }
        if let Some(name) = &self.forced_cookie
            && cookies(headers, name).next().is_some()
            && !cookies(headers, name).any(is_name)
        {
            details.push(format!("the cookie `{name}` names no variant"));
        }
        let shares = self.names.iter().zip(&self.weights);
        details.extend(shares.map(|(name, weight)| {
            let all = self.buckets();
            format!("`{name}` has {weight} of {all} buckets")
        }));
        details
    }

    fn words(&self, variant: usize, why: Why, bucket: Option<u32>) -> String {
        let unit = match self.units.by.said() {
            (SplitBy::Application, _) => "the application".to_owned(),
            (SplitBy::Subscription, _) => "the subscription".to_owned(),
            (SplitBy::Header, name) => format!("the header `{}`", name.unwrap_or_default()),
            (SplitBy::Cookie, name) => format!("the cookie `{}`", name.unwrap_or_default()),
            (SplitBy::ClientAddress, _) => "the client's address".to_owned(),
        };
        let said = match why {
            Why::ForcedByHeader => {
                let name = self.forced_header.as_ref().map_or("", HeaderName::as_str);
                return format!("The header `{name}` asked for it.");
            }
            Why::ForcedByCookie => {
                let name = self.forced_cookie.as_deref().unwrap_or_default();
                return format!("The cookie `{name}` asked for it.");
            }
            Why::Unit(_) => format!("Callers are told apart by {unit}."),
            Why::Given(_) => format!("The call lacked {unit}, so it was given one."),
            Why::Address(_) => {
                format!("The call lacked {unit}, so its client's address stands in.")
            }
        };
        let range = self.range(variant);
        format!(
            "{said} It falls on bucket {} of {}; those from {} to {} are the variant's.",
            bucket.unwrap_or_default(),
            self.buckets(),
            range.start,
            range.end.saturating_sub(1)
        )
    }

    /// All weights together.
    fn buckets(&self) -> u32 {
        self.weights.iter().sum()
    }

    /// The number that a hash falls on.
    fn bucket(&self, hash: u32) -> u32 {
        let bucket = (u64::from(hash) * u64::from(self.buckets())) >> 32;
        u32::try_from(bucket).expect("less than all weights together")
    }

    /// The buckets of a variant.
    fn range(&self, variant: usize) -> std::ops::Range<u32> {
        let start = self.weights[..variant].iter().sum();
        start..start + self.weights[variant]
    }
}

impl By {
    /// As it was configured.
    fn said(&self) -> (SplitBy, Option<&str>) {
        match self {
            Self::Application => (SplitBy::Application, None),
            Self::Subscription => (SplitBy::Subscription, None),
            Self::Header(name) => (SplitBy::Header, Some(name.as_str())),
            Self::Cookie(name) => (SplitBy::Cookie, Some(name)),
            Self::ClientAddress => (SplitBy::ClientAddress, None),
        }
    }
}
