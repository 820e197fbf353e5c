import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, ListPage, State, Time } from "@gateline/ui";

type Product = Schemas["Product"];

/** All products. */
export default function Products() {
  const create = (
    <ButtonLink to="/products/new" kind="primary">
      Create a product
    </ButtonLink>
  );
  return (
    <ListPage<Product>
      title="Products"
      label="Products"
      text="What consumers subscribe to: a bundle of API versions under one or more plans."
      actions={create}
      load={({ q, cursor }) => read("/api/v1/products", { params: { query: { q, cursor } } })}
      searchable
      to={(product) => `/products/${product.id}`}
      columns={[
        { title: "Title", wide: true, cell: (product) => product.title },
        { title: "Name", cell: (product) => <code>{product.name}</code> },
        { title: "Visibility", cell: (product) => <State of={product.visibility ?? "private"} /> },
        { title: "Versions", numeric: true, cell: (product) => product.version_ids.length },
        { title: "Plans", numeric: true, cell: (product) => product.plan_ids.length },
        { title: "Changed", minor: true, cell: (product) => <Time at={product.updated_at} /> },
      ]}
      empty={{
        title: "Offer the first product",
        text: (
          <>
            <p>A published import makes one of the same name. Or bundle versions of several APIs yourself.</p>
            <Command text="gateline import openapi.yaml --upstream http://127.0.0.1:9000 --publish" />
          </>
        ),
        action: create,
      }}
    />
  );
}
