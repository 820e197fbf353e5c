//! One endpoint, declared once: from it come the route, what is checked before the handler runs, and its part of
//! the OpenAPI document. So the document cannot promise what the server does not do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::response::Response;
use control::Error;
use domain::Code;
use http::Method;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::call::Call;
use crate::parameter::Parameter;
use crate::schema::Schemas;

/// The most bytes of a request body unless an endpoint says otherwise.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever has signed in; the use case asks what their role may do.
    SignedIn,
    /// Everybody; a credential is looked at if there is one.
    Optional,
    /// Everybody; no credential is looked at.
    Open,
}

/// The body an endpoint takes.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// The content types, the one that documents name first.
    pub(crate) types: &'static [&'static str],
    /// The schema, or a reference to it.
    pub(crate) schema: Value,
    /// One that works.
    pub(crate) example: Value,
    /// The most bytes.
    pub(crate) bytes_max: usize,
    /// Whether there must be one.
    pub(crate) required: bool,
    /// When its content type is looked at.
    pub(crate) typed: Typed,
}

/// When the content type of a body is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    /// It must be one that is taken.
    Always,
    /// One without a type is taken too, as browsers send what they are not told the type of.
    IfSaid,
    /// Never: the body is read as what it must be, as nodes read it, which look at no more than they have to.
    Never,
}

/// A successful answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// What it says.
    pub(crate) description: String,
    /// Content types with their schemas; none for an empty answer.
    pub(crate) content: Vec<(&'static str, Value)>,
    /// Headers beside those that every answer has.
    pub(crate) headers: &'static [&'static str],
}

type Answered = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;
type Handler = Arc<dyn Fn(Call) -> Answered + Send + Sync>;

/// One method on one path.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// The method.
    pub(crate) method: Method,
    /// The path, with parameters in braces.
    pub(crate) path: String,
    /// `operationId`, action in the audit chain and in authorization, label in metrics.
    pub(crate) id: String,
    /// The business domain it is listed under.
    pub(crate) tag: &'static str,
    /// One line.
    pub(crate) summary: String,
    /// More, in CommonMark.
    pub(crate) description: String,
    /// Who may call it.
    pub(crate) access: Access,
    /// Everything it takes beside the body.
    pub(crate) parameters: Vec<Parameter>,
    /// The body it takes.
    pub(crate) body: Option<Body>,
    /// Its successful answers.
    pub(crate) answers: Vec<Answer>,
    /// The situations it refuses in, beside those that follow from the rest.
    pub(crate) codes: Vec<Code>,
    /// Whether `If-Match` must be sent.
    pub(crate) precondition: bool,
    /// Whether a repetition with the same `Idempotency-Key` gets the first answer.
    pub(crate) idempotent: bool,
    /// Whether it is called so often that calls that succeed are only worth a line when somebody looks for faults.
    pub(crate) frequent: bool,
    /// The types it names.
    pub(crate) schemas: Schemas,
    /// The fields of the entries, for lists.
    entry_fields: Vec<String>,
    handler: Option<Handler>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.id)
    }
}

impl Endpoint {
    /// Begins the declaration of an endpoint; [`to`](Self::to) ends it.
    pub(crate) fn new(method: Method, path: impl Into<String>, id: impl Into<String>) -> Self {
        let idempotent = matches!(method, Method::POST | Method::PATCH);
        Self {
            method,
            path: path.into(),
            id: id.into(),
            tag: "",
            summary: String::new(),
            description: String::new(),
            access: Access::SignedIn,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
            precondition: false,
            idempotent,
            frequent: false,
            schemas: Schemas::default(),
            entry_fields: Vec::new(),
            handler: None,
        }
    }

    /// `GET`.
    pub(crate) fn get(path: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(Method::GET, path, id)
    }

    /// `POST`.
    pub(crate) fn post(path: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(Method::POST, path, id)
    }

