//! One way to keep every resource: a row whose `body` is the entity as JSON.
//!
//! [`Entity`] says for each type which table it is in and which columns are copies of what is inside; the
//! functions here insert, find, list, update and remove. An update is conditional on the revision that was
//! read, so two writers cannot overwrite each other unseen.

mod alert;
mod catalog;
mod consumer;
mod flag;
mod identity;
mod report;

use std::fmt::{Display, Write as _};
use std::future::Future;

use domain::id::OrganizationId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Arg, Error, Row, Store, Tx};

/// A resource that is kept as a row.
pub trait Entity: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its kind of id.
    type Id: Copy + Display + Send + Sync;
    /// The table.
    const TABLE: &'static str;
    /// One word for messages and for the names of API operations: `api` in `create_api`.
    const KIND: &'static str;
    /// Whether there is a `name` column to sort and search by.
    const HAS_NAME: bool;

    /// Its id.
    fn id(&self) -> Self::Id;
    /// The tenant it belongs to; `None` for what stands above tenants (users).
    fn organization(&self) -> Option<OrganizationId>;
    /// Counts its changes.
    fn revision(&self) -> i64;
    /// The columns beside `id`, `body` and `revision`, with their values.
    fn columns(&self) -> Vec<(&'static str, Arg)>;
}

/// What can be read from: the [`Store`] or a [`Tx`].
pub trait Read {
    /// Reads all rows.
    fn rows(&mut self, sql: &str, args: &[Arg]) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;
    /// Reads the first row, if there is one.
    fn row(&mut self, sql: &str, args: &[Arg]) -> impl Future<Output = Result<Option<Row>, Error>> + Send;
}

impl Read for &Store {
    async fn rows(&mut self, sql: &str, args: &[Arg]) -> Result<Vec<Row>, Error> {
        self.fetch_all(sql, args).await
    }

    async fn row(&mut self, sql: &str, args: &[Arg]) -> Result<Option<Row>, Error> {
        self.fetch_optional(sql, args).await
    }
}

impl Read for Tx {
    async fn rows(&mut self, sql: &str, args: &[Arg]) -> Result<Vec<Row>, Error> {
        self.fetch_all(sql, args).await
    }

    async fn row(&mut self, sql: &str, args: &[Arg]) -> Result<Option<Row>, Error> {
        self.fetch_optional(sql, args).await
    }
}

