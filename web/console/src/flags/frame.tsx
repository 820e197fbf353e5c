/** Head and tabs of a flag around each of its screens. */
import { client, ifMatch } from "@gateline/api-client";
import { ButtonLink, ConfirmButton, Detail, Loaded, Said, useGo } from "@gateline/ui";
import type { ReactNode } from "react";
import type { Flag } from "./model";
import { Proposals } from "./proposals";
import { useEnvironments, useFlag } from "./queries";

/** The address of a flag's part for an environment. */
export const environmentPath = (flag: Flag, environment: string): string => `/flags/${flag.id}/in/${environment}`;

const OTHER_TABS: [path: string, title: string][] = [
  ["usage", "Usage"],
  ["changes", "Proposals"],
  ["history", "History"],
  ["comments", "Comments"],
];

/** The frame; its tabs are the overview, every environment, whether the flag is there or not, and what people did with it. */
export function FlagFrame(props: { facts?: (flag: Flag) => [string, ReactNode][]; children: (flag: Flag, environments: string[]) => ReactNode }) {
  const query = useFlag();
  const environments = useEnvironments();
  const go = useGo();
  return (
    <Loaded query={query}>
      {(flag) => (
        <Loaded query={environments}>
          {({ data }) => {
            const names = data.map((each) => each.name);
            return (
              <Detail
                from={["/flags", "Feature flags"]}
                title={flag.title || flag.key}
                actions={
                  <>
                    <ButtonLink to={`/flags/${flag.id}/edit`}>Change</ButtonLink>
                    <ConfirmButton
                      label="Delete"
                      title={`Delete ${flag.key}?`}
                      onConfirm={async () => {
                        await client.DELETE("/api/v1/feature-flags/{id}", { params: { path: { id: flag.id }, header: ifMatch(flag) } });
                        go("/flags");
                      }}
                    >
                      <p>
                        <Said text={`Who asks for \`${flag.key}\` gets the default that stands in the program, within a second. A flag that another one needs cannot be deleted.`} />
                      </p>
                    </ConfirmButton>
                  </>
                }
                tabs={{ base: `/flags/${flag.id}`, of: [["", "Overview"], ...names.map((name): [string, string] => [`in/${name}`, name]), ...OTHER_TABS] }}
                facts={props.facts?.(flag)}
              >
                <Proposals>{props.children(flag, names)}</Proposals>
              </Detail>
            );
          }}
        </Loaded>
      )}
    </Loaded>
  );
}
