import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, ListPage, Time, price, quota, rate } from "@gateline/ui";

type Plan = Schemas["Plan"];

/** All plans. */
export default function Plans() {
  const create = (
    <ButtonLink to="/plans/new" kind="primary">
      Create a plan
    </ButtonLink>
  );
  return (
    <ListPage<Plan>
      title="Plans"
      label="Plans"
      text="Limits, quotas and prices. A product is offered under one or more of them."
      actions={create}
      load={({ q, cursor }) => read("/api/v1/plans", { params: { query: { q, cursor } } })}
      searchable
      to={(plan) => `/plans/${plan.id}`}
      columns={[
        { title: "Title", wide: true, cell: (plan) => plan.title },
        { title: "Name", wide: true, cell: (plan) => <code>{plan.name}</code> },
        { title: "Rate limit", cell: (plan) => rate(plan.rate_limit) },
        { title: "Quota", cell: (plan) => quota(plan.quota) },
        { title: "Price", cell: (plan) => price(plan.price) },
        { title: "Changed", minor: true, cell: (plan) => <Time at={plan.updated_at} /> },
      ]}
      empty={{
        title: "Make the first plan",
        text: (
          <>
            <p>A plan says how many calls an application may make, and what that costs. It can also stand in a file:</p>
            <Command text={"gateline apply -f plans/"} />
          </>
        ),
        action: create,
      }}
    />
  );
}
