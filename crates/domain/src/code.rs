//! The catalogue of error codes: one row per situation, for both edges.
//!
//! A code is stable: it may be matched by programs. Its page is `/docs/errors/<code>`, made from this table, as
//! is `spec/errors.json`. The status stands here so that it cannot differ between edges; the two functions
//! that turn causes into answers (`api::problem`, `gateway::refusal`) only look it up.

/// One row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Entry {
    /// The stable name.
    pub code: &'static str,
    /// HTTP status of the answer.
    pub status: u16,
    /// What happened, in a few words.
    pub title: &'static str,
    /// What to do about it.
    pub suggestion: &'static str,
}

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $title:literal, $suggestion:literal;)*) => {
        /// What went wrong, as a stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code's row in the catalogue.
            pub const fn entry(self) -> Entry {
                match self {
                    $(Self::$variant => Entry { code: $code, status: $status, title: $title, suggestion: $suggestion },)*
                }
            }
        }
    };
}

codes! {
    // What the caller sent.
    RequestInvalid = "request_invalid", 400, "The request is not valid",
        "Mend what `errors` lists; each entry points to its place in the body.";
    ParameterUnknown = "parameter_unknown", 400, "A query parameter is unknown",
        "Remove the parameter or correct its name; the operation's reference lists the ones it takes.";
    ParameterInvalid = "parameter_invalid", 400, "A query or path parameter is not valid",
        "Correct the parameter that `detail` names.";
    CursorInvalid = "cursor_invalid", 400, "The cursor is not valid",
        "Pass `next_cursor` of the page before unchanged, with the same filters, or start without a cursor.";
    ContractInvalid = "contract_invalid", 400, "The contract cannot be imported",
        "Mend what `errors` lists; each entry has a JSON Pointer and a line. Nothing was stored.";
    ContractTooLarge = "contract_too_large", 413, "The contract is over a limit",
        "`detail` names the limit. Split the document or remove what is not needed.";
    QueryInvalid = "query_invalid", 400, "The query cannot be answered",
        "Mend what `errors` tells; its `code` is the kind of reason and `line` and `column` are the place in the statement.";
    QueryStopped = "query_stopped", 422, "The query needs too much and was stopped",
        "Ask about fewer days (`WHERE date = …`), for fewer groups, or without sorting; `errors` tells what there was too much of.";
    BodyTooLarge = "body_too_large", 413, "The body is too large",
        "Send less; `detail` names the limit.";
    HeadersTooLarge = "headers_too_large", 431, "The request's head is too large",
        "Send fewer or shorter header fields, or a shorter URL.";
    MediaTypeUnsupported = "media_type_unsupported", 415, "The content type is not supported",
        "Send `application/json`, or what the operation's reference names.";
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here",
        "Use one of the methods in `Allow`.";
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The idempotency key was used for another request",
        "Use a new `Idempotency-Key` for every different request.";
    IdempotencyInFlight = "idempotency_in_flight", 409, "The same request is still under way",
        "Wait as long as `Retry-After` says and send it again with the same key.";
    PreconditionFailed = "precondition_failed", 412, "The resource was changed by somebody else",
        "Read it again, apply your change to what you read, and send it with the new `ETag`.";
    PreconditionRequired = "precondition_required", 428, "`If-Match` is required",
        "Read the resource and send its `ETag` in `If-Match`.";

    // Who the caller is.
    AuthenticationRequired = "authentication_required", 401, "Sign in first",
        "Send `Authorization: Bearer <token>`; `POST /api/v1/auth/token` gives one.";
    TokenInvalid = "token_invalid", 401, "The access token is not valid",
        "Get a new one from `POST /api/v1/auth/token`.";
    TokenExpired = "token_expired", 401, "The access token has expired",
        "Get a new one with your refresh token, or sign in again.";
    CredentialsInvalid = "credentials_invalid", 401, "Name or password is wrong",
        "Check both. After several wrong attempts each further one has to wait.";
    SignInDelayed = "sign_in_delayed", 429, "Too many failed sign-ins",
        "Wait as long as `Retry-After` says.";
    CsrfRejected = "csrf_rejected", 403, "The request did not come from our pages",
        "Send the `X-CSRF-Token` that belongs to the session, or use a bearer token.";
    LinkInvalid = "link_invalid", 410, "The link is not valid any more",
        "It was used, replaced or withdrawn, has expired, or was not copied whole. Ask whoever gave it to you for a new one.";
    InvitationNeedsSignIn = "invitation_needs_sign_in", 401, "Sign in to accept the invitation",
        "There is an account with the invited address: sign in with it, then accept the invitation.";
    InvitationOfAnother = "invitation_of_another", 403, "The invitation is for somebody else",
        "Sign out, and sign in with the account of the invited address.";
    PermissionDenied = "permission_denied", 403, "You may see this but not change it",
        "Ask an admin of the organization for a role that may; `detail` names it.";

    // What is there.
    NotFound = "not_found", 404, "There is no such thing",
        "Check the id and the organization. What you may not see is answered the same way.";
    Conflict = "conflict", 409, "It does not fit what is there",
        "`detail` says what is in the way.";
    NameTaken = "name_taken", 409, "The name is taken",
        "Choose another name, or change the resource that has it.";
    HostTaken = "host_taken", 409, "Somebody else has the host",
        "Choose another host, or remove it from what `detail` names.";
    CertificateInvalid = "certificate_invalid", 400, "The certificate cannot be used",
        "Mend what `errors` lists.";
    RouteTaken = "route_taken", 409, "Another route answers there",
        "Choose another host or base path; `detail` names the route in the way.";
    RouteUnreachable = "route_unreachable", 409, "A route would never be reached",
        "Give one of the two routes another priority, or the one that takes everything a condition; `detail` names both.";
    InUse = "in_use", 409, "It is still in use",
        "Remove what uses it first; `detail` names it.";
    EnvironmentProtected = "environment_protected", 403, "The environment is protected",
        "Propose the change: `POST /api/v1/feature-flags/{id}/change-requests`. Somebody else approves it, then it is applied. \
         Turning a flag off (`enabled: false` and nothing else) needs no approval.";
    OwnChange = "own_change", 403, "Nobody approves their own change",
        "Ask somebody else who may approve changes of flags.";
    NotAuthor = "not_author", 403, "It is somebody else's",
        "Ask its author. Administrators remove comments of others, and who may approve a change may reject it.";
    ChangeOutdated = "change_outdated", 409, "The flag was changed where the proposed change is",
        "Look at the flag as it is now, and propose the change anew; `detail` names the places.";
    KeyLimitReached = "key_limit_reached", 409, "The application has as many keys as its plan allows",
        "Revoke a key that is not used any more, or choose a plan with more.";
    PolicyInvalid = "policy_invalid", 400, "The policy's configuration is not valid",
        "Mend what `errors` lists; `GET /api/v1/policies/kinds` has each policy's schema.";

    // Keys and plans, answered by the gateway.
    KeyMissing = "key_missing", 401, "An API key is needed",
        "Send your key in the `X-API-Key` header. The portal makes one in a minute.";
    KeyUnknown = "key_unknown", 401, "The API key is not known",
        "Check that it was copied whole. A new key is known within a second.";
    KeyMalformed = "key_malformed", 401, "This is not an API key of Gateline",
        "A key looks like `gl_<environment>_<id>_<secret>`; its checksum says whether it was copied whole.";
    KeyRevoked = "key_revoked", 401, "The API key was revoked",
        "Use the key that replaced it, or make a new one in the portal.";
    KeyExpired = "key_expired", 401, "The API key has expired",
        "Make a new one in the portal.";
    KeyOtherEnvironment = "key_other_environment", 401, "The API key belongs to another environment",
        "Use a key of the environment that `detail` names, or call the gateway of the key's environment.";
    NotSubscribed = "not_subscribed", 403, "The application is not subscribed to this API",
        "Subscribe the application to a product that contains the API, in the portal or with `gateline keys create --api`.";
    SubscriptionSuspended = "subscription_suspended", 403, "The subscription is suspended",
        "Ask the provider of the API.";
    RateLimited = "rate_limited", 429, "Too many calls in a short time",
        "Wait as long as `Retry-After` says. A larger plan has a higher limit; that of an SDK key is its `rate_limit`.";
    QuotaExceeded = "quota_exceeded", 429, "The quota of the plan is used up",
        "Wait for the next period, which `Retry-After` tells, or choose a larger plan in the portal.";
    ConcurrencyLimited = "concurrency_limited", 429, "Too many calls are open at a time",
        "Wait for some of your calls to end before you begin another one. A larger plan may allow more.";
    LimitsUnavailable = "limits_unavailable", 503, "Calls cannot be counted at the moment",
        "Try again in a moment. The provider has chosen to refuse calls rather than not to count them.";

    // Live streams.
    StreamsLimited = "streams_limited", 429, "Too many live streams are open",
        "Close some of your organization's streams, or wait as long as `Retry-After` says.";

    // Tracked events.
    SdkKeyMissing = "sdk_key_missing", 401, "An SDK key is needed",
        "Send it in `X-API-Key`, as a bearer token, or as `?key=`; `POST /api/v1/sdk-keys` makes one.";
    SdkKeyInvalid = "sdk_key_invalid", 401, "The SDK key does not open this",
        "`detail` says why. Make a new one with `POST /api/v1/sdk-keys`.";
    FlagNotFound = "flag_not_found", 404, "There is no such flag",
        "Check the flag's key and the environment; use your default meanwhile. A new flag is there within a second.";
    SdkKeyKind = "sdk_key_kind", 403, "A key of this kind may not do this",
        "Use a key of kind `server`, where nobody but your own programs can read it.";
    OriginRefused = "origin_refused", 403, "Pages of this origin may not use the key",
        "Add the page's origin to the key's `origins`; keys of servers are for no page at all.";
    EventsInvalid = "events_invalid", 400, "None of the events can be taken",
        "Mend what `errors` lists; each entry has the event's place in `index`. Nothing was taken.";
    EventsDelayed = "events_delayed", 429, "Too many events wait to be written",
        "Send them again after as long as `Retry-After` says; with ids, none is counted twice.";
    EventsUnwritten = "events_unwritten", 503, "The events could not be written",
        "Nothing was taken. Send them again after as long as `Retry-After` says; with ids, none is counted twice.";
    EventsOff = "events_off", 503, "This node takes no events",
        "Send them to the control plane, or to a node that has one. Nothing was taken.";

    // Traffic, answered by the gateway.
    RouteNotFound = "route_not_found", 404, "No API answers here",
        "Check host and path. A new route is there within a second of being published.";
    OperationNotFound = "operation_not_found", 404, "The API has no such operation",
        "Check the path against the API's reference.";
    ApiRetired = "api_retired", 410, "This version of the API was retired",
        "Use the version that `Link: rel=\"successor-version\"` names, or see the API's page.";
    MessageMalformed = "message_malformed", 400, "The HTTP message is malformed",
        "`detail` says how. Nothing was forwarded.";
    FramingAmbiguous = "framing_ambiguous", 400, "The message's length is ambiguous",
        "Send either Content-Length or Transfer-Encoding: chunked, once. Nothing was forwarded.";
    MisdirectedRequest = "misdirected_request", 421, "The connection was opened for another host",
        "The host asks clients for certificates: open a TLS connection of its own for it, with the host's name and your certificate.";
    ConnectRefused = "connect_refused", 405, "CONNECT is not served here",
        "Call the API by its URL. Tunnels are opened by routes with `connect`, for the host and the ports that they name.";
    RequestTimeout = "request_timeout", 408, "The request did not arrive in time",
        "Send it without pauses.";
    UpstreamUnreachable = "upstream_unreachable", 502, "The service behind could not be reached",
        "The provider's service is down or its address is wrong; this is not the caller's fault.";
    UpstreamInvalid = "upstream_invalid", 502, "The service behind answered garbage",
        "The provider's service broke the protocol; this is not the caller's fault.";
    UpstreamTimeout = "upstream_timeout", 504, "The service behind did not answer in time",
        "Try again later. If the call changes something, find out first whether it took effect.";
    UpstreamNone = "upstream_none", 503, "No service is configured or well behind this route",
        "Try again later; the provider has to bring a target up.";
    WebsocketUnsupported = "websocket_unsupported", 501, "The service behind takes no WebSockets",
        "Use another API of it; WebSockets need an upstream whose `protocol` is `http1` or `auto`.";
    UpstreamOverloaded = "upstream_overloaded", 503, "The service behind has enough to do",
        "Wait as long as `Retry-After` says and send fewer calls at a time.";
    CallShed = "call_shed", 503, "The service behind has enough to do with what matters more",
        "Wait as long as `Retry-After` says; the provider serves more important calls first while there is too much to do.";
    CircuitOpen = "circuit_open", 503, "The service behind has been failing and is given a rest",
        "Wait as long as `Retry-After` says; most calls to the service failed a moment ago.";
    NotReady = "not_ready", 503, "This node is starting",
        "Wait as long as `Retry-After` says; the node is waiting for its configuration.";
    Draining = "draining", 503, "This node is stopping",
        "Send the request again; another node takes it.";
    Overloaded = "overloaded", 503, "Too much at once",
        "Wait as long as `Retry-After` says.";

    // Us.
    StorageFull = "storage_full", 507, "The disk is full",
        "Traffic goes on; changes are accepted again when there is room.";
    LakeUnavailable = "lake_unavailable", 503, "The store of single calls does not answer",
        "Traffic and sums go on; ask again in a moment. Who runs the installation looks at `lake.url` and the log.";
    LakeOff = "lake_off", 501, "This installation keeps no single calls",
        "Ask for sums with `/api/v1/analytics/query`, or have whoever runs the installation set `lake.enabled`.";
    StoreUnavailable = "store_unavailable", 503, "The database does not answer",
        "Traffic goes on; try the change again in a moment.";
    Internal = "internal", 500, "Something broke on our side",
        "Try again; if it stays, report it with the `request_id`.";
}

