//! Answers as bytes: NDJSON, CSV, Parquet and Arrow's stream format.

use bytes::Bytes;
use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::csv;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::ipc::writer::StreamWriter;
use deltalake::arrow::json::{WriterBuilder, writer::LineDelimited};
use deltalake::parquet::arrow::ArrowWriter;
use domain::lake::RowFormat;
use futures_util::{Stream, StreamExt, stream};

use super::{Answer, Error};

/// Memory for the rows of a Parquet file that are not written yet.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Writes an answer piece by piece; after an error there are no more.
///
/// A Parquet file is whole only with its last piece, so one that ends in an error cannot be read.
pub fn encode(answer: Answer, format: RowFormat) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let begun = Encoder::new(format, answer.schema());
    stream::unfold(Some((answer, begun)), |state| async {
        let (mut answer, encoder) = state?;
        let mut encoder = match encoder {
            Ok(encoder) => encoder,
            Err(error) => return Some((Err(error), None)),
        };
        match answer.next().await {
            Some(Ok(batch)) => Some(match encoder.write(&batch) {
                Ok(bytes) => (Ok(bytes), Some((answer, Ok(encoder)))),
                Err(error) => (Err(error), None),
            }),
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((encoder.end(), None)),
        }
    })
    .filter(|piece| {
        let is_piece = piece.as_ref().map_or(true, |bytes| !bytes.is_empty());
        std::future::ready(is_piece)
    })
}

enum Encoder {
    NdJson,
    Csv { schema: SchemaRef, has_names: bool },
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Encoder {
    fn new(format: RowFormat, schema: &SchemaRef) -> Result<Self, Error> {
        Ok(match format {
            RowFormat::Ndjson => Self::NdJson,
            RowFormat::Csv => Self::Csv {
                schema: schema.clone(),
                has_names: false,
            },
            RowFormat::Parquet => {
                let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None);
                Self::Parquet(Box::new(writer.map_err(failed)?))
            }
            RowFormat::Arrow => {
                let writer = StreamWriter::try_new(Vec::new(), schema);
                Self::Arrow(Box::new(writer.map_err(failed)?))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, Error> {
        match self {
            Self::NdJson => lines(batch).map_err(failed),
            Self::Csv { has_names, .. } => {
                let writer = csv::WriterBuilder::new().with_header(!std::mem::replace(has_names, true));
                table(writer, batch).map_err(failed)
            }
            Self::Parquet(writer) => {
                writer.write(batch).map_err(failed)?;
                if writer.in_progress_size() > ROW_GROUP_BYTES {
                    writer.flush().map_err(failed)?;
                }
                Ok(std::mem::take(writer.inner_mut()).into())
            }
            Self::Arrow(writer) => {
                writer.write(batch).map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()).into())
            }
        }
    }

    fn end(self) -> Result<Bytes, Error> {
        match self {
            Self::Csv {
                schema,
                has_names: false,
            } => {
                let writer = csv::WriterBuilder::new().with_header(true);
                table(writer, &RecordBatch::new_empty(schema)).map_err(failed)
            }
            Self::NdJson | Self::Csv { .. } => Ok(Bytes::new()),
            Self::Parquet(writer) => writer.into_inner().map(Bytes::from).map_err(failed),
            Self::Arrow(writer) => writer.into_inner().map(Bytes::from).map_err(failed),
        }
    }
}

fn lines(batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    Ok(writer.into_inner().into())
}

fn table(writer: csv::WriterBuilder, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    let mut bytes = Vec::new();
    writer.build(&mut bytes).write(batch)?;
    Ok(bytes.into())
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Value {
        message: error.to_string(),
    }
}
