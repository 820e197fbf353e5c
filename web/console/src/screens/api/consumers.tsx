import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Empty, List, Loaded, Section, State, Time } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ApiFrame } from "./frame";

type Subscription = Schemas["Subscription"];

/** Who uses the API: the products it is in, and their subscriptions. */
export default function ApiConsumers() {
  return <ApiFrame>{(_, versions) => <Consumers versions={versions} />}</ApiFrame>;
}

function Consumers({ versions }: { versions: Schemas["Version"][] }) {
  const query = useQuery(read("/api/v1/products", { params: { query: { limit: 200 } } }));
  const ids = new Set(versions.map((version) => version.id));
  return (
    <Loaded query={query}>
      {(page) => {
        const products = page.data.filter((product) => product.version_ids.some((id) => ids.has(id)));
        if (products.length === 0) {
          return (
            <Empty title="In no product yet" action={<ButtonLink to="/products/new" kind="primary">Create a product</ButtonLink>}>
              Consumers subscribe to products. Put a version of this API into one.
            </Empty>
          );
        }
        return products.map((product) => (
          <Section
            key={product.id}
            title={product.title}
            actions={
              <Link to={`/products/${product.id}`} className="link">
                Product
              </Link>
            }
          >
            <Subscriptions productId={product.id} />
          </Section>
        ));
      }}
    </Loaded>
  );
}

/** Who subscribed to a product. */
export function Subscriptions({ productId }: { productId: string }) {
  return (
    <List<Subscription>
      label="Subscriptions"
      under={productId}
      load={({ cursor }) => read("/api/v1/subscriptions", { params: { query: { cursor, "filter[product]": productId } } })}
      columns={[
        { title: "Application", wide: true, cell: (row) => row.application_title },
        { title: "Organization", minor: true, cell: (row) => row.organization_title },
        { title: "Plan", cell: (row) => row.plan_title },
        { title: "State", cell: (row) => <State of={row.state ?? "active"} /> },
        { title: "Since", cell: (row) => <Time at={row.created_at} /> },
      ]}
      empty={{ title: "Nobody subscribed yet", text: "Consumers find public products in the portal." }}
    />
  );
}
