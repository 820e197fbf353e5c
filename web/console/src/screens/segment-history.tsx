import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { Section } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { History } from "../flags/history";
import { type Segment, specOf } from "../flags/model";
import { SegmentFrame } from "../flags/segment-frame";

/** What a segment was. */
export default function SegmentHistory() {
  return <SegmentFrame>{(segment) => <Revisions segment={segment} />}</SegmentFrame>;
}

function Revisions({ segment }: { segment: Segment }) {
  const queries = useQueryClient();
  const path = { id: segment.id };
  return (
    <Section title="History" text="Every change, by whom and when. Any state can be brought back.">
      <History<Schemas["SegmentRevision"]>
        load={({ cursor }) => read("/api/v1/segments/{id}/revisions", { params: { path, query: { cursor } } })}
        one={(revision) => read("/api/v1/segments/{id}/revisions/{revision}", { params: { path: { ...path, revision } } })}
        current={{ revision: segment.revision, spec: specOf(segment) }}
        revert={async ({ revision }) => {
          await client.POST("/api/v1/segments/{id}/revert", { params: { path, header: ifMatch(segment) }, body: { revision } });
          await queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey.some((part) => typeof part === "string" && part.startsWith("/api/v1/segments")) });
        }}
      />
    </Section>
  );
}
