//! Clients: machines that sign in with client credentials.

use axum::response::Response;
use control::Error;
use domain::Code;
use domain::id::ClientId;
use domain::identity::{Client, ClientSpec, Role};
use domain::session::MadeClient;
use serde_json::{Value, json};

use crate::answer;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;

/// `list_clients`, `create_client`, `read_client`, `update_client`, `delete_client`,
/// `rotate_client_secret`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        crud::list::<Client>(),
        create(),
        crud::read::<Client>(),
        crud::update::<Client>(),
        crud::delete::<Client>(),
        rotate(),
    ]
}

impl Shown for Client {
    const COLLECTION: &'static str = "/api/v1/clients";
    const TAG: &'static str = "organizations";
    const ONE: &'static str = "a machine client";
    const MANY: &'static str = "machine clients";
    const ABOUT: &'static str = "A machine client signs in with OAuth2 client credentials (`POST /api/v1/auth/token`) and has \
        one role in the organization. Its secret is told once, when it is made.";
    const REFUSALS: &'static [Code] = &[];
    type Extra = Nothing;

    fn example() -> ClientSpec {
        ClientSpec {
            title: "Deployment pipeline".to_owned(),
            role: Role::Publisher,
        }
    }

    fn patch_example() -> Value {
        json!({ "role": "viewer" })
    }

    fn filters() -> Vec<Filter> {
        vec![crud::search()]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links
            .and("token", "/api/v1/auth/token")
            .and("rotate", format!("/api/v1/clients/{}/rotate", self.id))
    }
}

fn create() -> Endpoint {
    Endpoint::post("/api/v1/clients", "create_client")
        .tag("organizations")
        .says("Create a machine client", Client::ABOUT)
        .body(&Client::example())
        .answers_shown::<MadeClient, Nothing>(201, "The client, with its secret.")
        .with_headers(&["ETag", "Location"])
        .to(|call| async move {
            let made = call.control().create_client(&call.caller, call.json()?).await?;
            answer_made(&call, made).await
        })
}

fn rotate() -> Endpoint {
    Endpoint::post("/api/v1/clients/{id}/rotate", "rotate_client_secret")
        .tag("organizations")
        .says(
            "Replace the secret of a machine client",
            "The old secret is of no use from now on.",
        )
        .takes_id::<ClientId>("The client's id.")
        .answers_shown::<MadeClient, Nothing>(201, "The client, with its new secret.")
        .with_headers(&["ETag", "Location"])
        .to(|call| async move {
            let made = call
                .control()
                .rotate_client_secret(&call.caller, call.id()?)
                .await?;
            answer_made(&call, made).await
        })
}

/// Answers a client with the secret that is told this once.
async fn answer_made(call: &Call, made: MadeClient) -> Result<Response, Error> {
    let (location, revision) = (crud::path_of(&made.client), made.client.revision);
    let mut shown = crud::shown_one(call, made.client).await?;
    shown["client_secret"] = json!(made.client_secret);
    answer::made(&shown, &location, Some(revision))
}
