import { Empty, ReferenceFrame } from "@gateline/ui";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type Product, ProductFrame, titleOf } from "./product-frame";

/** The reference of what is in a product; try-it calls stay on this origin. */
export default function ReferenceScreen() {
  return <ProductFrame>{(product) => <Versioned product={product} />}</ProductFrame>;
}

function Versioned({ product }: { product: Product }) {
  const search = useSearch({ strict: false }) as { version?: string };
  const navigate = useNavigate();
  const version = product.versions.find((each) => each.id === search.version) ?? product.versions[0];
  if (!version) return <Empty title="Nothing to read yet">The provider has not published a version.</Empty>;
  return (
    <>
      {product.versions.length > 1 && (
        <select
          aria-label="Version"
          className="input mb-4 w-auto"
          value={version.id}
          onChange={(event) => void navigate({ to: ".", search: { version: event.target.value } as never })}
        >
          {product.versions.map((each) => (
            <option key={each.id} value={each.id}>
              {titleOf(product, each)} {each.name} ({each.stage})
            </option>
          ))}
        </select>
      )}
      <ReferenceFrame contract={`/api/v1/catalogue/versions/${version.id}/contract`} versionId={version.id} />
    </>
  );
}
