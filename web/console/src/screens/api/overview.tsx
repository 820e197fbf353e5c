import { type Schemas, read } from "@gateline/api-client";
import { Command, Copyable, Empty, Facts, Loaded, Markdown, Section, State, Time, UsageChart, count } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { ApiFrame } from "./frame";

const HOURS = 24;

/** What an API is, where it answers and how much it is called. */
export default function ApiOverview() {
  return (
    <ApiFrame
      facts={(api) => [
        ["Name", <code key="name">{api.name}</code>],
        ["Id", <Copyable key="id" text={api.id} />],
        ["Tags", api.tags?.join(", ") || "–"],
        ["Made", <Time key="made" at={api.created_at} />],
        ["Changed", <Time key="changed" at={api.updated_at} />],
      ]}
    >
      {(api, versions) => (
        <>
          <Addresses api={api} versions={versions} />
          <section className="mt-8">
            <UsageChart filter={{ api: api.id }} hours={HOURS} title="Traffic" text="Good: steady colour; hatched calls were refused, red ones failed." />
          </section>
          {api.description && (
            <Section title="Description">
              <Markdown text={api.description} />
            </Section>
          )}
        </>
      )}
    </ApiFrame>
  );
}

function Addresses(props: { api: Schemas["Api"]; versions: Schemas["Version"][] }) {
  const query = useQuery(read("/api/v1/routes", { params: { query: { "filter[api]": props.api.id } } }));
  return (
    <Section title="Where it answers">
      <Loaded query={query}>
        {(page) =>
          page.data.length === 0 ? (
            <Empty title="Not published yet">
              <p>A route joins a version to an upstream. Import the contract again with the address of the service:</p>
              <Command text={`gateline import openapi.yaml --name ${props.api.name} --upstream http://127.0.0.1:9000 --publish`} />
            </Empty>
          ) : (
            <ul className="divide-y divide-line rounded-lg border border-line bg-surface px-4">
              {page.data.map((route) => {
                const version = props.versions.find((each) => each.id === route.version_id);
                return (
                  <li key={route.id} className="py-3">
                    <Facts
                      of={[
                        ["Address", <Copyable key="url" text={route.url ?? route.base_path} />],
                        ["Environment", route.environment],
                        [
                          "Version",
                          <span key="version" className="flex items-center gap-2">
                            {version?.name ?? route.version_id} {version && <State of={version.stage} />}
                          </span>,
                        ],
                        ["Operations", count(version?.operations ?? 0)],
                      ]}
                    />
                  </li>
                );
              })}
            </ul>
          )
        }
      </Loaded>
    </Section>
  );
}
