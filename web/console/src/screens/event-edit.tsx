import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { EventForm } from "./event-form";

/** Changes an event type. */
export default function EventEdit() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/event-types/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(type) => (
        <Detail from={[`/events/${id}`, type.title]} title="Change the event type" text="Events are judged by what it says within a second.">
          <EventForm
            type={type}
            submit="Save changes"
            cancel={`/events/${id}`}
            send={async ({ title, description, state, schema }) => {
              // A merge patch would mix the two schemas: the old parts are named to go.
              const gone = Object.fromEntries(Object.keys(type.schema ?? {}).map((key) => [key, null]));
              const body = { title, description, state, schema: schema && typeof schema === "object" ? { ...gone, ...schema } : schema } as Schemas["EventTypePatch"];
              const answer = await client.PATCH("/api/v1/event-types/{id}", { params: { path: { id }, header: ifMatch(type) }, body });
              await queries.invalidateQueries({ queryKey: ["/api/v1/event-types/{id}"] });
              return done(answer);
            }}
            after={() => go(`/events/${id}`)}
          />
        </Detail>
      )}
    </Loaded>
  );
}