/// What rows must be like. Column names come from the program, never from a request.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The column has this value.
    Is(&'static str, Arg),
    /// One column has this value, or another one has that.
    IsOr((&'static str, Arg), (&'static str, Arg)),
    /// One of the two columns has this value.
    Either(&'static str, &'static str, Arg),
    /// The column has one of these values; none match an empty list.
    In(&'static str, Vec<String>),
    /// The id is among those that a sub-select over another table gives: `(table, column, where, value)`.
    Among {
        /// The table looked into.
        table: &'static str,
        /// Its column that holds our id.
        column: &'static str,
        /// Its column that is compared.
        by: &'static str,
        /// With what.
        value: Arg,
    },
    /// Name or title contain this text, whatever its case.
    Contains(String),
    /// The list `tags` has this one.
    Tagged(String),
    /// This id stands somewhere in the body.
    Mentions(String),
    /// This field of the body is this text.
    Field(&'static str, String),
    /// This object in the body has an entry of this name.
    Has(&'static str, String),
}

/// Which order, from where, how many.
#[derive(Debug, Clone)]
pub struct Window {
    /// The column: `id` (the order of creation) or `name`.
    pub by: &'static str,
    /// Whether the greatest come first.
    pub descending: bool,
    /// The last row of the page before: its sort value and id.
    pub after: Option<(String, String)>,
    /// The most rows to return.
    pub limit: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            by: "id",
            descending: true,
            after: None,
            limit: 50,
        }
    }
}

/// Builds the condition part of a statement with its arguments.
struct Text {
    sql: String,
    args: Vec<Arg>,
}

impl Text {
    fn select(table: &str, columns: &str) -> Self {
        Self {
            sql: format!("SELECT {columns} FROM {table} WHERE 1 = 1"),
            args: Vec::new(),
        }
    }

    fn arg(&mut self, arg: Arg) -> usize {
        self.args.push(arg);
        self.args.len()
    }

    fn push(&mut self, condition: &Condition) {
        match condition {
            Condition::Is(column, value) => {
                let place = self.arg(value.clone());
                self.add(format_args!(" AND {column} = ${place}"));
            }
            Condition::IsOr((one, value), (other, second)) => {
                let (place, second) = (self.arg(value.clone()), self.arg(second.clone()));
                self.add(format_args!(" AND ({one} = ${place} OR {other} = ${second})"));
            }
            Condition::Either(one, other, value) => {
                let place = self.arg(value.clone());
                self.add(format_args!(" AND ({one} = ${place} OR {other} = ${place})"));
            }
            Condition::In(_, values) if values.is_empty() => self.sql.push_str(" AND 1 = 0"),
            Condition::In(column, values) => {
                let places: Vec<_> = values.iter().map(|value| self.arg(Arg::text(value))).collect();
                let places: Vec<_> = places.into_iter().map(|place| format!("${place}")).collect();
                self.add(format_args!(" AND {column} IN ({})", places.join(", ")));
            }
            Condition::Among {
                table,
                column,
                by,
                value,
            } => {
                let place = self.arg(value.clone());
                self.add(format_args!(
                    " AND id IN (SELECT {column} FROM {table} WHERE {by} = ${place})"
                ));
            }
            Condition::Tagged(tag) => {
                // Both databases write a JSON list of texts with the texts in quotes.
                let quoted = serde_json::Value::from(tag.as_str()).to_string();
                let place = self.arg(Arg::text(format!("%{}%", escaped(&quoted))));
                self.add(format_args!(" AND body ->> 'tags' LIKE ${place} ESCAPE '\\'"));
            }
            Condition::Mentions(id) => {
                let place = self.arg(Arg::text(format!("%{}%", escaped(id))));
                self.add(format_args!(" AND CAST(body AS TEXT) LIKE ${place} ESCAPE '\\'"));
            }
            Condition::Field(field, text) => {
                let place = self.arg(Arg::text(text));
                self.add(format_args!(" AND body ->> '{field}' = ${place}"));
            }
            Condition::Has(field, name) => {
                let place = self.arg(Arg::text(name));
                self.add(format_args!(
                    " AND body -> '{field}' -> CAST(${place} AS TEXT) IS NOT NULL"
                ));
            }
            Condition::Contains(text) => {
                let place = self.arg(Arg::text(format!("%{}%", escaped(&text.to_lowercase()))));
                self.add(format_args!(
                    " AND (LOWER(COALESCE(body ->> 'name', body ->> 'key')) LIKE ${place} ESCAPE '\\' \
                     OR LOWER(body ->> 'title') LIKE ${place} ESCAPE '\\')"
                ));
            }
        }
    }

    fn window(&mut self, window: &Window) {
        let (by, order, beyond) = match (window.by, window.descending) {
            (by, true) => (by, "DESC", "<"),
            (by, false) => (by, "ASC", ">"),
        };
        if let Some((value, id)) = &window.after {
            let (value, id) = (self.arg(Arg::text(value)), self.arg(Arg::text(id)));
            self.add(format_args!(" AND ({by}, id) {beyond} (${value}, ${id})"));
        }
        self.add(format_args!(
            " ORDER BY {by} {order}, id {order} LIMIT {}",
            window.limit
        ));
    }

    fn add(&mut self, part: std::fmt::Arguments<'_>) {
        self.sql.write_fmt(part).expect("writing to a String cannot fail");
    }
}

/// Text for `LIKE` that matches itself, with `\` as the escape character.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Finds the first entity that meets all conditions.
pub async fn find<T: Entity>(read: &mut impl Read, conditions: &[Condition]) -> Result<Option<T>, Error> {
    let mut text = Text::select(T::TABLE, "body");
    conditions.iter().for_each(|condition| text.push(condition));
    read.row(&text.sql, &text.args)
        .await?
        .as_ref()
        .map(|row| row.read("body", T::TABLE))
        .transpose()
}

/// Finds an entity by its id, whoever it belongs to.
pub async fn find_id<T: Entity>(read: &mut impl Read, id: T::Id) -> Result<Option<T>, Error> {
    find(read, &[Condition::Is("id", Arg::text(id))]).await
}

/// Lists the entities that meet all conditions.
pub async fn list<T: Entity>(
    read: &mut impl Read,
    conditions: &[Condition],
    window: &Window,
) -> Result<Vec<T>, Error> {
    let mut text = Text::select(T::TABLE, "body");
    conditions.iter().for_each(|condition| text.push(condition));
    text.window(window);
    read.rows(&text.sql, &text.args)
        .await?
        .iter()
        .map(|row| row.read("body", T::TABLE))
        .collect()
}

/// Lists every entity that meets all conditions, in the order of creation; for what is bounded by its nature.
pub async fn all<T: Entity>(read: &mut impl Read, conditions: &[Condition]) -> Result<Vec<T>, Error> {
    let mut text = Text::select(T::TABLE, "body");
    conditions.iter().for_each(|condition| text.push(condition));
    text.sql.push_str(" ORDER BY id");
    read.rows(&text.sql, &text.args)
        .await?
        .iter()
        .map(|row| row.read("body", T::TABLE))
        .collect()
}

/// Counts the entities that meet all conditions.
pub async fn count<T: Entity>(read: &mut impl Read, conditions: &[Condition]) -> Result<i64, Error> {
    let mut text = Text::select(T::TABLE, "COUNT(*) AS n");
    conditions.iter().for_each(|condition| text.push(condition));
    read.row(&text.sql, &text.args)
        .await?
        .map_or(Ok(0), |row| row.int("n"))
}

impl Tx {
    /// Inserts an entity, with the columns that are not part of it (a password's hash, a document).
    ///
    /// # Errors
    /// [`Error::Taken`] if something unique is taken, [`Error::Reference`] if it refers to what is not there.
    pub async fn insert<T: Entity>(
        &mut self,
        entity: &T,
        beside: &[(&'static str, Arg)],
    ) -> Result<(), Error> {
        let mut columns = fixed(entity)?;
        columns.extend(entity.columns());
        columns.extend_from_slice(beside);
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let places: Vec<_> = (1..=columns.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            T::TABLE,
            names.join(", "),
            places.join(", ")
        );
        let args: Vec<_> = columns.into_iter().map(|(_, arg)| arg).collect();
        self.execute(&sql, &args).await.map(drop)
    }

    /// Replaces an entity whose revision was `before`.
    ///
    /// # Errors
    /// [`Error::Stale`] if it has another revision by now or is gone.
    pub async fn update<T: Entity>(
        &mut self,
        entity: &T,
        before: i64,
        beside: &[(&'static str, Arg)],
    ) -> Result<(), Error> {
        let mut columns = fixed(entity)?;
        columns.extend(entity.columns());
        columns.extend_from_slice(beside);
        let sets: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(index, (name, _))| format!("{name} = ${}", index + 1))
            .collect();
        let sql = format!(
            "UPDATE {} SET {} WHERE id = $1 AND revision = ${}",
            T::TABLE,
            sets.join(", "),
            columns.len() + 1
        );
        let mut args: Vec<_> = columns.into_iter().map(|(_, arg)| arg).collect();
        args.push(Arg::int(before));
        if self.execute(&sql, &args).await? == 0 {
            Err(Error::Stale)
        } else {
            Ok(())
        }
    }

    /// Removes an entity whose revision was `before`.
    ///
    /// # Errors
    /// [`Error::Reference`] if something refers to it, [`Error::Stale`] as for [`update`](Self::update).
    pub async fn remove<T: Entity>(&mut self, entity: &T) -> Result<(), Error> {
        let sql = format!("DELETE FROM {} WHERE id = $1 AND revision = $2", T::TABLE);
        let args = [Arg::text(entity.id()), Arg::int(entity.revision())];
        if self.execute(&sql, &args).await? == 0 {
            Err(Error::Stale)
        } else {
            Ok(())
        }
    }
}

/// The columns that every table has.
fn fixed<T: Entity>(entity: &T) -> Result<Vec<(&'static str, Arg)>, Error> {
    Ok(vec![
        ("id", Arg::text(entity.id())),
        ("body", Arg::json(entity, T::TABLE)?),
        ("revision", Arg::int(entity.revision())),
    ])
}

/// Implements [`Entity`] for a type with `id`, `organization_id`, `revision` fields.
macro_rules! entity {
    ($type:ty, $id:ty, $table:literal, $kind:literal, name: $has_name:literal, |$it:ident| [$($column:literal = $value:expr),* $(,)?]) => {
        impl crate::entity::Entity for $type {
            type Id = $id;
            const TABLE: &'static str = $table;
            const KIND: &'static str = $kind;
            const HAS_NAME: bool = $has_name;

            fn id(&self) -> $id {
                self.id
            }

            fn organization(&self) -> Option<domain::id::OrganizationId> {
                Some(self.organization_id)
            }

            fn revision(&self) -> i64 {
                self.revision
            }

            fn columns(&self) -> Vec<(&'static str, crate::Arg)> {
                let $it = self;
                vec![
                    ("organization_id", crate::Arg::text($it.organization_id)),
                    $(($column, $value),)*
                ]
            }
        }
    };
}

use entity;
