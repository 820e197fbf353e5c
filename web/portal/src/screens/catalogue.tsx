import { type Schemas, read } from "@gateline/api-client";
import { Command, Empty, Loaded, price, rate, summary, usePause, useTitle } from "@gateline/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useState } from "react";

type Product = Schemas["CatalogueProduct"];

/** What can be subscribed to. */
export default function Catalogue() {
  useTitle("APIs");
  const search = useSearch({ strict: false }) as { q?: string; cursor?: string };
  const navigate = useNavigate();
  const [text, setText] = useState(search.q ?? "");
  const query = useQuery({
    ...read("/api/v1/catalogue/products", { params: { query: { q: search.q, cursor: search.cursor } } }),
    placeholderData: keepPreviousData,
  });
  const tell = useCallback(
    (q: string) => void navigate({ to: "/", search: { q } as never, replace: true }),
    [navigate],
  );
  usePause(text, search.q ?? "", tell);
  return (
    <>
      <div className="mb-8 grid items-end gap-6 border-b border-line pt-4 pb-8 md:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div>
          <h1 className="text-3xl leading-tight tracking-tight">Find an API, get a key, make the call.</h1>
          <p className="mt-2 max-w-[60ch] text-lg text-ink-2">
            Choose a product, sign up, and your key is already in the first call. It takes a minute.
          </p>
        </div>
        <input
          type="search"
          className="input min-h-10"
          placeholder="Search products and APIs"
          aria-label="Search products and APIs"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <Loaded query={query} rows={6}>
        {(page) =>
          page.data.length === 0 ? (
            <Nothing searched={Boolean(search.q)} />
          ) : (
            <>
              <ul aria-busy={query.isPlaceholderData} className={`divide-y divide-line ${query.isPlaceholderData ? "opacity-60" : ""}`}>
                {page.data.map((product) => (
                  <Entry key={product.id} product={product} />
                ))}
              </ul>
              {page.has_more && page.next_cursor && (
                <Link to="/" search={{ ...search, cursor: page.next_cursor } as never} className="mt-4 inline-block link">
                  Next page
                </Link>
              )}
            </>
          )
        }
      </Loaded>
    </>
  );
}

function Entry({ product }: { product: Product }) {
  const plan = product.plans[0];
  return (
    <li className="grid gap-x-8 gap-y-2 py-5 first:pt-0 md:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
      <div className="min-w-0">
        <h2 className="text-xl leading-snug">
          <Link to={`/products/${product.id}`} className="hover:text-accent hover:underline">
            {product.title}
          </Link>
        </h2>
        <p className="text-sm text-ink-2">by {product.provider}</p>
        <p className="mt-1.5 max-w-[65ch]">{summary(product.description || product.apis[0]?.description || "", 220)}</p>
      </div>
      <dl className="grid content-start grid-cols-[5rem_minmax(0,1fr)] gap-x-3 gap-y-1 text-sm">
        <dt className="text-ink-2">APIs</dt>
        <dd className="break-words">{product.apis.map((api) => api.title).join(", ") || "–"}</dd>
        <dt className="text-ink-2">From</dt>
        <dd>{plan ? `${price(plan.price)}, ${rate(plan.rate_limit).toLowerCase()}` : "–"}</dd>
      </dl>
    </li>
  );
}

function Nothing({ searched }: { searched: boolean }) {
  if (searched) return <Empty title="Nothing is called that">Search for less, or for another word.</Empty>;
  return (
    <Empty title="Nothing is offered yet">
      <p>Providers publish here with one line, or in the console:</p>
      <Command text="gateline import openapi.yaml --upstream http://127.0.0.1:9000 --publish" />
    </Empty>
  );
}
