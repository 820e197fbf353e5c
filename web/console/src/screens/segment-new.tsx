import { type Schemas, client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { SegmentForm } from "../flags/segment-form";

/** Creates a segment. */
export default function SegmentNew() {
  const go = useGo();
  const queries = useQueryClient();
  return (
    <Detail from={["/segments", "Segments"]} title="Create a segment">
      <SegmentForm
        submit="Create segment"
        cancel="/segments"
        send={async (change) => {
          const made = done(await client.POST("/api/v1/segments", { body: change as Schemas["SegmentSpec"] }));
          await queries.invalidateQueries({ queryKey: ["/api/v1/segments"] });
          return made;
        }}
        after={(id) => go(`/segments/${id}`)}
      />
    </Detail>
  );
}
