//! Create, read, list, change and remove: five endpoints from one description of a resource.

use std::fmt::Display;
use std::future::Future;
use std::str::FromStr;

use axum::response::Response;
use control::Error;
use control::resource::{Arg, Condition, ListQuery, Listed, Resource, plural};
use domain::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::answer;
use crate::call::{Call, invalid};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::page;
use crate::parameter::Parameter;

/// A query parameter that narrows a list.
#[derive(Clone)]
pub(crate) struct Filter {
    /// What stands in the query.
    pub(crate) parameter: Parameter,
    /// What rows must be like for a value; or why the value is none.
    pub(crate) condition: fn(&str) -> Result<Condition, String>,
}

/// `q`: the filter that every resource with a name has.
pub(crate) fn search() -> Filter {
    Filter {
        parameter: Parameter::search(),
        condition: |text| Ok(Condition::Contains(text.to_owned())),
    }
}

/// Reads a filter's value as an id (or another type that has one written form).
pub(crate) fn is<T>(column: &'static str, text: &str) -> Result<Condition, String>
where
    T: FromStr + Display,
    T::Err: Display,
{
    let value = text.parse::<T>().map_err(|error| error.to_string())?;
    Ok(Condition::Is(column, Arg::text(value)))
}

/// An id that stands anywhere in a resource.
pub(crate) fn mentions<T>(text: &str) -> Result<Condition, String>
where
    T: FromStr + Display,
    T::Err: Display,
{
    let id = text.parse::<T>().map_err(|error| error.to_string())?;
    Ok(Condition::Mentions(id.to_string()))
}

/// Nothing beside the resource itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Nothing {}

/// How a resource is shown over HTTP.
pub(crate) trait Shown:
    Resource<Spec: ToSchema, Id: ToSchema + FromStr<Err: Display>> + ToSchema
{
    /// Where the collection is, as `/api/v1/apis`.
    const COLLECTION: &'static str;
    /// The business domain.
    const TAG: &'static str;
    /// One of them in a sentence: `an API`.
    const ONE: &'static str;
    /// Several of them in a sentence: `APIs`.
    const MANY: &'static str;
    /// What it is, and what is special about its endpoints, in CommonMark.
    const ABOUT: &'static str;
    /// Situations in which it cannot be written.
    const REFUSALS: &'static [Code];
    /// Situations in which it cannot be removed.
    const DELETE_REFUSALS: &'static [Code] = &[Code::InUse];
    /// The field that lists sorted by name are sorted by.
    const NAME: &'static str = "name";
    /// What is shown beside the resource, as the title of what it refers to.
    type Extra: Serialize + ToSchema + Default + Send;

    /// An editable part that works.
    fn example() -> Self::Spec;

    /// A patch that works.
    fn patch_example() -> Value;

    /// What lists can be narrowed by.
    fn filters() -> Vec<Filter>;

    /// What a create call names beside the body.
    fn parent_parameters() -> Vec<Parameter> {
        Vec::new()
    }

    /// Reads what a create call names beside the body.
    fn parent(call: &Call) -> impl Future<Output = Result<Self::Parent, Error>> + Send;

    /// Where a client can go from here, beside the resource itself.
    fn links(&self, links: Links) -> Links {
        links
    }

    /// What is shown beside these resources, in their order.
    fn extra(call: &Call, them: &[Self]) -> impl Future<Output = Result<Vec<Self::Extra>, Error>> + Send {
        let _ = call;
        let extra = them.iter().map(|_| Self::Extra::default()).collect();
        async { Ok(extra) }
    }
}

/// A resource as it is answered.
#[derive(Serialize)]
struct Whole<'a, T, E> {
    #[serde(flatten)]
    it: &'a T,
    #[serde(flatten)]
    extra: E,
    links: Links,
}

/// The path of a resource.
pub(crate) fn path_of<T: Shown>(it: &T) -> String {
    format!("{}/{}", T::COLLECTION, it.id())
}

