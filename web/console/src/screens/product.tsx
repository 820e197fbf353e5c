import { client, ifMatch, read } from "@gateline/api-client";
import { ButtonLink, ConfirmButton, Copyable, Detail, Loaded, Markdown, Section, State, Table, Time, price, quota, rate, useGo, useParam } from "@gateline/ui";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Subscriptions } from "./api/consumers";

/** One product: what is in it, what it is offered under, who uses it. */
export default function ProductScreen() {
  const id = useParam("id");
  const go = useGo();
  const path = { params: { path: { id } } };
  const query = useQuery(read("/api/v1/products/{id}", path));
  return (
    <Loaded query={query}>
      {(product) => (
        <Detail
          from={["/products", "Products"]}
          title={product.title}
          status={<State of={product.visibility ?? "private"} />}
          actions={
            <>
              {product.visibility === "public" && (
                <a className="self-center px-2 link" href={`/portal/products/${id}`}>
                  See in the portal
                </a>
              )}
              <ButtonLink to={`/products/${id}/edit`}>Change</ButtonLink>
              <ConfirmButton
                label="Delete"
                title={`Delete ${product.title}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/products/{id}", { params: { path: { id }, header: ifMatch(product) } });
                  go("/products");
                }}
              >
                A product with subscriptions cannot be deleted; cancel them first.
              </ConfirmButton>
            </>
          }
          facts={[
            ["Name", <code key="name">{product.name}</code>],
            ["Id", <Copyable key="id" text={product.id} />],
            ["Made", <Time key="made" at={product.created_at} />],
            ["Changed", <Time key="changed" at={product.updated_at} />],
          ]}
        >
          {product.description && <Markdown text={product.description} />}
          <Versions ids={product.version_ids} />
          <Plans ids={product.plan_ids} />
          <Section title="Subscriptions">
            <Subscriptions productId={id} />
          </Section>
        </Detail>
      )}
    </Loaded>
  );
}

function Versions({ ids }: { ids: string[] }) {
  const queries = useQueries({ queries: ids.map((id) => read("/api/v1/versions/{id}", { params: { path: { id } } })) });
  const apis = useQuery(read("/api/v1/apis", { params: { query: { limit: 200 } } }));
  const versions = queries.flatMap((query) => (query.data ? [query.data] : []));
  return (
    <Section title="Versions">
      <Table
        label="Versions"
        rows={versions}
        columns={[
          {
            title: "API",
            wide: true,
            cell: (version) => (
              <Link to={`/apis/${version.api_id}`} className="link">
                {apis.data?.data.find((api) => api.id === version.api_id)?.title ?? version.api_id}
              </Link>
            ),
          },
          { title: "Version", cell: (version) => version.name },
          { title: "Stage", cell: (version) => <State of={version.stage} /> },
          { title: "Operations", numeric: true, cell: (version) => version.operations },
        ]}
      />
    </Section>
  );
}

function Plans({ ids }: { ids: string[] }) {
  const query = useQuery(read("/api/v1/plans", { params: { query: { limit: 200 } } }));
  return (
    <Section title="Plans">
      <Loaded query={query}>
        {(page) => (
          <Table
            label="Plans"
            rows={page.data.filter((plan) => ids.includes(plan.id))}
            to={(plan) => `/plans/${plan.id}`}
            columns={[
              { title: "Plan", cell: (plan) => plan.title },
              { title: "Rate limit", cell: (plan) => rate(plan.rate_limit) },
              { title: "Quota", cell: (plan) => quota(plan.quota) },
              { title: "Price", cell: (plan) => price(plan.price) },
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}
