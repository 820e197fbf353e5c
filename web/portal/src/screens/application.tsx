import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { Button, ButtonLink, ConfirmButton, Dialog, FormPanel, List, Loaded, SelectField, State, Time, rate, useForm } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ApplicationFrame } from "./application-frame";

type Subscription = Schemas["Subscription"];

/** What an application is subscribed to. */
export default function ApplicationScreen() {
  return <ApplicationFrame>{(application) => <Subscriptions applicationId={application.id} />}</ApplicationFrame>;
}

function Subscriptions({ applicationId }: { applicationId: string }) {
  const [changed, setChanged] = useState<Subscription>();
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: ["/api/v1/subscriptions"] });
  return (
    <>
      <List<Subscription>
        label="Subscriptions"
        load={({ cursor }) => read("/api/v1/subscriptions", { params: { query: { cursor, "filter[application]": applicationId } } })}
        columns={[
          {
            title: "Product",
            wide: true,
            cell: (row) => (
              <Link to={`/products/${row.product_id}`} className="font-medium hover:text-accent hover:underline">
                {row.product_title}
              </Link>
            ),
          },
          { title: "Plan", cell: (row) => row.plan_title },
          { title: "State", cell: (row) => <State of={row.state ?? "active"} /> },
          { title: "Since", minor: true, cell: (row) => <Time at={row.created_at} /> },
          {
            title: "Actions",
            cell: (row) =>
              row.state !== "cancelled" && (
                <span className="flex gap-2">
                  <Button small onClick={() => setChanged(row)}>Change plan</Button>
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
                    Calls to the product are refused within a second. You can subscribe again later.
                  </ConfirmButton>
                </span>
              ),
          },
        ]}
        empty={{
          title: "Subscribed to nothing yet",
          text: "Choose a product in the catalogue; its key is then shown in a call that works.",
          action: (
            <ButtonLink to="/" kind="primary">
              Catalogue
            </ButtonLink>
          ),
        }}
      />
      <Dialog open={changed !== undefined} onClose={() => setChanged(undefined)} title="Change the plan">
        {changed && (
          <PlanForm
            of={changed}
            after={() => {
              setChanged(undefined);
              void refresh();
            }}
          />
        )}
      </Dialog>
    </>
  );
}

function PlanForm({ of, after }: { of: Subscription; after: () => void }) {
  const product = useQuery(read("/api/v1/catalogue/products/{id}", { params: { path: { id: of.product_id } } }));
  const form = useForm({
    initial: { plan_id: of.plan_id },
    send: async (body) => client.PATCH("/api/v1/subscriptions/{id}", { params: { path: { id: of.id }, header: ifMatch(of) }, body }),
    after,
  });
  return (
    <Loaded query={product}>
      {(each) => (
        <FormPanel form={form} submit="Change plan" unguarded>
          <SelectField
            label="Plan"
            pointer="/plan_id"
            value={form.values.plan_id}
            set={(plan_id) => form.set({ plan_id })}
            options={each.plans.map((plan) => [plan.id, `${plan.title} (${rate(plan.rate_limit).toLowerCase()})`])}
          />
        </FormPanel>
      )}
    </Loaded>
  );
}
