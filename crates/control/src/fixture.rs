//! What tests of use cases begin with: a control plane on a fresh database with two tenants.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Timestamp;
use domain::catalog::{Api, Version};
use domain::consumer::{Application, Subscription};
use domain::id::{NodeId, OrganizationId, UserId, WorkspaceId};
use domain::identity::{OrganizationSpec, Role};
use domain::import::{ImportSpec, Imported};
use domain::lake::{CallSums, Retention, Subject, SumsQuery};
use domain::offer::{Plan, Product};
use events::Batch;
use events::sink::SinkError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::Store;
use uuid::Uuid;

use crate::access::{Principal, Roles};
use crate::lake::{Lake, Later, Query, QueryError, Rows, Trouble};
use crate::resource::{Resource, parse};
use crate::{Caller, Control, Error};

/// A control plane with the tenants `acme`, with which the installation began, and `globex`, which signed up.
pub(crate) struct World {
    pub(crate) control: Control,
    /// The owner of `acme`.
    pub(crate) acme: Caller,
    /// The owner of `globex`.
    pub(crate) globex: Caller,
    now: Arc<AtomicI64>,
}

/// A lake that notes what it is told and keeps nothing.
#[derive(Default)]
pub(crate) struct Noting {
    /// The ids of the tracked events that it was to keep.
    pub(crate) events: Mutex<Vec<String>>,
    /// Whose calls were to be forgotten.
    pub(crate) erased: Mutex<Vec<Subject>>,
}

impl Lake for Noting {
    fn commit<'a>(&'a self, _: NodeId, batches: &'a [Batch]) -> Later<'a, Result<u64, SinkError>> {
        let events = batches.iter().flat_map(|batch| batch.tracked().unwrap());
        let ids = events.map(|event| event.id.to_string());
        self.events.lock().unwrap().extend(ids);
        Box::pin(async { Ok(batches.last().map_or(0, Batch::sequence)) })
    }

    fn query(&self, _: Query) -> Later<'_, Result<Box<dyn Rows>, QueryError>> {
        unreachable!("nothing is asked")
    }

    fn sums(&self, _: SumsQuery) -> Later<'_, Result<Vec<CallSums>, QueryError>> {
        unreachable!("nothing is summed up")
    }

    fn compact(&self) -> Later<'_, Result<(), Trouble>> {
        unreachable!("nothing is joined")
    }

    fn expire(&self, _: Retention, _: Timestamp) -> Later<'_, Result<(), Trouble>> {
        unreachable!("nothing expires")
    }

    fn erase(&self, subject: Subject) -> Later<'_, Result<(), Trouble>> {
        self.erased.lock().unwrap().push(subject);
        Box::pin(async { Ok(()) })
    }
}

/// Two operations, with a server that nobody listens on.
pub(crate) const PETS: &str = r#"
openapi: 3.0.3
info: { title: Pet shop, version: "1.0", description: Sells pets. }
servers: [{ url: "http://127.0.0.1:9/base/" }]
paths:
  /pets:
    get: { operationId: list_pets, responses: { "200": { description: ok } } }
  /pets/{pet_id}:
    get:
      operationId: read_pet
      parameters: [{ name: pet_id, in: path, required: true, schema: { type: string } }]
      responses: { "200": { description: ok } }
"#;

