import { read } from "@gateline/api-client";
import { Keys, useTarget } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { ApplicationFrame } from "./application-frame";

/** The keys of an application. */
export default function ApplicationKeysScreen() {
  return <ApplicationFrame>{(application) => <KeysOf applicationId={application.id} />}</ApplicationFrame>;
}

/** The keys, with a call of the first product that the application is subscribed to. */
function KeysOf({ applicationId }: { applicationId: string }) {
  const subscriptions = useQuery(read("/api/v1/subscriptions", { params: { query: { "filter[application]": applicationId, limit: 20 } } }));
  const productId = subscriptions.data?.data.find((each) => each.state !== "cancelled")?.product_id;
  const product = useQuery({
    ...read("/api/v1/catalogue/products/{id}", { params: { path: { id: productId ?? "" } } }),
    enabled: productId !== undefined,
  });
  const versions = product.data?.versions ?? [];
  const version = versions.find((each) => each.routes.length > 0);
  const environments = [...new Set(versions.flatMap((each) => each.routes.map((route) => route.environment)))];
  const target = useTarget(version && `/api/v1/catalogue/versions/${version.id}/contract`, version?.routes[0]?.base_url);
  return <Keys applicationId={applicationId} environments={environments.length > 0 ? environments : ["sandbox"]} target={target} />;
}
