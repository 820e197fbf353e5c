import { ButtonLink, Empty, Markdown, price, quota, rate, serviceLevel } from "@gateline/ui";
import { ProductFrame } from "./product-frame";

/** What a product is offered under. */
export default function PlansScreen() {
  return (
    <ProductFrame>
      {(product) =>
        product.plans.length === 0 ? (
          <Empty title="No plan yet">The provider has to offer it under a plan first.</Empty>
        ) : (
          <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
            {product.plans.map((plan) => (
              <li key={plan.id} className="flex flex-col gap-4 rounded-lg border border-line bg-surface p-5">
                <div>
                  <h2 className="text-lg">{plan.title}</h2>
                  <p className="text-2xl leading-tight font-semibold tracking-tight">{price(plan.price)}</p>
                </div>
                <dl className="grid grid-cols-[6rem_minmax(0,1fr)] gap-y-1">
                  <dt className="text-ink-2">Rate limit</dt>
                  <dd>{rate(plan.rate_limit)}</dd>
                  <dt className="text-ink-2">Quota</dt>
                  <dd>{quota(plan.quota)}</dd>
                  {plan.service_level && (
                    <>
                      <dt className="text-ink-2">Promise</dt>
                      <dd>{serviceLevel(plan.service_level)}</dd>
                    </>
                  )}
                  <dt className="text-ink-2">Keys</dt>
                  <dd>up to {plan.keys_max} per application</dd>
                </dl>
                {plan.description && <Markdown text={plan.description} />}
                <div className="mt-auto">
                  <ButtonLink to={`/products/${product.id}/subscribe`} search={{ plan: plan.id }}>
                    Subscribe
                  </ButtonLink>
                </div>
              </li>
            ))}
          </ul>
        )
      }
    </ProductFrame>
  );
}
