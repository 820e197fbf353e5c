//! The query of a request: only parameters that the endpoint declares, each once but for lists; any others as well if it
//! declares an object, whose fields they are (`style: form`, exploded).

use control::Error;
use domain::Code;

use crate::endpoint::Endpoint;
use crate::parameter::Place;

/// Reads the query.
///
/// # Errors
/// `parameter_unknown` for a name that the endpoint does not know, `parameter_invalid` for one that stands there
/// twice or is missing.
pub(crate) fn read(endpoint: &Endpoint, query: &str) -> Result<Vec<(String, String)>, Error> {
    let mut found: Vec<(String, String)> = Vec::new();
    let known = || {
        endpoint
            .parameters
            .iter()
            .filter(|parameter| parameter.place == Place::Query)
    };
    let takes_any = || known().any(|parameter| parameter.schema["type"] == "object");
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if !known().any(|parameter| parameter.name == name) && !takes_any() {
            let detail = match known()
                .map(|parameter| parameter.name.as_str())
                .collect::<Vec<_>>()
                .as_slice()
            {
                [] => format!("`{name}` is not known; this operation takes no query parameters."),
                names => format!("`{name}` is not known; there are `{}`.", names.join("`, `")),
            };
            return Err(Error::refused(Code::ParameterUnknown, detail));
        }
        let is_list = known().any(|parameter| parameter.name == name && parameter.schema["type"] == "array");
        if !is_list && found.iter().any(|(other, _)| *other == name) {
            let detail = format!("`{name}` stands there twice.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        found.push((name.into_owned(), value.into_owned()));
    }
    for parameter in known().filter(|parameter| parameter.required) {
        if !found.iter().any(|(name, _)| *name == parameter.name) {
            let detail = format!("`{}` is missing.", parameter.name);
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
    }
    Ok(found)
}
