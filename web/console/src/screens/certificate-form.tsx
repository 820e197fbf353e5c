import { type Schemas, read } from "@gateline/api-client";
import { ChoiceField, FormPanel, Loaded, SelectField, TextArea, TextField, useForm } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";

type Spec = Schemas["CertificateSpec"];
type Patch = Schemas["CertificatePatch"];
type Source = "pem" | "acme";

interface Props {
  certificate?: Spec;
  submit: string;
  cancel: string;
  send: (spec: Spec & Patch) => Promise<{ id: string }>;
  after: (id: string) => void;
}

/** The form of a certificate, new or changed. */
export function CertificateForm(props: Props) {
  const environments = useQuery(read("/api/v1/environments", { params: { query: { limit: 100 } } }));
  return <Loaded query={environments}>{({ data }) => <Form {...props} environments={data} />}</Loaded>;
}

function Form(props: Props & { environments: Schemas["Environment"][] }) {
  const { certificate, environments } = props;
  const form = useForm({
    initial: {
      name: certificate?.name ?? "",
      environment: certificate?.environment ?? environments[0]?.name ?? "",
      hosts: certificate?.hosts.join("\n") ?? "",
      source: (certificate?.acme ? "acme" : "pem") as Source,
      chain: certificate?.pem?.chain ?? "",
      key: "",
      directory: certificate?.acme?.directory_url ?? "https://acme-v02.api.letsencrypt.org/directory",
      contacts: certificate?.acme?.contacts?.join("\n") ?? "",
      challenge: certificate?.acme?.challenge ?? "http_01",
      agreed: certificate?.acme?.terms_agreed ?? false,
      roots: certificate?.acme?.authorities ?? "",
      clients: certificate?.client_auth?.mode ?? "none",
      authorities: certificate?.client_auth?.authorities ?? "",
      forward: certificate?.client_auth?.forward ?? false,
    },
    send: async (values) => props.send(said(values, certificate !== undefined)),
    after: ({ id }) => props.after(id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField label="Name" pointer="/name" mono help="Lower-case letters, digits and hyphens." value={values.name} set={(name) => set({ name })} />
      <SelectField
        label="Environment"
        pointer="/environment"
        value={values.environment}
        set={(environment) => set({ environment })}
        options={environments.map((each) => [each.name, each.title])}
      />
      <TextArea
        label="Hosts"
        pointer="/hosts"
        mono
        rows={3}
        help="One per line: api.example.com, or *.example.com for any one name in front."
        value={values.hosts}
        set={(hosts) => set({ hosts })}
      />
      <ChoiceField
        label="Where it comes from"
        single
        options={[
          { value: "pem", title: "I have it", text: "A certificate and its private key, made elsewhere." },
          { value: "acme", title: "Order it", text: "From an ACME server, which checks the hosts; it is renewed in time." },
        ]}
        chosen={[values.source]}
        set={([source]) => set({ source: source as Source })}
      />
      {values.source === "pem" ? (
        <>
          <TextArea label="Certificates" pointer="/pem/chain" mono rows={6} help="In PEM, the hosts' own first." value={values.chain} set={(chain) => set({ chain })} />
          <TextArea
            label="Private key"
            pointer="/pem/private_key"
            mono
            rows={4}
            help={
              certificate?.pem
                ? "In PEM. Nobody can read the one that is there; leave this empty to keep it."
                : "In PEM, not locked with a password. It is sealed when it is saved, and nobody can read it again."
            }
            value={values.key}
            set={(key) => set({ key })}
          />
        </>
      ) : (
        <>
          <TextField label="Directory" pointer="/acme/directory_url" mono value={values.directory} set={(directory) => set({ directory })} />
          <TextArea
            label="Contacts"
            pointer="/acme/contacts"
            rows={2}
            help="Mail addresses that the server may write to, one per line."
            value={values.contacts}
            set={(contacts) => set({ contacts })}
          />
          <SelectField
            label="How the hosts are checked"
            pointer="/acme/challenge"
            value={values.challenge}
            set={(challenge) => set({ challenge: challenge as "http_01" })}
            options={[
              ["http_01", "Over HTTP on port 80"],
              ["tls_alpn_01", "Over TLS on port 443"],
            ]}
          />
          <TextArea
            label="Authorities of the server"
            pointer="/acme/authorities"
            mono
            rows={2}
            help="In PEM, for a server of your own; empty for those of the web."
            value={values.roots}
            set={(roots) => set({ roots })}
          />
          <ChoiceField
            label="Terms of service"
            options={[{ value: "agreed", title: "I agree to the server's terms of service", text: "Nothing is ordered before." }]}
            chosen={values.agreed ? ["agreed"] : []}
            set={(chosen) => set({ agreed: chosen.includes("agreed") })}
          />
        </>
      )}
      <SelectField
        label="Certificates of clients"
        pointer="/client_auth"
        help="Routes can ask for more with a condition on `client_certificate`."
        value={values.clients}
        set={(clients) => set({ clients: clients as "none" })}
        options={[
          ["none", "Clients are not asked for one"],
          ["optional", "Clients may show one"],
          ["required", "Clients have to show one"],
        ]}
      />
      {values.clients !== "none" && (
        <>
          <TextArea
            label="Authorities of clients"
            pointer="/client_auth/authorities"
            mono
            rows={6}
            help="In PEM: who may have signed the certificates of clients."
            value={values.authorities}
            set={(authorities) => set({ authorities })}
          />
          <ChoiceField
            label="Upstreams"
            options={[{ value: "forward", title: "Tell them the client's certificate", text: "As the field Client-Cert (RFC 9440)." }]}
            chosen={values.forward ? ["forward"] : []}
            set={(chosen) => set({ forward: chosen.includes("forward") })}
          />
        </>
      )}
    </FormPanel>
  );
}

interface Values {
  name: string;
  environment: string;
  hosts: string;
  source: Source;
  chain: string;
  key: string;
  directory: string;
  contacts: string;
  challenge: string;
  agreed: boolean;
  roots: string;
  clients: string;
  authorities: string;
  forward: boolean;
}

const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The body of the call; of a change, what is gone is said to be (RFC 7396). */
function said(values: Values, isChange: boolean): Spec & Patch {
  const gone = isChange ? null : undefined;
  const isOrdered = values.source === "acme";
  const body = {
    name: values.name,
    environment: values.environment,
    hosts: lines(values.hosts),
    pem: isOrdered ? gone : { chain: values.chain, ...(values.key.trim() ? { private_key: values.key } : {}) },
    acme: isOrdered
      ? {
          directory_url: values.directory,
          contacts: lines(values.contacts),
          challenge: values.challenge,
          terms_agreed: values.agreed,
          authorities: values.roots.trim() ? values.roots : gone,
        }
      : gone,
    client_auth: values.clients === "none" ? gone : { mode: values.clients, authorities: values.authorities, forward: values.forward },
  };
  return body as Spec & Patch;
}
