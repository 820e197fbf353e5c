//! Path templates, as `/pets/{pet_id}/photos/{name}.{format}`.

use std::borrow::Cow;

use crate::Rule;
use crate::path::decode_percent;

/// A piece of a path segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Stands for itself.
    Literal(String),
    /// Stands for at least one character of the segment.
    Parameter {
        /// The name between the braces, without the `+` of `{path+}` and `{+path}`.
        name: String,
    },
}

/// A parsed path template: segments between slashes, each made of parts.
///
/// The last segment is empty when the path ends with a slash; `/` is one empty segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    /// The segments after the first slash.
    pub segments: Vec<Vec<Part>>,
}

/// Why a path is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not begin with a slash.
    #[error("The path `{path}` does not begin with `/`.")]
    NoSlash {
        /// The path.
        path: String,
    },
    /// A brace has no partner in its segment.
    #[error("The braces in the segment `{segment}` do not match.")]
    Unbalanced {
        /// The segment.
        segment: String,
    },
    /// `{}`.
    #[error("A parameter in the segment `{segment}` has no name.")]
    Unnamed {
        /// The segment.
        segment: String,
    },
}

impl Error {
    pub(crate) fn rule(&self) -> Rule {
        match self {
            Self::NoSlash { .. } => Rule::PathSlash,
            Self::Unbalanced { .. } => Rule::PathBraces,
            Self::Unnamed { .. } => Rule::PathParameterEmpty,
        }
    }
}

impl Template {
    /// Parses a path without query and fragment.
    ///
    /// # Errors
    /// The path does not begin with a slash, braces do not match, or a parameter has no name.
    pub fn parse(path: &str) -> Result<Self, Error> {
        let Some(rest) = path.strip_prefix('/') else {
            return Err(Error::NoSlash {
                path: path.to_owned(),
            });
        };
        Ok(Self {
            segments: rest.split('/').map(segment).collect::<Result<_, _>>()?,
        })
    }

    /// The names of the parameters in order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().flatten().filter_map(|part| match part {
            Part::Parameter { name, .. } => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The first name that stands twice; such a path is served all the same, since names decide nothing.
    pub fn parameter_twice(&self) -> Option<&str> {
        let names: Vec<&str> = self.parameters().collect();
        (1..names.len())
            .find(|&later| names[..later].contains(&names[later]))
            .map(|later| names[later])
    }

    /// The path with the names of parameters left out and the rest percent-decoded; two templates with the same
    /// shape match the same paths.
    ///
    /// Parameters side by side count as one: nothing says where one ends and the next begins.
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            for part in segment {
                match part {
                    Part::Literal(text) => shape.extend(decode_percent(text).chars().map(|character| {
                        // What would look like something else than text.
                        match character {
                            '%' => Cow::Borrowed("%25"),
                            '/' => Cow::Borrowed("%2F"),
                            '{' => Cow::Borrowed("%7B"),
                            other => Cow::Owned(other.to_string()),
                        }
                    })),
                    Part::Parameter { .. } if shape.ends_with("{}") => {}
                    Part::Parameter { .. } => shape.push_str("{}"),
                }
            }
        }
        shape
    }
}

fn segment(text: &str) -> Result<Vec<Part>, Error> {
    let unbalanced = || Error::Unbalanced {
        segment: text.to_owned(),
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(open) = rest.find(['{', '}']) else {
            parts.push(Part::Literal(rest.to_owned()));
            break;
        };
        if rest[open..].starts_with('}') {
            return Err(unbalanced());
        }
        if open > 0 {
            parts.push(Part::Literal(rest[..open].to_owned()));
        }
        let inner = &rest[open + 1..];
        let close = inner
            .find(['{', '}'])
            .filter(|&at| inner[at..].starts_with('}'))
            .ok_or_else(unbalanced)?;
        let written = &inner[..close];
        let name = written.trim_matches('+');
        if name.trim().is_empty() {
            return Err(Error::Unnamed {
                segment: text.to_owned(),
            });
        }
        parts.push(Part::Parameter {
            name: name.to_owned(),
        });
        rest = &inner[close + 1..];
    }
    Ok(parts)
}

/// The part of a path that a request line carries: without query, fragment and `{?…}` of URI templates
/// (RFC 6570).
pub(crate) fn without_query(path: &str) -> &str {
    let Some(cut) = path.find(['?', '#']) else {
        return path;
    };
    let before = &path[..cut];
    before.strip_suffix('{').unwrap_or(before)
}

#[cfg(test)]
mod tests;
