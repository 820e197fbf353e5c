import { client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { ProductForm } from "./product-form";

/** A new product. */
export default function ProductNew() {
  const go = useGo();
  return (
    <Detail from={["/products", "Products"]} title="Create a product" text="A bundle of API versions, offered to consumers under plans.">
      <ProductForm
        submit="Create product"
        cancel="/products"
        send={async (body) => done(await client.POST("/api/v1/products", { body }))}
        after={(id) => go(`/products/${id}`)}
      />
    </Detail>
  );
}
