import { read } from "@gateline/api-client";
import { ApplicationActions, Copyable, Detail, Keys, Loaded, OperationsTable, Time, UsageChart, useParam, useTarget } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { ApplicationSubscriptions } from "../application-subscriptions";

const HOURS = 24;

/** One application: what it may call, with which keys, and what it called. */
export default function ApplicationScreen() {
  const id = useParam("id");
  const query = useQuery(read("/api/v1/applications/{id}", { params: { path: { id } } }));
  const environments = useQuery(read("/api/v1/environments", { params: { query: { limit: 200 } } }));
  return (
    <Loaded query={query}>
      {(application) => (
        <Detail
          from={["/applications", "Applications"]}
          title={application.title}
          text={application.description}
          actions={<ApplicationActions application={application} list="/applications" />}
          facts={[
            ["Name", <code key="name">{application.name}</code>],
            ["Id", <Copyable key="id" text={application.id} />],
            ["Made", <Time key="made" at={application.created_at} />],
          ]}
        >
          <ApplicationSubscriptions applicationId={id} />
          <KeysOf applicationId={id} environments={environments.data?.data.map((each) => each.name) ?? ["sandbox"]} />
          <section className="mt-8">
            <UsageChart filter={{ application: id }} hours={HOURS} title="Traffic" text="Of this application. Good: next to nothing hatched (refused) or red (failed)." />
          </section>
          <OperationsTable filter={{ application: id }} hours={HOURS} empty="Make a call with one of its keys." />
        </Detail>
      )}
    </Loaded>
  );
}

/** The keys, with a call of the first product that the application is subscribed to. */
function KeysOf(props: { applicationId: string; environments: string[] }) {
  const subscriptions = useQuery(read("/api/v1/subscriptions", { params: { query: { "filter[application]": props.applicationId, limit: 20 } } }));
  const productId = subscriptions.data?.data.find((each) => each.state !== "cancelled")?.product_id;
  const product = useQuery({
    ...read("/api/v1/catalogue/products/{id}", { params: { path: { id: productId ?? "" } } }),
    enabled: productId !== undefined,
  });
  const version = product.data?.versions[0];
  const target = useTarget(version && `/api/v1/catalogue/versions/${version.id}/contract`, version?.routes[0]?.base_url);
  return <Keys {...props} target={target} />;
}
