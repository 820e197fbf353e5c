import { client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { StreamForm } from "./stream-form";

/** A new stream route. */
export default function StreamNew() {
  const go = useGo();
  return (
    <Detail from={["/streams", "Streams"]} title="Add a stream route">
      <StreamForm
        submit="Add stream route"
        send={async (body) => done(await client.POST("/api/v1/stream-routes", { body }))}
        after={(id) => go(`/streams/${id}`)}
      />
    </Detail>
  );
}
