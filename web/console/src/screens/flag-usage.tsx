import { read } from "@gateline/api-client";
import { Command, Empty, LineChart, Loaded, Section, Time, count, plural } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { FlagFrame } from "../flags/frame";
import type { Flag } from "../flags/model";
import { environmentsIn, linesOf } from "../flags/use";

/** How often a flag is asked for, and where programs name it. */
export default function FlagUsage() {
  return (
    <FlagFrame>
      {(flag) => (
        <>
          <Evaluations flag={flag} />
          <CodeReferences flag={flag} />
        </>
      )}
    </FlagFrame>
  );
}

function Evaluations({ flag }: { flag: Flag }) {
  const query = useQuery({ ...read("/api/v1/feature-flags/{id}/evaluations", { params: { path: { id: flag.id } } }), refetchInterval: 30_000 });
  const search = useSearch({ strict: false }) as { environment?: string };
  const navigate = useNavigate();
  return (
    <Section title="Asked for" text="What the SDKs got in the last 30 days, by day in UTC.">
      <Loaded query={query}>
        {(answer) => {
          const names = environmentsIn(answer.counts);
          const shown = names.find((name) => name === search.environment) ?? names[0];
          if (shown === undefined) {
            return (
              <Empty title="Nobody has asked for it in the last 30 days">
                <p>With an SDK key of an environment:</p>
                <Command label="Command that asks" text={`curl -H 'X-API-Key: YOUR_SDK_KEY' '${window.location.origin}/api/v1/feature-flags/${flag.key}/evaluate?user_id=123'`} />
              </Empty>
            );
          }
          const { at, lines, sum } = linesOf(answer, shown);
          return (
            <>
              {names.length > 1 && (
                <select
                  aria-label="Environment"
                  className="input mb-3 w-auto"
                  value={shown}
                  onChange={(event) => void navigate({ to: ".", search: { environment: event.target.value } as never, replace: true })}
                >
                  {names.map((name) => (
                    <option key={name} value={name}>
                      {name}
                    </option>
                  ))}
                </select>
              )}
              <LineChart
                title={`In ${shown}`}
                unit="evaluations per day"
                text={`${count(sum)} in 30 days. Good: every variant that is to be given has a line, and no line ends by itself.`}
                at={at}
                per="day"
                lines={lines}
                write={count}
              />
            </>
          );
        }}
      </Loaded>
    </Section>
  );
}

function CodeReferences({ flag }: { flag: Flag }) {
  const query = useQuery(read("/api/v1/feature-flags/{id}/code-references", { params: { path: { id: flag.id } } }));
  return (
    <Section title="In programs" text="The lines that name it, as they were last looked through.">
      <Loaded query={query}>
        {({ repositories }) =>
          repositories.length === 0 ? (
            <Empty title="No program is known to name it">
              <p>Look through a repository, best with every build:</p>
              <Command label="Command for a scan" text="gateline flags scan . --upload" />
            </Empty>
          ) : (
            <ul className="space-y-4">
              {repositories.map((each) => (
                <li key={each.repository} className="rounded-lg border border-line bg-surface">
                  <div className="flex flex-wrap items-baseline gap-x-4 gap-y-1 border-b border-line px-4 py-2">
                    <h3>{each.repository}</h3>
                    <span className="text-sm text-ink-2">
                      {plural(each.places.length, "place")}
                      {each.commit && (
                        <>
                          {" at "}
                          <code>{each.commit.slice(0, 12)}</code>
                        </>
                      )}
                      , <Time at={each.at} />
                    </span>
                  </div>
                  {/* Focusable, so that a keyboard can scroll it. */}
                  <div className="max-h-80 overflow-y-auto px-4 py-2" tabIndex={0} role="region" aria-label={`Places in ${each.repository}`}>
                    <ul>
                      {each.places.map((place) => (
                        <li key={`${place.path}:${place.line}`}>
                          <code className="text-sm break-all">
                            {place.path}:{place.line}
                          </code>
                        </li>
                      ))}
                    </ul>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Section>
  );
}