    /// `PATCH` with `If-Match`.
    pub(crate) fn patch(path: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path, id).with_precondition()
    }

    /// `PUT` with `If-Match`.
    pub(crate) fn put(path: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(Method::PUT, path, id).with_precondition()
    }

    /// `DELETE` with `If-Match`.
    pub(crate) fn delete(path: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, id).with_precondition()
    }

    /// Wants `If-Match`.
    pub(crate) fn with_precondition(mut self) -> Self {
        self.precondition = true;
        self
    }

    /// Takes back that `If-Match` must be sent, for things without an `ETag`.
    pub(crate) fn without_precondition(mut self) -> Self {
        self.precondition = false;
        self
    }

    /// Takes back that repetitions are recognised, for answers that must not be stored.
    pub(crate) fn not_idempotent(mut self) -> Self {
        self.idempotent = false;
        self
    }

    /// Leaves calls that succeed out of the log, down to `debug`.
    pub(crate) fn frequent(mut self) -> Self {
        self.frequent = true;
        self
    }

    /// The business domain it is listed under.
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// One line about it, and more in CommonMark.
    pub(crate) fn says(mut self, summary: impl Into<String>, description: impl Into<String>) -> Self {
        self.summary = summary.into();
        self.description = description.into();
        self
    }

    /// Who may call it.
    pub(crate) fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Takes a parameter.
    pub(crate) fn takes(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Takes several parameters.
    pub(crate) fn takes_all(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Takes the id of a resource in the path, as `{id}`.
    pub(crate) fn takes_id<Id: ToSchema>(self, description: &str) -> Self {
        self.takes_path_id::<Id>("id", description)
    }

    /// Takes the id of something below a resource in the path.
    pub(crate) fn takes_path_id<Id: ToSchema>(mut self, name: &str, description: &str) -> Self {
        let schema = self.schemas.add::<Id>();
        self.takes(Parameter::path(name, description, schema))
    }

    /// Takes a JSON body.
    pub(crate) fn body<T: ToSchema + Serialize>(mut self, example: &T) -> Self {
        let schema = self.schemas.add::<T>();
        let example = serde_json::to_value(example).expect("examples are plain data");
        self.body = Some(Body {
            types: &["application/json"],
            schema,
            example,
            bytes_max: BODY_BYTES_MAX,
            required: true,
            typed: Typed::Always,
        });
        self
    }

    /// Takes a JSON Merge Patch on an editable part.
    pub(crate) fn patches<Spec: ToSchema>(mut self, example: Value) -> Self {
        self.body = Some(Body {
            types: &["application/merge-patch+json", "application/json"],
            schema: self.schemas.add_patch::<Spec>(),
            example,
            bytes_max: BODY_BYTES_MAX,
            required: true,
            typed: Typed::Always,
        });
        self
    }

    /// Changes what the body's declaration says.
    pub(crate) fn body_as(mut self, change: impl FnOnce(&mut Body)) -> Self {
        if let Some(body) = &mut self.body {
            change(body);
        }
        self
    }

    /// Answers JSON of this type.
    pub(crate) fn answers<T: ToSchema>(mut self, status: u16, description: &str) -> Self {
        let schema = self.schemas.add::<T>();
        self.answers_with(status, description, vec![("application/json", schema)])
    }

    /// Answers JSON of a resource as it is shown: with what `Extra` has, and with `links`.
    pub(crate) fn answers_shown<T: ToSchema, Extra: ToSchema>(
        mut self,
        status: u16,
        description: &str,
    ) -> Self {
        let schema = self.schemas.add_shown::<T, Extra>();
        self.answers_with(status, description, vec![("application/json", schema)])
    }

    /// Answers a page of resources as they are shown.
    pub(crate) fn answers_page_of_shown<T: ToSchema, Extra: ToSchema>(mut self, description: &str) -> Self {
        let entry = self.schemas.add_shown::<T, Extra>();
        self.answers_page(&T::name(), &entry, description)
    }

    /// Answers a page of entries of this type.
    pub(crate) fn answers_page_of<T: ToSchema>(mut self, description: &str) -> Self {
        let entry = self.schemas.add::<T>();
        self.answers_page(&T::name(), &entry, description)
    }

    fn answers_page(mut self, name: &str, entry: &Value, description: &str) -> Self {
        self.entry_fields = self.schemas.properties(entry);
        let page = self.schemas.add_page(name);
        self.answers_with(200, description, vec![("application/json", page)])
            .with_headers(&["Link"])
            .refuses(&[Code::CursorInvalid])
    }

    /// The fields of the entries, for lists.
    pub(crate) fn entry_fields(&self) -> &[String] {
        &self.entry_fields
    }

    /// Answers with these contents; without any if empty.
    pub(crate) fn answers_with(
        mut self,
        status: u16,
        description: &str,
        content: Vec<(&'static str, Value)>,
    ) -> Self {
        self.answers.push(Answer {
            status,
            description: description.to_owned(),
            content,
            headers: &[],
        });
        self
    }

    /// Answers with server-sent events whose data is mostly JSON of this type.
    pub(crate) fn streams<T: ToSchema>(mut self, description: &str) -> Self {
        self.schemas.add::<T>();
        let text = serde_json::json!({ "type": "string" });
        self.answers_with(200, description, vec![("text/event-stream", text)])
    }

    /// Describes a type that the answer's text has JSON of.
    pub(crate) fn mentions<T: ToSchema>(mut self) -> Self {
        self.schemas.add::<T>();
        self
    }

    /// Names headers of the answer declared last.
    pub(crate) fn with_headers(mut self, headers: &'static [&'static str]) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers = headers;
        }
        self
    }

    /// Names situations in which it refuses.
    pub(crate) fn refuses(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// Ends the declaration with what answers.
    pub(crate) fn to<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        self.handler = Some(Arc::new(move |call| Box::pin(handler(call))));
        self
    }

    /// Runs what answers.
    pub(crate) fn handle(&self, call: Call) -> Answered {
        let handler = self.handler.as_ref().expect("every declaration ends with `to`");
        handler(call)
    }

    /// Whether it changes something, so that a cookie alone does not suffice.
    pub(crate) fn changes(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Every situation it refuses in, in the order of the catalogue.
    pub(crate) fn refusals(&self) -> Vec<Code> {
        let mut codes = self.codes.clone();
        codes.extend([
            Code::Internal,
            Code::ParameterUnknown,
            Code::RequestTimeout,
            Code::Overloaded,
        ]);
        if self
            .parameters
            .iter()
            .any(|parameter| parameter.place != crate::parameter::Place::Header)
        {
            codes.push(Code::ParameterInvalid);
        }
        if self.path.contains("{id}") {
            codes.push(Code::NotFound);
        }
        if self.access == Access::SignedIn {
            codes.extend([
                Code::AuthenticationRequired,
                Code::NotFound,
                Code::StoreUnavailable,
            ]);
        }
        if self.access != Access::Open {
            codes.extend([Code::TokenInvalid, Code::TokenExpired]);
        }
        if self.access == Access::SignedIn && self.changes() {
            codes.extend([Code::CsrfRejected, Code::PermissionDenied, Code::StorageFull]);
        }
        if let Some(body) = &self.body {
            codes.extend([Code::RequestInvalid, Code::BodyTooLarge]);
            codes.extend((body.typed != Typed::Never).then_some(Code::MediaTypeUnsupported));
        }
        if self.precondition {
            codes.extend([Code::PreconditionRequired, Code::PreconditionFailed]);
        }
        if self.idempotent && self.access == Access::SignedIn {
            codes.extend([Code::IdempotencyKeyReused, Code::IdempotencyInFlight]);
        }
        Code::ALL
            .iter()
            .copied()
            .filter(|code| codes.contains(code))
            .collect()
    }
}