impl Code {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        self.entry().code
    }

    /// HTTP status of the answer.
    pub const fn status(self) -> u16 {
        self.entry().status
    }

    /// What happened, in a few words.
    pub const fn title(self) -> &'static str {
        self.entry().title
    }

    /// What to do about it.
    pub const fn suggestion(self) -> &'static str {
        self.entry().suggestion
    }

    /// The path of the code's page.
    pub fn page(self) -> String {
        format!("/docs/errors/{}", self.as_str())
    }
}

/// An error's clause as a sentence for a problem's `detail`: begins with a capital letter and ends with one full stop.
pub fn sentence(clause: &str) -> String {
    let mut characters = clause.trim_end_matches('.').chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::{Code, sentence};
    use std::collections::HashSet;

    #[test]
    fn clauses_become_sentences() {
        assert_eq!(sentence("it ends here"), "It ends here.");
        assert_eq!(sentence("It ends here."), "It ends here.");
        assert_eq!(sentence("ß"), "SS.");
        assert_eq!(sentence(""), ".");
    }

    #[test]
    fn codes_are_unique_and_complete() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let entry = code.entry();
            assert!((400..600).contains(&entry.status), "{}", entry.code);
            assert!(
                entry
                    .code
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{}",
                entry.code
            );
            assert!(entry.suggestion.ends_with('.'), "{}", entry.code);
        }
    }
}
