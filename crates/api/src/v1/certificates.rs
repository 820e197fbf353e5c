//! Certificates: what gateways show to clients of some hosts.

use control::Error;
use domain::certificate::{Acme, AcmeChallenge, Certificate, CertificateSpec, CertificateState};
use domain::id::WorkspaceId;
use domain::{Code, Name};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::workspace;
use crate::call::Call;
use crate::crud::{self, Filter, Shown};
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, text};

/// `list_certificates`, `create_certificate`, `read_certificate`, `update_certificate`, `delete_certificate`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Certificate>()
}

/// What is shown beside a certificate.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Extra {
    /// How it is.
    state: CertificateState,
}

impl Shown for Certificate {
    const COLLECTION: &'static str = "/api/v1/certificates";
    const TAG: &'static str = "traffic";
    const ONE: &'static str = "a certificate";
    const MANY: &'static str = "certificates";
    const ABOUT: &'static str = "A certificate is what gateways show to clients of some hosts. It was made elsewhere (`pem`) or is ordered and renewed from an ACME server (`acme`). Gateways show it as soon as it is saved; connections that are open go on. The private key is only written: no answer and no log has it.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::HostTaken, Code::CertificateInvalid];
    type Extra = Extra;

    fn example() -> CertificateSpec {
        CertificateSpec {
            name: "shop".parse().expect("it is a name"),
            environment: "sandbox".parse().expect("it is a name"),
            hosts: vec!["api.example.com".to_owned()],
            pem: None,
            acme: Some(Acme {
                directory_url: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
                contacts: vec!["ops@example.com".to_owned()],
                challenge: AcmeChallenge::Http01,
                terms_agreed: true,
                authorities: None,
            }),
            client_auth: None,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "hosts": ["www.example.com"] })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[environment]",
                    "Only those of this environment.",
                    text(63),
                ),
                condition: |text| crud::is::<Name>("environment", text),
            },
            workspace::filter(),
        ]
    }

    fn parent_parameters() -> Vec<Parameter> {
        vec![workspace::parameter()]
    }

    async fn parent(call: &Call) -> Result<WorkspaceId, Error> {
        workspace::chosen(call).await
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<Extra>, Error> {
        let now = call.control().now();
        let states = them.iter().map(|it| Extra { state: it.state(now) });
        Ok(states.collect())
    }
}
