import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Button, ConfirmButton, Dialog, FormPanel, List, Section, SelectField, State, Time, useForm } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

type Subscription = Schemas["Subscription"];

/** What an application is subscribed to, and a way to subscribe it to a product of the organization. */
export function ApplicationSubscriptions({ applicationId }: { applicationId: string }) {
  const [open, setOpen] = useState(false);
  const queries = useQueryClient();
  const products = useQuery(read("/api/v1/products", { params: { query: { limit: 200 } } }));
  const plans = useQuery(read("/api/v1/plans", { params: { query: { limit: 200 } } }));
  const refresh = () => queries.invalidateQueries({ queryKey: ["/api/v1/subscriptions"] });
  return (
    <Section
      title="Subscriptions"
      text="What it may call, and under which plan."
      actions={<Button onClick={() => setOpen(true)}>Subscribe to a product</Button>}
    >
      <List<Subscription>
        label="Subscriptions"
        under="subscriptions"
        load={({ cursor }) => read("/api/v1/subscriptions", { params: { query: { cursor, "filter[application]": applicationId } } })}
        columns={[
          {
            title: "Product",
            wide: true,
            cell: (row) => (
              <Link to={`/products/${row.product_id}`} className="link">
                {row.product_title}
              </Link>
            ),
          },
          { title: "Plan", cell: (row) => row.plan_title },
          { title: "State", cell: (row) => <State of={row.state ?? "active"} /> },
          { title: "Since", cell: (row) => <Time at={row.created_at} /> },
          {
            title: "Actions",
            cell: (row) =>
              row.state !== "cancelled" && (
                <ConfirmButton
                  label="Cancel"
                  small
                  title="Cancel the subscription?"
                  onConfirm={async () => {
                    await client.PATCH("/api/v1/subscriptions/{id}", {
                      params: { path: { id: row.id }, header: ifMatch(row) },
                      body: { state: "cancelled" },
                    });
                    await refresh();
                  }}
                >
                  Calls of this application to the product are refused within a second. It cannot be undone; subscribe again instead.
                </ConfirmButton>
              ),
          },
        ]}
        empty={{ title: "Subscribed to nothing", text: "Without a subscription every call is refused with not_subscribed." }}
      />
      <Dialog open={open} onClose={() => setOpen(false)} title="Subscribe to a product">
        <SubscribeForm
          applicationId={applicationId}
          products={products.data?.data ?? []}
          plans={plans.data?.data ?? []}
          after={() => {
            setOpen(false);
            void refresh();
          }}
        />
      </Dialog>
    </Section>
  );
}

function SubscribeForm(props: { applicationId: string; products: Schemas["Product"][]; plans: Schemas["Plan"][]; after: () => void }) {
  const first = props.products[0];
  const form = useForm({
    initial: { product_id: first?.id ?? "", plan_id: first?.plan_ids[0] ?? "" },
    send: async (values) => done(await client.POST("/api/v1/subscriptions", { body: { application_id: props.applicationId, ...values } })),
    after: props.after,
  });
  const product = props.products.find((each) => each.id === form.values.product_id);
  const plans = props.plans.filter((plan) => product?.plan_ids.includes(plan.id));
  return (
    <FormPanel form={form} submit="Subscribe" unguarded disabled={!product}>
      <SelectField
        label="Product"
        pointer="/product_id"
        value={form.values.product_id}
        set={(id) => form.set({ product_id: id, plan_id: props.products.find((each) => each.id === id)?.plan_ids[0] ?? "" })}
        options={props.products.map((each) => [each.id, each.title])}
      />
      <SelectField
        label="Plan"
        pointer="/plan_id"
        value={form.values.plan_id}
        set={(plan_id) => form.set({ plan_id })}
        options={plans.map((plan) => [plan.id, plan.title])}
      />
    </FormPanel>
  );
}
