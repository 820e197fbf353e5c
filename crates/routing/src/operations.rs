//! The operations of a route by path and method.

use std::fmt::Write as _;

use http::Method;

use crate::tree::Tree;

/// The operations of a contract, each with a value.
#[derive(Debug)]
pub struct Operations<T> {
    tree: Tree<(Method, T)>,
}

impl<T> Default for Operations<T> {
    fn default() -> Self {
        Self {
            tree: Tree::default(),
        }
    }
}

impl<T> Operations<T> {
    /// Adds one by its method and its path template, as `/pets/{pet_id}`.
    pub fn insert(&mut self, method: Method, template: &str, value: T) {
        self.tree.insert(template, (method, value));
    }

    /// Every value.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.tree.values().into_iter().map(|(_, value)| value)
    }

    /// Finds the one that a path below the route's base path means.
    pub fn find(&self, method: &Method, path: &str) -> Option<&T> {
        self.tree.find(path, |operations| {
            let exact = operations.iter().find(|(known, _)| known == method);
            // Whoever answers GET answers HEAD: RFC 9110 section 9.3.2.
            let head = || {
                operations
                    .iter()
                    .find(|(known, _)| *method == Method::HEAD && *known == Method::GET)
            };
            exact.or_else(head).map(|(_, value)| value)
        })
    }

    /// The methods that a path has, for `Allow`; empty if no operation has it.
    pub fn allowed(&self, path: &str) -> String {
        let mut allow = String::new();
        let mut add = |method: &Method| {
            if !allow.split(", ").any(|known| known == method.as_str()) {
                let comma = if allow.is_empty() { "" } else { ", " };
                let _ = write!(allow, "{comma}{method}");
            }
        };
        let none: Option<()> = self.tree.find(path, |operations| {
            for (method, _) in operations {
                add(method);
                if *method == Method::GET {
                    add(&Method::HEAD);
                }
            }
            None
        });
        debug_assert!(none.is_none(), "nothing is taken");
        allow
    }
}
