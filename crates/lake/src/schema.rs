//! What the tables hold: `calls`, one row per call of the gateway, and `events`, one per tracked event.

use std::sync::Arc;
use std::time::Duration;

use deltalake::arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::{DataType, PrimitiveType, StructField};
use deltalake::parquet::basic::{Compression, Encoding, ZstdLevel};
use deltalake::parquet::file::properties::{EnabledStatistics, WriterProperties};
use deltalake::parquet::schema::types::ColumnPath;

/// What the files of a table are separated by: the day in UTC in which something happened.
pub(crate) const DATE: &str = "date";

/// How long files are kept that the newest version does not need, for those who read an older one.
pub(crate) const FILE_RETENTION: Duration = Duration::from_hours(24);

/// Rows that are kept and read together; a query for one organization reads only the groups that have some.
const ROW_GROUP_ROWS: usize = 131_072;
/// Above, zstd takes twice the time for two percent.
const ZSTD_LEVEL: i32 = 3;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text that few rows share: ids that calls are told apart by.
    Few,
    /// A text of its own in each row.
    Own,
    /// A text that some rows share.
    Text,
    /// Microseconds in UTC.
    Time,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// Yes or no.
    Flag,
    /// A day.
    Date,
}

/// A column of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its name, as in the API where there is such a field.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Whether rows may have none.
    pub(crate) is_optional: bool,
    /// Whether the table knows the least and the greatest value of each file.
    is_measured: bool,
    /// What it says.
    comment: &'static str,
}

const fn column(name: &'static str, kind: Kind, comment: &'static str) -> Column {
    Column {
        name,
        kind,
        is_optional: false,
        is_measured: false,
        comment,
    }
}

impl Column {
    const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    const fn measured(mut self) -> Self {
        self.is_measured = true;
        self
    }

    fn delta_type(self) -> DataType {
        DataType::Primitive(match self.kind {
            Kind::Few | Kind::Own | Kind::Text => PrimitiveType::String,
            Kind::Time => PrimitiveType::Timestamp,
            Kind::Short => PrimitiveType::Short,
            Kind::Long => PrimitiveType::Long,
            Kind::Flag => PrimitiveType::Boolean,
            Kind::Date => PrimitiveType::Date,
        })
    }

    fn arrow_type(self) -> ArrowType {
        match self.kind {
            Kind::Few => ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::Utf8)),
            Kind::Own | Kind::Text => ArrowType::Utf8,
            Kind::Time => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Short => ArrowType::Int16,
            Kind::Long => ArrowType::Int64,
            Kind::Flag => ArrowType::Boolean,
            Kind::Date => ArrowType::Date32,
        }
    }
}

/// What a table is.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Its name: that of its folder, and in statements.
    pub(crate) name: &'static str,
    /// What its rows are.
    comment: &'static str,
    /// Its columns in their order, the partition's first.
    pub(crate) columns: &'static [Column],
    /// What the rows of a file are sorted by.
    pub(crate) sorted_by: &'static [&'static str],
}

/// One row per call of the gateway.
pub(crate) static CALLS: Layout = Layout {
    name: "calls",
    comment: "One row per call of the gateway",
    columns: &CALL_COLUMNS,
    sorted_by: &["organization_id", "api_id", "started_at", "request_id"],
};

/// The calls as they were before they had targets.
#[cfg(test)]
pub(crate) static CALLS_BEFORE: Layout = Layout {
    columns: CALL_COLUMNS.split_at(24).0,
    ..CALLS
};

/// One row per tracked event.
pub(crate) static EVENTS: Layout = Layout {
    name: "events",
    comment: "One row per tracked event",
    columns: &EVENT_COLUMNS,
    sorted_by: &[
        "organization_id",
        "environment",
        "type",
        "occurred_at",
        "event_id",
    ],
};

