import { type Schemas, client, done, read } from "@gateline/api-client";
import { ChoiceField, FormPanel, Loaded, SelectField, TextArea, TextField, nameOf, plural, quota, rate, useForm } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";

type Spec = Schemas["ProductSpec"];

interface Props {
  product?: Spec;
  submit: string;
  cancel: string;
  send: (spec: Spec) => Promise<{ id: string }>;
  after: (id: string) => void;
}

/** Every version that can be in a product, by the title of its API. */
async function versionChoices(): Promise<{ value: string; title: string; text: string }[]> {
  const apis = done(await client.GET("/api/v1/apis", { params: { query: { limit: 200 } } })).data;
  const lists = await Promise.all(
    apis.map(async (api) => {
      const page = done(await client.GET("/api/v1/apis/{id}/versions", { params: { path: { id: api.id } } }));
      return page.data.map((version) => ({ value: version.id, title: `${api.title} ${version.name}`, text: `${version.stage}, ${plural(version.operations, "operation")}` }));
    }),
  );
  return lists.flat();
}

/** The form of a product, new or changed. */
export function ProductForm(props: Props) {
  const versions = useQuery({ queryKey: ["/api/v1/apis", "versions"], queryFn: versionChoices });
  const plans = useQuery(read("/api/v1/plans", { params: { query: { limit: 200 } } }));
  return (
    <Loaded query={versions}>
      {(choices) => <Loaded query={plans}>{(page) => <Form {...props} versions={choices} plans={page.data} />}</Loaded>}
    </Loaded>
  );
}

function Form(props: Props & { versions: { value: string; title: string; text: string }[]; plans: Schemas["Plan"][] }) {
  const { product } = props;
  const form = useForm({
    initial: {
      name: product?.name ?? "",
      title: product?.title ?? "",
      description: product?.description ?? "",
      version_ids: product?.version_ids ?? [],
      plan_ids: product?.plan_ids ?? props.plans.slice(0, 1).map((plan) => plan.id),
      visibility: product?.visibility ?? ("public" as const),
    },
    send: props.send,
    after: ({ id }) => props.after(id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField
        label="Title"
        pointer="/title"
        help="What consumers read in the portal."
        value={values.title}
        set={(title) => set(values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      <TextField label="Name" pointer="/name" mono value={values.name} set={(name) => set({ name })} />
      <TextArea
        label="Description"
        optional
        pointer="/description"
        rows={8}
        help="CommonMark. Say what one can build with it, and begin with the outcome."
        value={values.description}
        set={(description) => set({ description })}
      />
      <ChoiceField label="Versions" help="What is in it." options={props.versions} chosen={values.version_ids} set={(version_ids) => set({ version_ids })} />
      <ChoiceField
        label="Plans"
        help="What it is offered under."
        options={props.plans.map((plan) => ({ value: plan.id, title: plan.title, text: `${rate(plan.rate_limit)}, ${quota(plan.quota)}` }))}
        chosen={values.plan_ids}
        set={(plan_ids) => set({ plan_ids })}
      />
      <SelectField
        label="Visibility"
        pointer="/visibility"
        value={values.visibility}
        set={(visibility) => set({ visibility: visibility === "public" ? "public" : "private" })}
        options={[
          ["public", "Public: everybody finds it in the portal"],
          ["private", "Private: members of the organization"],
        ]}
      />
    </FormPanel>
  );
}
