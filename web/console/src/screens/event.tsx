import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { ButtonLink, Command, ConfirmButton, Copyable, CopyButton, Detail, LastUse, LineChart, Loaded, Markdown, Section, State, Time, bytes, count, useGo, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

type Usage = Schemas["EventTypeUsage"];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** One event type: how many came, and how to send one. */
export default function EventScreen() {
  const id = useParam("id");
  const go = useGo();
  const query = useQuery(read("/api/v1/event-types/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(type) => (
        <Detail
          from={["/events", "Events"]}
          title={type.title}
          actions={
            <>
              <ButtonLink to={`/events/${id}/edit`}>Change</ButtonLink>
              <ConfirmButton
                label="Delete"
                title={`Delete the event type ${type.title}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/event-types/{id}", { params: { path: { id }, header: ifMatch(type) } });
                  go("/events");
                }}
              >
                A type that events were counted of cannot be deleted. Archive it instead.
              </ConfirmButton>
            </>
          }
          facts={[
            ["State", <State key="state" of={type.state ?? "active"} />],
            ["Last seen", <LastUse key="seen" of={{ last_used_at: type.last_seen_at }} />],
            ["Last 24 hours", count(type.events_last_day)],
            ["Name", <code key="name">{type.name}</code>],
            ["Id", <Copyable key="id" text={type.id} />],
            ["Changed", <Time key="changed" at={type.updated_at} />],
          ]}
        >
          {type.description && <Markdown text={type.description} />}
          <Counts id={id} />
          <Send name={type.name} />
          {type.schema && (
            <Section title="Schema of the properties">
              <Block text={JSON.stringify(type.schema, null, 2)} label="Copy schema" />
            </Section>
          )}
        </Detail>
      )}
    </Loaded>
  );
}

/** The events of each span from the first to the last one, those without any included. */
function spansOf(usage: Usage): { at: number[]; values: number[] } {
  const width = usage.interval === "day" ? DAY_MS : HOUR_MS;
  const at: number[] = [];
  for (let begin = Date.parse(usage.from); begin < Date.parse(usage.to); begin += width) at.push(begin);
  const values = at.map((begin) => usage.counts.reduce((sum, each) => (Date.parse(each.begin) === begin ? sum + each.events : sum), 0));
  return { at, values };
}

function Counts({ id }: { id: string }) {
  const [interval, setInterval] = useState<"hour" | "day">("hour");
  const query = useQuery({ ...read("/api/v1/event-types/{id}/usage", { params: { path: { id }, query: { interval } } }), refetchInterval: 5000 });
  return (
    <Section
      title="Counts"
      actions={
        <select aria-label="Time" className="input w-auto" value={interval} onChange={(event) => setInterval(event.target.value as "hour" | "day")}>
          <option value="hour">Last 24 hours</option>
          <option value="day">Last 30 days</option>
        </select>
      }
    >
      <Loaded query={query}>
        {(usage) => {
          const { at, values } = spansOf(usage);
          return (
            <LineChart
              title="Events"
              unit={`per ${interval}`}
              text={`${count(usage.events)} events with ${bytes(usage.bytes)}, by the time at which they came in.`}
              at={at}
              per={interval}
              lines={[{ title: "Events", stroke: "var(--accent)", values }]}
              write={count}
            />
          );
        }}
      </Loaded>
    </Section>
  );
}

/** How an event of this type is sent, with everything but the key. */
function Send({ name }: { name: string }) {
  const url = `${window.location.origin}/api/v1/tracking/events`;
  const curl = `curl ${url} -H 'X-API-Key: YOUR_SDK_KEY' -H 'Content-Type: application/json' -d '${JSON.stringify({ type: name, user_id: "123" })}'`;
  const page = `navigator.sendBeacon(
  "${url}?key=YOUR_CLIENT_KEY",
  JSON.stringify({ type: "${name}", id: crypto.randomUUID(), anonymous_id: visitor }),
);`;
  return (
    <Section title="Send one" text="With an SDK key: one of a server from your program, one of a client from a page." actions={<ButtonLink to="/sdk-keys">SDK keys</ButtonLink>}>
      <div className="space-y-4">
        <Command text={curl} label="Copy curl" />
        <Block text={page} label="Copy JavaScript" />
      </div>
    </Section>
  );
}

/** Lines to copy. */
function Block({ text, label }: { text: string; label: string }) {
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-sunken">
      <div className="flex justify-end border-b border-line px-2 py-1">
        <CopyButton text={text} label={label} />
      </div>
      <pre className="p-3 text-sm leading-relaxed break-words whitespace-pre-wrap">{text}</pre>
    </div>
  );
}
