import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, LastUse, ListPage, State, count } from "@gateline/ui";

type EventType = Schemas["EventType"];

/** All event types. */
export default function Events() {
  const create = (
    <ButtonLink to="/events/new" kind="primary">
      Declare an event type
    </ButtonLink>
  );
  return (
    <ListPage<EventType>
      title="Events"
      label="Event types"
      text="What users of your products do, recorded by your servers and pages. Events of a type that is not declared are refused."
      actions={create}
      load={({ q, cursor, state }) =>
        read("/api/v1/event-types", { params: { query: { q, cursor, "filter[state]": state as EventType["state"] | undefined } } })
      }
      searchable
      filters={[
        {
          name: "state",
          title: "State",
          options: [
            ["active", "Active"],
            ["archived", "Archived"],
          ],
        },
      ]}
      to={(type) => `/events/${type.id}`}
      columns={[
        { title: "Name", wide: true, cell: (type) => <code>{type.name}</code> },
        { title: "Title", wide: true, minor: true, cell: (type) => type.title },
        { title: "Properties", minor: true, cell: (type) => (type.schema ? "Checked" : "Free") },
        { title: "State", cell: (type) => <State of={type.state ?? "active"} /> },
        { title: "Last 24 hours", numeric: true, cell: (type) => count(type.events_last_day) },
        { title: "Last seen", cell: (type) => <LastUse of={{ last_used_at: type.last_seen_at }} /> },
      ]}
      empty={{
        title: "No event type yet",
        text: (
          <>
            <p>Declare what you want to know, make an SDK key, and send the first event:</p>
            <Command text="gateline event-types create purchase" />
          </>
        ),
        action: create,
      }}
    />
  );
}
