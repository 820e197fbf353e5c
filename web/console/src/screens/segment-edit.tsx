import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Detail, Loaded, mergePatch, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Segment } from "../flags/model";
import { SegmentForm } from "../flags/segment-form";

/** Changes a segment. */
export default function SegmentEdit() {
  const id = useParam("id");
  const query = useQuery(read("/api/v1/segments/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(segment) => (
        <Detail from={[`/segments/${id}`, segment.title || segment.key]} title="Change the segment" text="All flags that name it follow within a second, in every environment.">
          <Form segment={segment} />
        </Detail>
      )}
    </Loaded>
  );
}

function Form(props: { segment: Segment }) {
  // As it was when somebody began to change it: what others change meanwhile is not overwritten unseen.
  const [segment] = useState(props.segment);
  const go = useGo();
  const queries = useQueryClient();
  return (
    <SegmentForm
      segment={segment}
      submit="Save changes"
      cancel={`/segments/${segment.id}`}
      send={async ({ title, description, when }) => {
        // A merge patch would mix the two conditions: the old parts are named to go.
        const body = { title, description, when: mergePatch(segment.when, when ?? null) } as Schemas["SegmentPatch"];
        const changed = done(await client.PATCH("/api/v1/segments/{id}", { params: { path: { id: segment.id }, header: ifMatch(segment) }, body }));
        await queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey.some((part) => typeof part === "string" && part.startsWith("/api/v1/segments")) });
        return changed;
      }}
      after={(id) => go(`/segments/${id}`)}
    />
  );
}