impl World {
    pub(crate) async fn new(url: &str) -> Self {
        let now = Arc::new(AtomicI64::new(1_763_640_000_000_000));
        let clock = Arc::clone(&now);
        let clock = Arc::new(move || Timestamp::from_micros(clock.load(Ordering::Relaxed)));
        let store = Store::open(url).await.unwrap();
        let control = Control::new(store, clock).unwrap();
        Self {
            acme: tenant(&control, "acme", &Caller::system(None)).await,
            globex: tenant(&control, "globex", &Caller::anonymous(None)).await,
            control,
            now,
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, while_: Duration) {
        let micros = i64::try_from(while_.as_micros()).unwrap();
        self.now.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) async fn workspace(&self, caller: &Caller) -> WorkspaceId {
        self.control.default_workspace(caller).await.unwrap()
    }

    pub(crate) async fn import(&self, caller: &Caller, fields: Value) -> Result<Imported, Error> {
        self.control.import(caller, import_spec(fields)).await
    }

    /// Imports [`PETS`] as `shop`, published.
    pub(crate) async fn shop(&self) -> Imported {
        let fields = json!({ "name": "shop", "publish": true });
        self.import(&self.acme, fields).await.unwrap()
    }

    pub(crate) async fn make<T: Resource>(
        &self,
        caller: &Caller,
        parent: &T::Parent,
        spec: Value,
    ) -> Result<T, Error> {
        let spec = parse::<T::Spec>(spec)?;
        self.control.create::<T>(caller, parent, spec).await
    }

    pub(crate) async fn api(&self, caller: &Caller, name: &str) -> Api {
        let workspace = self.workspace(caller).await;
        let spec = json!({ "name": name, "title": name });
        self.make::<Api>(caller, &workspace, spec).await.unwrap()
    }

    pub(crate) async fn version(&self, caller: &Caller, api: &Api) -> Version {
        let spec = json!({ "name": "1", "stage": "draft" });
        self.make::<Version>(caller, &api.id, spec).await.unwrap()
    }

    pub(crate) async fn plan(&self, caller: &Caller, name: &str, keys_max: u32) -> Plan {
        let spec = json!({ "name": name, "title": name, "keys_max": keys_max });
        self.make::<Plan>(caller, &(), spec).await.unwrap()
    }

    pub(crate) async fn application(&self, caller: &Caller, name: &str) -> Application {
        let spec = json!({ "name": name, "title": name });
        self.make::<Application>(caller, &(), spec).await.unwrap()
    }

    pub(crate) async fn subscribe(
        &self,
        application: &Application,
        caller: &Caller,
        product: &Product,
    ) -> Result<Subscription, Error> {
        let spec = json!({
            "application_id": application.id,
            "product_id": product.id,
            "plan_id": product.spec.plan_ids[0],
        });
        self.make::<Subscription>(caller, &(), spec).await
    }

    pub(crate) async fn product(&self, imported: &Imported) -> Product {
        let id = imported.product.unwrap();
        self.control.read::<Product>(&self.acme, id).await.unwrap()
    }
}

/// An import of [`PETS`] with other fields.
pub(crate) fn import_spec(fields: Value) -> ImportSpec {
    let mut spec = json!({ "document": PETS });
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    spec.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(spec).unwrap()
}

/// A value from JSON.
pub(crate) fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A member of an organization.
pub(crate) fn member(organization: OrganizationId, role: Role) -> Caller {
    Caller {
        principal: Principal::User(UserId::new(Uuid::now_v7())),
        organization: Some(organization),
        roles: Roles {
            organization: Some(role),
            workspaces: Vec::new(),
        },
        request_id: Some("req_1".into()),
    }
}

async fn tenant(control: &Control, name: &str, founder: &Caller) -> Caller {
    let spec = OrganizationSpec {
        name: name.parse().unwrap(),
        title: name.to_uppercase(),
    };
    let mut tx = control.store().begin().await.unwrap();
    let organization = control.found_organization(&mut tx, founder, spec, None).await;
    let organization = organization.unwrap();
    tx.commit().await.unwrap();
    member(organization.id, Role::Owner)
}

/// The code and the pointers of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, Vec<String>) {
    let error = result.unwrap_err();
    let pointers = match &error {
        Error::Refused { errors, .. } => errors.iter().map(|error| error.pointer.clone()).collect(),
        other => panic!("not a refusal: {other:?}"),
    };
    (error.code().as_str(), pointers)
}

/// The code and the detail of a refusal.
pub(crate) fn detail<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    format!("{}: {error}", error.code().as_str())
}