/// The columns of `calls`.
const CALL_COLUMNS: [Column; 25] = [
    column(DATE, Kind::Date, "The day in UTC in which the call began"),
    column("started_at", Kind::Time, "When the head of the request was there").measured(),
    column("request_id", Kind::Own, "The id that the answer carried"),
    column(
        "organization_id",
        Kind::Few,
        "The API's provider; none if no route matched",
    )
    .optional()
    .measured(),
    column("api_id", Kind::Few, "The API").optional().measured(),
    column("version_id", Kind::Few, "The version of the API").optional(),
    column("operation_id", Kind::Few, "The operation; none if none matched").optional(),
    column(
        "consumer_organization_id",
        Kind::Few,
        "Who called; none without a valid key",
    )
    .optional()
    .measured(),
    column("application_id", Kind::Few, "The program that called")
        .optional()
        .measured(),
    column("key_id", Kind::Few, "The key that it showed").optional(),
    column(
        "subscription_id",
        Kind::Few,
        "What the call falls under; none if the application is not subscribed",
    )
    .optional(),
    column(
        "plan_id",
        Kind::Few,
        "The subscription's plan at the time of the call",
    )
    .optional(),
    column("method", Kind::Few, "The method; OTHER if it is not a common one"),
    column(
        "status",
        Kind::Short,
        "The answer's status; 499 if the client went away before there was one",
    ),
    column(
        "refusal",
        Kind::Few,
        "The code of the gateway's own answer; none if the answer is the upstream's",
    )
    .optional(),
    column("bytes_in", Kind::Long, "Bytes of the request's body"),
    column("bytes_out", Kind::Long, "Bytes of the answer's body"),
    column(
        "latency_us",
        Kind::Long,
        "Microseconds from the request's head to the answer's end",
    ),
    column(
        "counted",
        Kind::Flag,
        "Whether the call counts for quota and bill",
    ),
    column("units", Kind::Long, "How many calls it counts for on a quota"),
    column(
        "quota_period_start",
        Kind::Time,
        "When the quota's period began; none without a quota",
    )
    .optional(),
    column(
        "over_limit",
        Kind::Few,
        "How the call was treated if it was over a limit and passed",
    )
    .optional(),
    column("route_id", Kind::Few, "The route, where it splits calls").optional(),
    column(
        "variant",
        Kind::Few,
        "The variant that the call got, where its route splits calls",
    )
    .optional(),
    column(
        "target_id",
        Kind::Few,
        "The upstream's target that was tried last; none if none was",
    )
    .optional(),
];

/// The columns of `events`.
const EVENT_COLUMNS: [Column; 14] = [
    column(DATE, Kind::Date, "The day in UTC in which the event happened"),
    column("occurred_at", Kind::Time, "When it happened, as its sender says").measured(),
    column("received_at", Kind::Time, "When it came in"),
    column("organization_id", Kind::Few, "Whose event it is").measured(),
    column("environment", Kind::Few, "The environment's name").measured(),
    column("type", Kind::Few, "The name of its type at that time").measured(),
    column("event_type_id", Kind::Few, "Its type"),
    column("sdk_key_id", Kind::Few, "The key that recorded it"),
    column("event_id", Kind::Own, "Its id, its sender's or made by us"),
    column(
        "source",
        Kind::Text,
        "What the id is unique in, as CloudEvents have it",
    )
    .optional(),
    column("user_id", Kind::Text, "The user it is about").optional(),
    column(
        "anonymous_id",
        Kind::Text,
        "The browser or device it is about, before somebody has signed in",
    )
    .optional(),
    column("properties", Kind::Text, "A JSON object, as it was sent").optional(),
    column("bytes", Kind::Long, "What it counts for in the usage"),
];

impl Layout {
    /// The columns as Delta Lake writes them down.
    pub(crate) fn delta_columns(&self) -> Vec<StructField> {
        let columns = self.columns.iter().map(|column| {
            let field = StructField::new(column.name, column.delta_type(), column.is_optional);
            field.with_metadata([("comment", column.comment)])
        });
        columns.collect()
    }

    /// What is said of the table in itself.
    pub(crate) fn comment(&self) -> &'static str {
        self.comment
    }

    /// The columns of a file: all but the partition's.
    pub(crate) fn file_schema(&self) -> SchemaRef {
        let fields = self.columns[1..]
            .iter()
            .map(|column| Field::new(column.name, column.arrow_type(), column.is_optional));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The columns as they are read: texts as texts.
    pub(crate) fn read_columns(&self) -> Schema {
        let fields = self.columns.iter().map(|column| {
            let kind = match column.kind {
                Kind::Few => ArrowType::Utf8,
                _ => column.arrow_type(),
            };
            Field::new(column.name, kind, column.is_optional)
        });
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// Names of the columns whose least and greatest values each file's entry has.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &'static str> + use<> {
        let measured = self.columns.iter().filter(|column| column.is_measured);
        measured.map(|column| column.name)
    }

    /// How files are written.
    pub(crate) fn writer_properties(&self) -> WriterProperties {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("a level of zstd");
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by("gateline".to_owned());
        for column in &self.columns[1..] {
            let encoding = match column.kind {
                Kind::Own => Encoding::DELTA_BYTE_ARRAY,
                Kind::Time if !column.is_optional => Encoding::DELTA_BINARY_PACKED,
                _ => continue,
            };
            let path = ColumnPath::from(column.name);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, encoding);
        }
        properties.build()
    }
}
