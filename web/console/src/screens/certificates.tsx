import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, ListPage, State, Time } from "@gateline/ui";

type Certificate = Schemas["Certificate"];

/** All certificates. */
export default function Certificates() {
  const create = (
    <ButtonLink to="/certificates/new" kind="primary">
      Add a certificate
    </ButtonLink>
  );
  return (
    <ListPage<Certificate>
      title="Certificates"
      label="Certificates"
      text="What gateways show to clients of your hosts, and what those have to show."
      actions={create}
      load={({ q, cursor }) => read("/api/v1/certificates", { params: { query: { q, cursor } } })}
      searchable
      to={(certificate) => `/certificates/${certificate.id}`}
      columns={[
        { title: "Name", wide: true, cell: (certificate) => certificate.name },
        {
          title: "Hosts",
          wide: true,
          cell: (certificate) => (
            <code>
              {certificate.hosts[0]}
              {certificate.hosts.length > 1 && ` and ${certificate.hosts.length - 1} more`}
            </code>
          ),
        },
        { title: "State", cell: (certificate) => <State of={certificate.state ?? "pending"} /> },
        { title: "Ends", cell: (certificate) => <Time at={certificate.facts?.not_after} /> },
        { title: "From", minor: true, cell: (certificate) => (certificate.acme ? "ACME" : "Uploaded") },
        { title: "Environment", minor: true, cell: (certificate) => certificate.environment },
      ]}
      empty={{
        title: "No certificate yet",
        text: (
          <>
            <p>Without one, gateways show their own certificate for every host. Bring one, or have it ordered and renewed by an ACME server.</p>
            <Command text="gateline apply certificates.yaml" />
          </>
        ),
        action: create,
      }}
    />
  );
}
