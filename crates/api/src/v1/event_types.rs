//! Event types: what users may be recorded to do, and how often they did.

use control::Error;
use control::tracking::EventTypeQuery;
use domain::Code;
use domain::id::EventTypeId;
use domain::tracking::{
    EventType, EventTypeInterval, EventTypeName, EventTypeSpec, EventTypeState, EventTypeUsage, EventTypeUse,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer;
use crate::call::{Call, invalid};
use crate::crud::{self, Filter, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, moment, one_of, text};

/// `list_event_types`, `create_event_type`, `read_event_type`, `update_event_type`, `delete_event_type`,
/// `read_event_type_usage`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = crud::all::<EventType>();
    endpoints.push(usage());
    endpoints
}

impl Shown for EventType {
    const COLLECTION: &'static str = "/api/v1/event-types";
    const TAG: &'static str = "tracking";
    const ONE: &'static str = "an event type";
    const MANY: &'static str = "event types";
    const ABOUT: &'static str = "An event type is a kind of events that users cause, in every environment of the organization. \
        Events of a type that is not declared are refused, and so are those whose `properties` do not satisfy its \
        schema. A change is known within a second. A type that events were counted of is archived, not removed.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict];
    type Extra = EventTypeUse;

    fn example() -> EventTypeSpec {
        EventTypeSpec {
            name: "purchase".parse().expect("it is a name"),
            title: "Purchase".to_owned(),
            description: "Somebody has paid.".to_owned(),
            schema: json!({
                "type": "object",
                "properties": { "price": { "type": "number", "minimum": 0 } },
                "required": ["price"]
            })
            .as_object()
            .cloned(),
            state: EventTypeState::Active,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Purchase completed", "schema": null })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(100)),
                condition: |text| crud::is::<EventTypeName>("name", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[state]",
                    "Only those in this state.",
                    one_of(&["active", "archived"]),
                ),
                condition: |text| match text {
                    "active" | "archived" => crud::is::<String>("state", text),
                    _ => Err("it is `active` or `archived`".to_owned()),
                },
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links.and("usage", format!("/api/v1/event-types/{}/usage", self.id))
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<EventTypeUse>, Error> {
        let ids: Vec<_> = them.iter().map(|it| it.id).collect();
        let mut uses = call.control().event_type_uses(&ids).await?;
        Ok(ids.iter().map(|id| uses.remove(id).unwrap_or_default()).collect())
    }
}

fn usage() -> Endpoint {
    Endpoint::get("/api/v1/event-types/{id}/usage", "read_event_type_usage")
        .tag("tracking")
        .says(
            "Read how many events of a type came",
            "By hour or day in UTC and environment; spans without events are left out. Every accepted event is in it \
             exactly once, about a second after its answer.",
        )
        .takes_id::<EventTypeId>("The event type's id.")
        .takes(Parameter::query(
            "from",
            "From the span of this moment on; 24 hours or 30 days until `to` if absent.",
            moment(),
        ))
        .takes(Parameter::query("to", "Before this moment; until now if absent.", moment()))
        .takes(Parameter::query(
            "interval",
            "How wide spans are; `hour` if absent.",
            one_of(&["hour", "day"]),
        ))
        .answers::<EventTypeUsage>(200, "The counts.")
        .to(|call| async move {
            let query = EventTypeQuery {
                from: call.query_as("from")?,
                to: call.query_as("to")?,
                interval: interval(call.query("interval"))?,
            };
            let usage = call
                .control()
                .event_type_usage(&call.caller, call.id()?, query)
                .await?;
            answer::json(StatusCode::OK, &usage)
        })
}

fn interval(text: Option<&str>) -> Result<EventTypeInterval, Error> {
    match text {
        None | Some("hour") => Ok(EventTypeInterval::Hour),
        Some("day") => Ok(EventTypeInterval::Day),
        Some(_) => Err(invalid("interval", &"it is `hour` or `day`")),
    }
}
