//! What became of a recent request, and the tokens by which requests ask to be explained in full.

use domain::Code;
use domain::recent::{CallExplanation, DebugToken, DebugTokenSpec};
use http::StatusCode;

use crate::answer;
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, text};

/// `explain_request`, `create_debug_token`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![request(), token()]
}

fn request() -> Endpoint {
    let id = Parameter::query(
        "request_id",
        "The id that the client was told in `X-Request-ID`; without one there is nothing to explain.",
        text(128),
    );
    Endpoint::get("/api/v1/explain", "explain_request")
        .tag("traffic")
        .says(
            "Explain a recent request",
            "Every decision about it: the route and those tried before, the policies in their order with their verdicts, \
             the limits, who called, each try at the upstream with its reason, and when what happened. Gateway nodes \
             remember their last calls (setting `gateway.recent_calls`) and are asked when you ask. The organization \
             whose API was called is told everything, the one whose application called what concerns it. With a debug \
             token in the request, more is noted.",
        )
        .takes(id)
        .answers::<CallExplanation>(200, "What is remembered.")
        .refuses(&[Code::NotFound, Code::Overloaded])
        .to(|call| async move {
            // Without one it is refused, but only to those who may ask.
            let id = call.query("request_id").unwrap_or_default();
            let explanation = call.control().explain_request(&call.caller, id).await?;
            answer::json(StatusCode::OK, &explanation)
        })
}

fn token() -> Endpoint {
    let example = DebugTokenSpec {
        environment: Some("sandbox".parse().expect("it is a name")),
        route_id: None,
        lifetime_seconds: 600,
    };
    Endpoint::post("/api/v1/debug-tokens", "create_debug_token")
        .tag("traffic")
        .says(
            "Make a debug token",
            "Sent in the header `Gateline-Debug`, it makes the gateway note everything about the request: what each \
             policy found and changed, every route that was tried, how the targets were. The answer then has \
             `Server-Timing`, and `explain_request` tells the rest. It is good for your own APIs in one environment, and \
             perhaps one route, and is not passed on. Nodes check it by themselves, so it cannot be taken back; it is \
             good for an hour at most.",
        )
        .not_idempotent()
        .body(&example)
        .answers::<DebugToken>(201, "The token; it is not shown again.")
        .to(|call| async move {
            let token = call
                .control()
                .create_debug_token(&call.caller, &call.json()?)
                .await?;
            answer::json(StatusCode::CREATED, &token)
        })
}
