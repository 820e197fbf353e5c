//! Pages of lists: how many entries, from where, in which order, and which of their fields.
//!
//! A cursor is `base64url(JSON).base64url(HMAC-SHA256)` over a version, what it belongs to, and the last entry's
//! place. It belongs to the operation, the organization and every filter and order of the list; changed ones make
//! it invalid, as does any change of a character.

use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use control::Error;
use control::resource::Window;
use control::secret::Purpose;
use domain::Code;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::answer;
use crate::call::{Call, invalid};

/// Entries of a page unless asked otherwise.
pub(crate) const LIMIT_DEFAULT: u32 = 50;
/// The most entries of a page.
pub(crate) const LIMIT_MAX: u32 = 200;
const VERSION: u8 = 1;

/// The page that a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The most entries.
    pub(crate) limit: u32,
    /// The last entry of the page before: its sort value and id.
    pub(crate) after: Option<(String, String)>,
    /// What to sort by, without the sign; empty if the list has one order only.
    pub(crate) by: String,
    /// Whether the greatest come first.
    pub(crate) descending: bool,
}

impl Asked {
    /// The same for lists that are sorted by name or by the order of creation.
    pub(crate) fn window(self) -> Window {
        Window {
            by: if self.by == "name" { "name" } else { "id" },
            descending: self.descending,
            after: self.after,
            limit: self.limit,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    v: u8,
    list: String,
    after: (String, String),
}

/// Reads what page a call asks for.
pub(crate) fn asked(call: &Call) -> Result<Asked, Error> {
    let limit = call.query_as::<u32>("limit")?.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(invalid(
            "limit",
            &format!("{limit} is not between 1 and {LIMIT_MAX}"),
        ));
    }
    let sort = call
        .endpoint
        .parameters
        .iter()
        .find(|parameter| parameter.name == "sort");
    let sorts: Vec<&str> = sort
        .and_then(|sort| sort.schema.get("enum")?.as_array())
        .map(|words| words.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let sort = match call.query("sort") {
        Some(sort) if sorts.contains(&sort) => sort,
        Some(sort) => {
            let known = sorts.join("`, `");
            return Err(invalid("sort", &format!("`{sort}` is not one of `{known}`")));
        }
        None => sorts.first().copied().unwrap_or("-"),
    };
    let after = call
        .query("cursor")
        .map(|cursor| read(call, cursor))
        .transpose()?;
    Ok(Asked {
        limit,
        after,
        by: sort.trim_start_matches('-').to_owned(),
        descending: sort.starts_with('-'),
    })
}

/// Answers a page; `next` is the place of its last entry, if there are more.
pub(crate) fn answer(
    call: &Call,
    data: Vec<Value>,
    next: Option<(String, String)>,
) -> Result<Response, Error> {
    let data = only_fields(call, data)?;
    let cursor = next.map(|after| write(call, after)).transpose()?;
    let mut page = json!({ "data": data, "has_more": cursor.is_some() });
    if let Some(cursor) = &cursor {
        page["next_cursor"] = json!(cursor);
    }
    let mut response = answer::json(StatusCode::OK, &page)?;
    if let Some(cursor) = cursor {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(call.query.iter().filter(|(name, _)| name != "cursor"));
        query.append_pair("cursor", &cursor);
        let link = format!("<{}?{}>; rel=\"next\"", call.uri.path(), query.finish());
        answer::set(&mut response, header::LINK, &link);
    }
    Ok(response)
}

/// Keeps the fields that `fields` names.
fn only_fields(call: &Call, mut data: Vec<Value>) -> Result<Vec<Value>, Error> {
    let Some(fields) = call.query("fields") else {
        return Ok(data);
    };
    let wanted: Vec<&str> = fields.split(',').map(str::trim).collect();
    let known = call.endpoint.entry_fields();
    if let Some(unknown) = wanted
        .iter()
        .find(|field| !known.iter().any(|known| known == *field))
    {
        let why = format!("`{unknown}` is not a field; there are `{}`", known.join("`, `"));
        return Err(invalid("fields", &why));
    }
    for entry in &mut data {
        if let Value::Object(entry) = entry {
            entry.retain(|name, _| wanted.contains(&name.as_str()));
        }
    }
    Ok(data)
}

/// What a cursor belongs to: operation, organization, filters and order.
fn list(call: &Call) -> String {
    let mut parts: Vec<_> = call
        .query
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "cursor" | "limit" | "fields"))
        .collect();
    parts.sort();
    let organization = call.caller.organization.map(|id| id.to_string());
    let text = json!([call.endpoint.id, call.path, organization, parts]).to_string();
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..12])
}

fn write(call: &Call, after: (String, String)) -> Result<String, Error> {
    let cursor = Cursor {
        v: VERSION,
        list: list(call),
        after,
    };
    let payload = serde_json::to_vec(&cursor).map_err(|error| Error::internal("writing a cursor", error))?;
    let mac = call.control().secrets().mac(Purpose::Cursor, &payload);
    let (payload, mac) = (
        BASE64_URL_SAFE_NO_PAD.encode(payload),
        BASE64_URL_SAFE_NO_PAD.encode(mac),
    );
    Ok(format!("{payload}.{mac}"))
}

fn read(call: &Call, text: &str) -> Result<(String, String), Error> {
    let refused = |why: &str| Error::refused(Code::CursorInvalid, why);
    let unsigned = || refused("`cursor` is not one that we gave out.");
    let (payload, mac) = text.split_once('.').ok_or_else(unsigned)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| unsigned())?;
    let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).map_err(|_| unsigned())?;
    if !call.control().secrets().verify(Purpose::Cursor, &payload, &mac) {
        return Err(unsigned());
    }
    let cursor: Cursor = serde_json::from_slice(&payload).map_err(|_| unsigned())?;
    if cursor.v != VERSION {
        return Err(refused(
            "`cursor` is of another version of Gateline; begin without one.",
        ));
    }
    if cursor.list != list(call) {
        return Err(refused(
            "`cursor` belongs to another list, or to other filters or another order.",
        ));
    }
    Ok(cursor.after)
}

/// Entries as JSON.
pub(crate) fn values<T: Serialize>(entries: &[T]) -> Result<Vec<Value>, Error> {
    let values = entries.iter().map(serde_json::to_value).collect::<Result<_, _>>();
    values.map_err(|error| Error::internal("writing an answer", error))
}

/// Answers a page of a list that is there as a whole; `key` is what stands in the cursor.
pub(crate) fn answer_all<T: Serialize>(
    call: &Call,
    all: &[T],
    key: impl Fn(&T) -> String,
) -> Result<Response, Error> {
    let asked = asked(call)?;
    let begin = match &asked.after {
        Some((_, last)) => all
            .iter()
            .position(|entry| key(entry) == *last)
            .map_or(all.len(), |place| place + 1),
        None => 0,
    };
    let rest = &all[begin..];
    let limit = asked.limit as usize;
    let page = &rest[..rest.len().min(limit)];
    let last = page.last().filter(|_| rest.len() > limit);
    let next = last.map(|entry| (key(entry), key(entry)));
    answer(call, values(page)?, next)
}
