//! The catalogue: what everybody may see in the portal.

use std::sync::Arc;

use bytes::Bytes;
use control::Error;
use control::catalogue::CatalogueQuery;
use domain::Name;
use domain::catalogue::{CatalogueDetail, CatalogueProduct};
use domain::id::{ProductId, VersionId};
use http::StatusCode;

use super::contracts::{JSON, answer_document, contents};
use crate::answer;
use crate::call::Call;
use crate::crud;
use crate::endpoint::{Access, Endpoint};
use crate::page;
use crate::parameter::{Parameter, text};

/// `list_catalogue_products`, `read_catalogue_product`, `read_catalogue_contract`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list(), read(), contract()]
}

fn list() -> Endpoint {
    Endpoint::get("/api/v1/catalogue/products", "list_catalogue_products")
        .tag("catalogue")
        .says(
            "List the products of the catalogue",
            "Public products of all organizations; for who has signed in also the private ones of their organization.",
        )
        .access(Access::Optional)
        .takes_all(Parameter::page(&["-created_at", "created_at", "name", "-name"]))
        .takes(Parameter::search())
        .answers_page_of::<CatalogueProduct>("A page.")
        .to(|call| async move {
            let window = page::asked(&call)?.window();
            let by = window.by;
            let query = CatalogueQuery {
                q: call.query("q").map(str::to_owned),
                window,
            };
            let listed = call.control().catalogue(&call.caller, &query).await?;
            let last = listed.data.last().filter(|_| listed.has_more);
            let place = |product: &CatalogueProduct| match by {
                "name" => product.name.to_string(),
                _ => product.id.to_string(),
            };
            let next = last.map(|product| (place(product), product.id.to_string()));
            page::answer(&call, page::values(&listed.data)?, next)
        })
}

fn read() -> Endpoint {
    Endpoint::get("/api/v1/catalogue/products/{id}", "read_catalogue_product")
        .tag("catalogue")
        .says(
            "Read a product of the catalogue",
            "With its APIs, the versions that can be called and where, and its plans.",
        )
        .access(Access::Optional)
        .takes_id::<ProductId>("The product's id.")
        .answers::<CatalogueDetail>(200, "The product.")
        .to(|call| async move {
            let product = call.control().catalogue_product(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &product)
        })
}

fn contract() -> Endpoint {
    Endpoint::get("/api/v1/catalogue/versions/{id}/contract", "read_catalogue_contract")
        .tag("catalogue")
        .says(
            "Read the contract of a version as consumers see it",
            "Its `servers` are the gateway, its security scheme is the API key. For pages that try calls, replace the server \
             by `/api/v1/try/{id}`.",
        )
        .access(Access::Optional)
        .takes_id::<VersionId>("The version's id.")
        .takes(Parameter::query("environment", "The environment's name; the first with a route if absent.", text(63)))
        .takes(crud::if_none_match())
        .answers_with(200, "The document.", contents().split_off(1))
        .with_headers(&["ETag"])
        .answers_with(304, "It is what `If-None-Match` names.", Vec::new())
        .to(answer_contract)
}

async fn answer_contract(call: Call) -> Result<axum::response::Response, Error> {
    let environment = call.query_as::<Name>("environment")?;
    let (control, id) = (call.control(), call.id()?);
    let document = control
        .effective_contract(&call.caller, id, environment.as_ref())
        .await?;
    // Not copied: it may be large, and others read it at the same time.
    let body = Bytes::from_owner(Arc::clone(&document.json));
    answer_document(&call, body, JSON, &document.sha256)
}
