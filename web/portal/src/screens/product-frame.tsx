import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Detail, Loaded, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

/** A product with the versions in it. */
export type Product = Schemas["CatalogueDetail"];

const tabs: [path: string, title: string][] = [
  ["", "Overview"],
  ["reference", "Reference"],
  ["plans", "Plans"],
];

/** Head and tabs of a product around each of its screens. */
export function ProductFrame({ children }: { children: (product: Product) => ReactNode }) {
  const id = useParam("id");
  const query = useQuery(read("/api/v1/catalogue/products/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query} rows={6}>
      {(product) => (
        <Detail
          from={["/", "Catalogue"]}
          title={product.title}
          text={`by ${product.provider}`}
          actions={
            product.plans.length > 0 && (
              <ButtonLink to={`/products/${id}/subscribe`} kind="primary">
                Get a key
              </ButtonLink>
            )
          }
          tabs={{ base: `/products/${id}`, of: tabs }}
        >
          {children(product)}
        </Detail>
      )}
    </Loaded>
  );
}

/** The API's title of a version. */
export const titleOf = (product: Product, version: Product["versions"][number]): string =>
  product.apis.find((api) => api.id === version.api_id)?.title ?? product.title;
