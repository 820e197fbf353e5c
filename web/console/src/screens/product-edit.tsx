import { client, done, ifMatch, read } from "@gateline/api-client";
import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ProductForm } from "./product-form";

/** Changes a product. */
export default function ProductEdit() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/products/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(product) => (
        <Detail from={[`/products/${id}`, product.title]} title="Change the product">
          <ProductForm
            product={product}
            submit="Save changes"
            cancel={`/products/${id}`}
            send={async (body) => {
              const answer = await client.PATCH("/api/v1/products/{id}", { params: { path: { id }, header: ifMatch(product) }, body });
              await queries.invalidateQueries({ queryKey: ["/api/v1/products/{id}"] });
              return done(answer);
            }}
            after={() => go(`/products/${id}`)}
          />
        </Detail>
      )}
    </Loaded>
  );
}
