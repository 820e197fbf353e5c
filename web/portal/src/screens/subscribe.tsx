import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { ButtonLink, ChoiceField, Detail, FormPanel, Loaded, NewKey, SelectField, TextField, nameOf, price, quota, rate, useForm, useParam, useTarget } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { SignedIn } from "../shell";
import type { Product } from "./product-frame";

type Application = Schemas["Application"];

/** From a product to a first call: plan, application, key. */
export default function SubscribeScreen() {
  const id = useParam("id");
  const product = useQuery(read("/api/v1/catalogue/products/{id}", { params: { path: { id } } }));
  return (
    <SignedIn newcomer>
      <Loaded query={product}>{(each) => <WithApplications product={each} />}</Loaded>
    </SignedIn>
  );
}

function WithApplications({ product }: { product: Product }) {
  const query = useQuery(read("/api/v1/applications", { params: { query: { limit: 200 } } }));
  return <Loaded query={query}>{(page) => <Subscribe product={product} applications={page.data} />}</Loaded>;
}

const NEW = "new";

/** Subscribes an application to a product; when it is subscribed already, changes to the plan. */
async function subscribe(applicationId: string, productId: string, planId: string): Promise<void> {
  const query = { "filter[application]": applicationId, "filter[product]": productId };
  const page = done(await client.GET("/api/v1/subscriptions", { params: { query } }));
  const there = page.data.find((each) => each.state !== "cancelled");
  if (!there) {
    await client.POST("/api/v1/subscriptions", { body: { application_id: applicationId, product_id: productId, plan_id: planId } });
  } else if (there.plan_id !== planId) {
    const params = { path: { id: there.id }, header: ifMatch(there) };
    await client.PATCH("/api/v1/subscriptions/{id}", { params, body: { plan_id: planId } });
  }
}

function Subscribe({ product, applications }: { product: Product; applications: Application[] }) {
  const [issued, setIssued] = useState<Schemas["IssuedKey"]>();
  return (
    <Detail
      from={[`/products/${product.id}`, product.title]}
      title={issued ? "Make the first call" : "Get a key"}
      text={issued ? undefined : `For ${product.title} by ${product.provider}.`}
    >
      {issued ? <Ready product={product} issued={issued} /> : <SubscribeForm product={product} applications={applications} after={setIssued} />}
    </Detail>
  );
}

function SubscribeForm(props: { product: Product; applications: Application[]; after: (issued: Schemas["IssuedKey"]) => void }) {
  const { product, applications } = props;
  const search = useSearch({ strict: false }) as { plan?: string };
  const queries = useQueryClient();
  const environments = [...new Set(product.versions.flatMap((version) => version.routes.map((route) => route.environment)))];
  const plan = product.plans.find((each) => each.id === search.plan) ?? product.plans[0];
  const form = useForm({
    initial: {
      plan: plan?.id ?? "",
      application: applications[0]?.id ?? NEW,
      title: "",
      environment: environments[0] ?? "sandbox",
    },
    send: async (values) => {
      let application = values.application;
      if (application === NEW) {
        const body = { title: values.title, name: nameOf(values.title), description: "" };
        application = done(await client.POST("/api/v1/applications", { body })).id;
        // Should a later step fail, the next try goes on from here.
        form.set({ application });
        await queries.invalidateQueries({ queryKey: ["/api/v1/applications"] });
      }
      await subscribe(application, product.id, values.plan);
      const body = { application_id: application, environment: values.environment, title: product.title };
      return done(await client.POST("/api/v1/keys", { body }));
    },
    after: async (issued) => {
      props.after(issued);
      await queries.invalidateQueries({ queryKey: ["/api/v1/subscriptions"] });
    },
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Subscribe and make a key" cancel={`/products/${product.id}`}>
      <ChoiceField
        label="Plan"
        single
        options={product.plans.map((each) => ({
          value: each.id,
          title: each.title,
          text: `${price(each.price)}, ${rate(each.rate_limit).toLowerCase()}, ${quota(each.quota).toLowerCase()}`,
        }))}
        chosen={[values.plan]}
        set={([id]) => set({ plan: id ?? "" })}
      />
      {applications.length > 0 && (
        <SelectField
          label="Application"
          pointer="/application_id"
          help="The program that will call."
          value={values.application}
          set={(application) => set({ application })}
          options={[...applications.map((each): [string, string] => [each.id, each.title]), [NEW, "A new application"]]}
        />
      )}
      {values.application === NEW && (
        <TextField
          label="Name of the application"
          pointer="/title"
          help="What you call the program that will call the API."
          value={values.title}
          set={(title) => set({ title })}
        />
      )}
      {environments.length > 1 && (
        <SelectField
          label="Environment"
          pointer="/environment"
          value={values.environment}
          set={(environment) => set({ environment })}
          options={environments.map((each) => [each, each])}
        />
      )}
    </FormPanel>
  );
}

/** The key in a call that works. */
function Ready({ product, issued }: { product: Product; issued: Schemas["IssuedKey"] }) {
  const version = product.versions.find((each) => each.routes.some((route) => route.environment === issued.environment));
  const route = version?.routes.find((each) => each.environment === issued.environment);
  const target = useTarget(version && `/api/v1/catalogue/versions/${version.id}/contract`, route?.base_url);
  return (
    <div className="max-w-3xl">
      <NewKey issued={issued} target={target} />
      <div className="mt-6 flex flex-wrap gap-2">
        <ButtonLink to={`/applications/${issued.application_id}/usage`} kind="primary">
          Watch the usage
        </ButtonLink>
        <ButtonLink to={`/products/${product.id}/reference`}>Read the reference</ButtonLink>
      </div>
    </div>
  );
}
