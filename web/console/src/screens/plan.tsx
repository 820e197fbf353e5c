import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { ButtonLink, ConfirmButton, Copyable, Detail, List, Loaded, Markdown, Section, State, Time, price, quota, rate, serviceLevel, useGo, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";

type Subscription = Schemas["Subscription"];

/** One plan and who uses it. */
export default function PlanScreen() {
  const id = useParam("id");
  const go = useGo();
  const query = useQuery(read("/api/v1/plans/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(plan) => (
        <Detail
          from={["/plans", "Plans"]}
          title={plan.title}
          actions={
            <>
              <ButtonLink to={`/plans/${id}/edit`}>Change</ButtonLink>
              <ConfirmButton
                label="Delete"
                title={`Delete the plan ${plan.title}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/plans/{id}", { params: { path: { id }, header: ifMatch(plan) } });
                  go("/plans");
                }}
              >
                A plan that a product or a subscription uses cannot be deleted; you are told which.
              </ConfirmButton>
            </>
          }
          facts={[
            ["Rate limit", rate(plan.rate_limit)],
            ["Quota", quota(plan.quota)],
            ["Calls at a time", plan.concurrent_calls_max ?? "No bound"],
            ["Promises", serviceLevel(plan.service_level)],
            ["Price", price(plan.price)],
            ["Keys per application", plan.keys_max],
            ["Name", <code key="name">{plan.name}</code>],
            ["Id", <Copyable key="id" text={plan.id} />],
            ["Changed", <Time key="changed" at={plan.updated_at} />],
          ]}
        >
          {plan.description && <Markdown text={plan.description} />}
          <Section title="Subscriptions under this plan">
            <List<Subscription>
              label="Subscriptions"
              load={({ cursor }) => read("/api/v1/subscriptions", { params: { query: { cursor, "filter[plan]": id } } })}
              columns={[
                { title: "Application", wide: true, cell: (row) => row.application_title },
                { title: "Product", wide: true, cell: (row) => row.product_title },
                { title: "State", cell: (row) => <State of={row.state ?? "active"} /> },
                { title: "Since", cell: (row) => <Time at={row.created_at} /> },
              ]}
              empty={{ title: "Nobody uses it yet", text: "Consumers choose a plan when they subscribe to a product in the portal." }}
            />
          </Section>
        </Detail>
      )}
    </Loaded>
  );
}
