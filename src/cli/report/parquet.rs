//! A report as a Parquet file: counts are INT64, amounts DECIMAL(38,12), shares DECIMAL(9,2), times TIMESTAMP in
//! microseconds of UTC, names UTF-8.

use super::Failure;
use super::measures::{Value, data, measures, of_group};
use crate::ledger::report::{Cell, Dimension, Query, Report};
use crate::ledger::store::Totals;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::errors::{ParquetError, Result as Written};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use std::io::{self, Write};
use std::sync::Arc;

/// The bytes of 128 bits.
const MONEY_BYTES: i32 = 16;

/// Writes the file.
pub(super) fn write(out: &mut dyn Write, query: &Query, report: &Report) -> Result<(), Failure> {
    // The writer wants an output that outlives it: a report has as many rows as people read.
    let mut file = Vec::new();
    write_rows(&mut file, query, report).map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(&file)?;
    Ok(())
}

fn write_rows(file: &mut Vec<u8>, query: &Query, report: &Report) -> Written<()> {
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema(query)?, properties)?;
    let mut rows = writer.next_row_group()?;
    for (at, dimension) in query.by.iter().enumerate() {
        let cells = report.groups.iter().filter_map(|group| group.cells.get(at));
        if dimension.period().is_some() {
            write_times(&mut rows, cells)?;
        } else {
            write_names(&mut rows, cells, query)?;
        }
    }
    let numbers: Vec<_> = report.groups.iter().map(|group| of_group(group, report)).collect();
    for at in 0..measures(&Totals::default(), report.totals.cost).len() {
        write_numbers(&mut rows, numbers.iter().filter_map(|row| row.get(at)).map(|(_, value)| *value))?;
    }
    rows.close()?;
    writer.close().map(drop)
}

fn schema(query: &Query) -> Written<TypePtr> {
    let names = query.by.iter().map(dimension_field);
    let numbers = measures(&Totals::default(), crate::domain::Money::ZERO);
    let fields: Written<Vec<TypePtr>> =
        names.chain(numbers.map(|(name, value)| number_field(name, value))).collect();
    Type::group_type_builder("report").with_fields(fields?).build().map(Arc::new)
}

fn dimension_field(dimension: &Dimension) -> Written<TypePtr> {
    let (physical, logical) = match dimension.period() {
        Some(_) => (Physical::INT64, LogicalType::timestamp(true, TimeUnit::MICROS)),
        None => (Physical::BYTE_ARRAY, LogicalType::String),
    };
    let name = dimension.to_string();
    let field = Type::primitive_type_builder(&name, physical);
    field.with_repetition(Repetition::OPTIONAL).with_logical_type(Some(logical)).build().map(Arc::new)
}

fn number_field(name: &str, value: Value) -> Written<TypePtr> {
    let decimal = |physical, precision, scale| {
        let field = Type::primitive_type_builder(name, physical).with_precision(precision).with_scale(scale);
        field.with_logical_type(Some(LogicalType::decimal(scale, precision)))
    };
    let field = match value {
        Value::Count(_) => Type::primitive_type_builder(name, Physical::INT64),
        Value::Usd(_) => decimal(Physical::FIXED_LEN_BYTE_ARRAY, 38, 12).with_length(MONEY_BYTES),
        Value::Percent(_) => decimal(Physical::INT32, 9, 2),
    };
    let repetition =
        if matches!(value, Value::Percent(_)) { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    field.with_repetition(repetition).build().map(Arc::new)
}

fn write_times<'a>(
    rows: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    cells: impl Iterator<Item = &'a Cell>,
) -> Written<()> {
    let micros = cells.map(|cell| match cell {
        Cell::Time(at) => i64::try_from(at.unix_timestamp_nanos().div_euclid(1000)).ok(),
        Cell::Text(_) | Cell::Nothing | Cell::Other => None,
    });
    write_optional::<Int64Type>(rows, micros)
}

fn write_names<'a>(
    rows: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    cells: impl Iterator<Item = &'a Cell>,
    query: &Query,
) -> Written<()> {
    let names = cells.map(|cell| data(cell, &query.zone).map(|name| ByteArray::from(name.into_bytes())));
    write_optional::<ByteArrayType>(rows, names)
}

fn write_numbers(
    rows: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: impl Iterator<Item = Value>,
) -> Written<()> {
    let values: Vec<Value> = values.collect();
    let count =
        |value: &Value| if let Value::Count(count) = value { i64::try_from(*count).ok() } else { None };
    let money = |value: &Value| {
        let Value::Usd(amount) = value else { return None };
        Some(FixedLenByteArray::from(amount.picos().to_be_bytes().to_vec()))
    };
    let share = |value: &Value| {
        if let Value::Percent(share) = value {
            (*share).and_then(|share| i32::try_from(share).ok())
        } else {
            None
        }
    };
    match values.first() {
        Some(Value::Usd(_)) => write_all::<FixedLenByteArrayType>(rows, values.iter().map(money)),
        Some(Value::Percent(_)) => write_optional::<Int32Type>(rows, values.iter().map(share)),
        Some(Value::Count(_)) | None => write_all::<Int64Type>(rows, values.iter().map(count)),
    }
}

/// Writes a column in which every row has a value.
fn write_all<T: parquet::data_type::DataType>(
    rows: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Written<()> {
    let values: Option<Vec<T::T>> = values.collect();
    let values = values.ok_or_else(|| ParquetError::General("a number beyond 64 bits".to_owned()))?;
    let mut column = next(rows)?;
    column.typed::<T>().write_batch(&values, None, None)?;
    column.close()
}

/// Writes a column in which rows may have no value.
fn write_optional<T: parquet::data_type::DataType>(
    rows: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Written<()> {
    let values: Vec<Option<T::T>> = values.collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    let mut column = next(rows)?;
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

fn next<'a>(rows: &'a mut SerializedRowGroupWriter<'_, &mut Vec<u8>>) -> Written<SerializedColumnWriter<'a>> {
    rows.next_column()?.ok_or_else(|| ParquetError::General("more columns than in the schema".to_owned()))
}
