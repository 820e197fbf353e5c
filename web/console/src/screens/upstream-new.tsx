import { client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { UpstreamForm } from "./upstream-form";

/** A new upstream. */
export default function UpstreamNew() {
  const go = useGo();
  return (
    <Detail from={["/upstreams", "Upstreams"]} title="Add an upstream">
      <UpstreamForm
        submit="Add upstream"
        cancel="/upstreams"
        send={async (body) => done(await client.POST("/api/v1/upstreams", { body }))}
        after={(id) => go(`/upstreams/${id}`)}
      />
    </Detail>
  );
}
