import { client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { CertificateForm } from "./certificate-form";

/** A new certificate. */
export default function CertificateNew() {
  const go = useGo();
  return (
    <Detail from={["/certificates", "Certificates"]} title="Add a certificate">
      <CertificateForm
        submit="Add certificate"
        cancel="/certificates"
        send={async (body) => done(await client.POST("/api/v1/certificates", { body }))}
        after={(id) => go(`/certificates/${id}`)}
      />
    </Detail>
  );
}
