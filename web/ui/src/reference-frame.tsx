import { readText } from "@gateline/api-client";
import { useQuery } from "@tanstack/react-query";
import { Suspense, lazy, useMemo } from "react";
import { loadReference } from "./load-reference";
import { Loaded, Loading } from "./page";

const Reference = lazy(loadReference);

/** The reference of a version's contract; try-it calls go through our own origin to the gateway. */
export function ReferenceFrame(props: { contract: string; versionId: string }) {
  const query = useQuery({
    queryKey: ["contract", props.contract],
    queryFn: async () => JSON.parse(await readText(props.contract, "application/json")) as Record<string, unknown>,
    staleTime: Infinity,
  });
  return (
    <Loaded query={query} rows={10}>
      {(document) => <WithTry document={document} versionId={props.versionId} />}
    </Loaded>
  );
}

function WithTry(props: { document: Record<string, unknown>; versionId: string }) {
  const { document, versionId } = props;
  const served = useMemo(
    () => ({ ...document, servers: [{ url: `${location.origin}/api/v1/try/${versionId}`, description: "Through this portal" }] }),
    [document, versionId],
  );
  return (
    <Suspense fallback={<Loading rows={10} />}>
      <Reference document={served} />
    </Suspense>
  );
}
