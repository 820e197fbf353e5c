import { type Schemas, client, ifMatch } from "@gateline/api-client";
import { Button, Command, Copyable, Dialog, FormPanel, SelectField, State, Table, TextField, Time, count, useForm } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ApiFrame } from "./frame";

type Version = Schemas["Version"];

const stages: [Version["stage"], string][] = [
  ["draft", "Draft: not reachable"],
  ["alpha", "Alpha: may change or go without notice"],
  ["beta", "Beta: may change with notice"],
  ["stable", "Stable: changes are compatible"],
  ["deprecated", "Deprecated: answers say so"],
  ["retired", "Retired: answers 410"],
];

/** The versions of an API and how far each is in its life. */
export default function ApiVersions() {
  const [changed, setChanged] = useState<Version>();
  return (
    <ApiFrame>
      {(api, versions) => (
        <div className="space-y-4">
          <Table<Version>
            label="Versions"
            rows={versions}
            columns={[
              { title: "Version", cell: (version) => <span className="font-medium">{version.name}</span> },
              { title: "Stage", cell: (version) => <State of={version.stage} /> },
              { title: "Operations", numeric: true, cell: (version) => count(version.operations) },
              { title: "Ends", cell: (version) => <Time at={version.sunset_at} /> },
              { title: "Id", minor: true, cell: (version) => <Copyable text={version.id} /> },
              { title: "Changed", minor: true, cell: (version) => <Time at={version.updated_at} /> },
              { title: "Actions", cell: (version) => <Button small onClick={() => setChanged(version)}>Change stage</Button> },
            ]}
          />
          <p className="text-ink-2">A contract with another version number becomes a new version; with the same number it replaces the contract.</p>
          <Command text={`gateline import openapi-v2.yaml --name ${api.name} --publish`} />
          <Dialog open={changed !== undefined} onClose={() => setChanged(undefined)} title={`Stage of ${changed?.name ?? ""}`}>
            {changed && <StageForm version={changed} after={() => setChanged(undefined)} />}
          </Dialog>
        </div>
      )}
    </ApiFrame>
  );
}

function StageForm({ version, after }: { version: Version; after: () => void }) {
  const queries = useQueryClient();
  const form = useForm({
    initial: { stage: version.stage as string, sunset_at: version.sunset_at?.slice(0, 10) ?? "" },
    send: async (values) =>
      client.PATCH("/api/v1/versions/{id}", {
        params: { path: { id: version.id }, header: ifMatch(version) },
        body: { stage: values.stage as Version["stage"], sunset_at: values.sunset_at ? `${values.sunset_at}T00:00:00Z` : null },
      }),
    after: async () => {
      await queries.invalidateQueries({ queryKey: ["/api/v1/apis/{id}/versions"] });
      after();
    },
  });
  return (
    <FormPanel form={form} submit="Save stage" unguarded>
      <SelectField label="Stage" pointer="/stage" value={form.values.stage} set={(stage) => form.set({ stage })} options={stages} />
      {form.values.stage === "deprecated" && (
        <TextField
          label="Ends on"
          optional
          pointer="/sunset_at"
          placeholder="2027-06-30"
          help="Sent to callers as the Sunset header."
          value={form.values.sunset_at}
          set={(sunset_at) => form.set({ sunset_at })}
        />
      )}
    </FormPanel>
  );
}
