import { type Schemas, client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { EventForm } from "./event-form";

/** A new event type. */
export default function EventNew() {
  const go = useGo();
  return (
    <Detail from={["/events", "Events"]} title="Declare an event type" text="A kind of events that users cause, in every environment of the organization.">
      <EventForm
        submit="Declare event type"
        cancel="/events"
        send={async ({ schema, ...spec }) => {
          const body = { ...spec, ...(schema === null ? {} : { schema }) } as Schemas["EventTypeSpec"];
          return done(await client.POST("/api/v1/event-types", { body }));
        }}
        after={(id) => go(`/events/${id}`)}
      />
    </Detail>
  );
}
