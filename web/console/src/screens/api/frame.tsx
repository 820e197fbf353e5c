import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { ButtonLink, ConfirmButton, Detail, Loaded, State, useGo, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";

type Api = Schemas["Api"];
type Version = Schemas["Version"];

const tabs: [path: string, title: string][] = [
  ["", "Overview"],
  ["operations", "Operations"],
  ["versions", "Versions"],
  ["routes", "Routes"],
  ["policies", "Policies"],
  ["consumers", "Consumers"],
  ["usage", "Usage"],
  ["reference", "Reference"],
];

/** Head and tabs of an API around each of its screens. */
export function ApiFrame(props: { facts?: (api: Api) => [string, ReactNode][]; children: (api: Api, versions: Version[]) => ReactNode }) {
  const id = useParam("id");
  const go = useGo();
  const path = { params: { path: { id } } };
  const api = useQuery(read("/api/v1/apis/{id}", path));
  const versions = useQuery(read("/api/v1/apis/{id}/versions", path));
  return (
    <Loaded query={api}>
      {(each) => (
        <Detail
          from={["/apis", "APIs"]}
          title={each.title}
          status={versions.data?.data[0] && <State of={versions.data.data[0].stage} />}
          actions={
            <>
              <ButtonLink to={`/apis/${id}/edit`}>Change</ButtonLink>
              <ConfirmButton
                label="Delete"
                title={`Delete ${each.title}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/apis/{id}", { params: { path: { id }, header: ifMatch(each) } });
                  go("/apis");
                }}
              >
                Its versions, contracts, routes and policies go with it, and calls to it are refused within a second. The audit chain and the
                usage stay.
              </ConfirmButton>
            </>
          }
          tabs={{ base: `/apis/${id}`, of: tabs }}
          facts={props.facts?.(each)}
        >
          <Loaded query={versions}>{(page) => props.children(each, page.data)}</Loaded>
        </Detail>
      )}
    </Loaded>
  );
}

/** The version that a screen is about: chosen in the address, else the newest. */
export function useVersion(versions: Version[]): Version | undefined {
  const search = useSearch({ strict: false }) as { version?: string };
  return versions.find((version) => version.id === search.version) ?? versions[0];
}

/** Chooses the version when there are several. */
export function VersionChoice(props: { versions: Version[]; version: Version | undefined }) {
  const navigate = useNavigate();
  if (props.versions.length < 2) return null;
  return (
    <select
      aria-label="Version"
      className="input w-auto"
      value={props.version?.id}
      onChange={(event) => void navigate({ to: ".", search: { version: event.target.value } as never })}
    >
      {props.versions.map((version) => (
        <option key={version.id} value={version.id}>
          {version.name} ({version.stage})
        </option>
      ))}
    </select>
  );
}