/// Resources as they are answered.
pub(crate) async fn shown<T: Shown>(call: &Call, them: &[T]) -> Result<Vec<Value>, Error> {
    let extras = T::extra(call, them).await?;
    let whole = them.iter().zip(extras).map(|(it, extra)| {
        let links = it.links(Links::to(path_of(it)));
        serde_json::to_value(Whole { it, extra, links })
    });
    whole
        .collect::<Result<_, _>>()
        .map_err(|error| Error::internal("writing an answer", error))
}

/// One resource as it is answered.
pub(crate) async fn shown_one<T: Shown>(call: &Call, it: T) -> Result<Value, Error> {
    Ok(shown(call, &[it]).await?.pop().unwrap_or_default())
}

/// All five.
pub(crate) fn all<T: Shown>() -> Vec<Endpoint> {
    vec![
        list::<T>(),
        create::<T>(),
        read::<T>(),
        update::<T>(),
        delete::<T>(),
    ]
}

/// Lists them.
pub(crate) fn list<T: Shown>() -> Endpoint {
    list_at::<T>(T::COLLECTION, &format!("list_{}", plural(T::KIND)))
}

/// Lists them somewhere else than in their collection.
pub(crate) fn list_at<T: Shown>(path: &str, id: &str) -> Endpoint {
    let sorts: &[&str] = if T::HAS_NAME {
        &["-created_at", "created_at", "name", "-name"]
    } else {
        &["-created_at", "created_at"]
    };
    let filters = T::filters().into_iter().map(|filter| filter.parameter);
    Endpoint::get(path, id)
        .tag(T::TAG)
        .says(format!("List {}", T::MANY), T::ABOUT)
        .takes_all(Parameter::page(sorts))
        .takes_all(filters)
        .answers_page_of_shown::<T, T::Extra>("A page.")
        .to(|call| answer_list::<T>(call, Vec::new()))
}

/// Answers a list; `conditions` hold beside what the caller asked for.
pub(crate) async fn answer_list<T: Shown>(call: Call, conditions: Vec<Condition>) -> Result<Response, Error> {
    let asked = list_query::<T>(&call, conditions)?;
    let listed = call.control().list::<T>(&call.caller, &asked).await?;
    answer_listed(&call, listed, &asked).await
}

/// What a call asks to list.
pub(crate) fn list_query<T: Shown>(call: &Call, mut conditions: Vec<Condition>) -> Result<ListQuery, Error> {
    for filter in T::filters() {
        let name = &filter.parameter.name;
        if let Some(value) = call.query(name) {
            conditions.push((filter.condition)(value).map_err(|why| invalid(name, &why))?);
        }
    }
    let window = page::asked(call)?.window();
    Ok(ListQuery { conditions, window })
}

/// Answers what was listed for a call.
pub(crate) async fn answer_listed<T: Shown>(
    call: &Call,
    listed: Listed<T>,
    asked: &ListQuery,
) -> Result<Response, Error> {
    let next = match listed.data.last() {
        Some(last) if listed.has_more => Some((sort_value(last, asked.window.by)?, last.id().to_string())),
        _ => None,
    };
    let rows = shown(call, &listed.data).await?;
    page::answer(call, rows, next)
}

/// The value of the column that a list is sorted by, as it stands in a cursor.
fn sort_value<T: Shown>(it: &T, by: &str) -> Result<String, Error> {
    if by == "id" {
        return Ok(it.id().to_string());
    }
    let value = serde_json::to_value(it).map_err(|error| Error::internal("writing a cursor", error))?;
    let field = if by == "name" { T::NAME } else { by };
    Ok(value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned())
}

/// Makes one.
pub(crate) fn create<T: Shown>() -> Endpoint {
    create_at::<T>(T::COLLECTION)
}

/// Makes one by a call to another place than its collection.
pub(crate) fn create_at<T: Shown>(path: &str) -> Endpoint {
    Endpoint::post(path, format!("create_{}", T::KIND))
        .tag(T::TAG)
        .says(format!("Create {}", T::ONE), T::ABOUT)
        .takes_all(T::parent_parameters())
        .body::<T::Spec>(&T::example())
        .answers_shown::<T, T::Extra>(201, "It was made.")
        .with_headers(&["ETag", "Location"])
        .refuses(T::REFUSALS)
        .to(|call| async move {
            let spec = call.json::<T::Spec>()?;
            let parent = T::parent(&call).await?;
            let made = call.control().create::<T>(&call.caller, &parent, spec).await?;
            answer_made(&call, made).await
        })
}

