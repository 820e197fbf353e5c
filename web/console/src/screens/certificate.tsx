import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { ConfirmButton, Copyable, Detail, Loaded, Section, State, Time, plural, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { CertificateForm } from "./certificate-form";

type Certificate = Schemas["Certificate"];

/** One certificate: how it is, what it says, and its form. */
export default function CertificateScreen() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const path = { params: { path: { id } } };
  const query = useQuery(read("/api/v1/certificates/{id}", path));
  return (
    <Loaded query={query}>
      {(certificate) => (
        <Detail
          from={["/certificates", "Certificates"]}
          title={certificate.name}
          status={<State of={certificate.state ?? "pending"} />}
          actions={
            <ConfirmButton
              label="Delete"
              title={`Delete ${certificate.name}?`}
              onConfirm={async () => {
                await client.DELETE("/api/v1/certificates/{id}", { params: { path: { id }, header: ifMatch(certificate) } });
                go("/certificates");
              }}
            >
              Gateways stop showing it at once; its hosts are shown the certificate of the gateway itself. The private key is gone for good.
            </ConfirmButton>
          }
          facts={[...told(certificate), ["Id", <Copyable key="id" text={certificate.id} />]]}
        >
          {certificate.order && <Order of={certificate.order} />}
          <Section title="Change it">
            <CertificateForm
              key={certificate.revision}
              certificate={certificate}
              submit="Save changes"
              cancel="/certificates"
              send={async (body) =>
                done(await client.PATCH("/api/v1/certificates/{id}", { params: { path: { id }, header: ifMatch(certificate) }, body }))
              }
              after={() => void queries.invalidateQueries({ queryKey: ["/api/v1/certificates/{id}"] })}
            />
          </Section>
        </Detail>
      )}
    </Loaded>
  );
}

/** What the certificate says of itself. */
function told({ facts }: Certificate): [string, ReactNode][] {
  if (!facts) return [];
  return [
    ["Ends", <Time key="ends" at={facts.not_after} />],
    ["Holds since", <Time key="since" at={facts.not_before} />],
    ["For", <span key="for" className="break-words">{facts.names.join(", ")}</span>],
    ["Subject", <code key="subject" className="break-words">{facts.subject || "–"}</code>],
    ["Signed by", <code key="issuer" className="break-words">{facts.issuer}</code>],
    ["SHA-256", <Copyable key="sha" text={facts.fingerprint_sha256} />],
  ];
}

/** How ordering goes. */
function Order({ of }: { of: Schemas["OrderState"] }) {
  return (
    <Section title="Order">
      <p>
        Next attempt or renewal: <Time at={of.next_at} never="none is due" />.
        {(of.failures ?? 0) > 0 && ` ${plural(of.failures ?? 0, "attempt")} failed since the last one that did not.`}
      </p>
      {of.error && <p className="mt-2 break-words text-bad">{of.error}</p>}
    </Section>
  );
}
