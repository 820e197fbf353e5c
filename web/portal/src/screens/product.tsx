import { Badge, Copyable, Facts, Markdown, Section, SnippetBox, State, count, price, rate, useTarget } from "@gateline/ui";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Product, ProductFrame, titleOf } from "./product-frame";

/** What a product is, what is in it, and how a first call looks. */
export default function ProductScreen() {
  return <ProductFrame>{(product) => <Overview product={product} />}</ProductFrame>;
}

function Overview({ product }: { product: Product }) {
  return (
    <div className="grid gap-10 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
      <div className="min-w-0">
        {product.description && <Markdown text={product.description} />}
        <Section title="What is in it">
          <ul className="divide-y divide-line border-y border-line">
            {product.versions.map((version) => (
              <VersionEntry key={version.id} product={product} version={version} />
            ))}
          </ul>
        </Section>
      </div>
      <FirstCall product={product} />
    </div>
  );
}

function VersionEntry({ product, version }: { product: Product; version: Product["versions"][number] }) {
  const api = product.apis.find((each) => each.id === version.api_id);
  return (
    <li className="space-y-3 py-4">
      <h3 className="flex flex-wrap items-center gap-2">
        {titleOf(product, version)} <span className="font-normal text-ink-2">{version.name}</span> <State of={version.stage} />
        {api?.tags.map((tag) => <Badge key={tag}>{tag}</Badge>)}
      </h3>
      {api?.description && api.description !== product.description && <Markdown text={api.description} />}
      <Facts
        of={[
          ...version.routes.map((route): [string, ReactNode] => [
            `Address (${route.environment})`,
            <Copyable key={route.environment} text={route.base_url} />,
          ]),
          [
            "Operations",
            <Link key="reference" to={`/products/${product.id}/reference`} search={{ version: version.id } as never} className="link">
              {count(version.operations)} in the reference
            </Link>,
          ],
        ]}
      />
    </li>
  );
}

/** A call of the first version, as it looks with a key. */
function FirstCall({ product }: { product: Product }) {
  const version = product.versions[0];
  const target = useTarget(version && `/api/v1/catalogue/versions/${version.id}/contract`, version?.routes[0]?.base_url);
  return (
    <aside aria-label="First call" className="min-w-0 space-y-3">
      <h2 className="text-lg">The first call</h2>
      {target ? <SnippetBox call={{ ...target, key: "<your key>" }} /> : <p className="text-ink-2">It is not reachable yet.</p>}
      <p className="text-ink-2">
        <Link to={`/products/${product.id}/subscribe`} className="link">
          Get a key
        </Link>{" "}
        and the call is shown with it, ready to run.
      </p>
      {product.plans.length > 0 && (
        <section className="pt-5">
          <h2 className="mb-2 text-lg">Plans</h2>
          <ul className="divide-y divide-line border-y border-line">
            {product.plans.map((plan) => (
              <li key={plan.id} className="flex flex-wrap justify-between gap-x-4 py-2">
                <Link to={`/products/${product.id}/plans`} className="font-medium hover:text-accent hover:underline">
                  {plan.title}
                </Link>
                <span className="tnum text-ink-2">
                  {price(plan.price)} · {rate(plan.rate_limit).toLowerCase()}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}