/// Answers one that was just made.
pub(crate) async fn answer_made<T: Shown>(call: &Call, made: T) -> Result<Response, Error> {
    let (location, revision) = (path_of(&made), made.revision());
    answer::made(&shown_one(call, made).await?, &location, Some(revision))
}

/// Reads one.
pub(crate) fn read<T: Shown>() -> Endpoint {
    Endpoint::get(item::<T>(), format!("read_{}", T::KIND))
        .tag(T::TAG)
        .says(format!("Read {}", T::ONE), T::ABOUT)
        .takes_id::<T::Id>("Its id.")
        .takes(if_none_match())
        .answers_shown::<T, T::Extra>(200, "It.")
        .with_headers(&["ETag"])
        .answers_with(304, "It is what `If-None-Match` names.", Vec::new())
        .to(|call| async move {
            let found = call.control().read::<T>(&call.caller, call.id()?).await?;
            answer_one(&call, found).await
        })
}

/// Changes one.
pub(crate) fn update<T: Shown>() -> Endpoint {
    Endpoint::patch(item::<T>(), format!("update_{}", T::KIND))
        .tag(T::TAG)
        .says(
            format!("Change {}", T::ONE),
            format!(
                "Send what is to change (JSON Merge Patch, RFC 7396).\n\n{}",
                T::ABOUT
            ),
        )
        .takes_id::<T::Id>("Its id.")
        .patches::<T::Spec>(T::patch_example())
        .answers_shown::<T, T::Extra>(200, "As it is now.")
        .with_headers(&["ETag"])
        .refuses(T::REFUSALS)
        .to(|call| async move {
            let (id, patch, if_match) = (call.id()?, call.json_value()?, call.if_match()?);
            let changed = call
                .control()
                .update::<T>(&call.caller, id, &patch, if_match)
                .await?;
            answer_one(&call, changed).await
        })
}

/// Removes one.
pub(crate) fn delete<T: Shown>() -> Endpoint {
    Endpoint::delete(item::<T>(), format!("delete_{}", T::KIND))
        .tag(T::TAG)
        .says(format!("Remove {}", T::ONE), T::ABOUT)
        .takes_id::<T::Id>("Its id.")
        .answers_with(204, "It is gone.", Vec::new())
        .refuses(T::DELETE_REFUSALS)
        .to(|call| async move {
            let (id, if_match) = (call.id()?, call.if_match()?);
            call.control().delete::<T>(&call.caller, id, if_match).await?;
            Ok(answer::nothing())
        })
}

/// Answers one resource with its `ETag`.
pub(crate) async fn answer_one<T: Shown>(call: &Call, it: T) -> Result<Response, Error> {
    let revision = it.revision();
    answer::revised(call, &shown_one(call, it).await?, revision)
}

/// Answers a credential that was just made: what is kept, and its text, this once.
pub(crate) async fn answer_issued<T: Shown>(call: &Call, it: T, text: &str) -> Result<Response, Error> {
    answer_secrets(call, it, &[("key", text)]).await
}

/// The same with several texts, each under its name.
pub(crate) async fn answer_secrets<T: Shown>(
    call: &Call,
    it: T,
    secrets: &[(&str, &str)],
) -> Result<Response, Error> {
    let (location, revision) = (path_of(&it), it.revision());
    let mut shown = shown_one(call, it).await?;
    for (name, text) in secrets {
        shown[*name] = (*text).into();
    }
    answer::made(&shown, &location, Some(revision))
}

/// The parameter that asks whether something changed.
pub(crate) fn if_none_match() -> Parameter {
    let text = "The `ETag` you have; the answer is 304 without a body if it is still the same.";
    Parameter::header("If-None-Match", text, crate::parameter::text(1000))
}

fn item<T: Shown>() -> String {
    format!("{}/{{id}}", T::COLLECTION)
}
