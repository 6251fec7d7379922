//! What a value can be read as.

use super::tree::Value;

/// What a TOML value can be read as.
pub(crate) trait Raw: Sized {
    /// What is expected, as a message says it.
    const EXPECTED: &'static str;

    /// Returns the value, if it is of this type.
    fn of(value: &Value<'_>) -> Option<Self>;
}

impl Raw for String {
    const EXPECTED: &'static str = "a string";

    fn of(value: &Value<'_>) -> Option<Self> {
        value.as_text().map(str::to_owned)
    }
}

impl Raw for i64 {
    const EXPECTED: &'static str = "an integer";

    fn of(value: &Value<'_>) -> Option<Self> {
        if let Value::Integer(number) = value { Some(*number) } else { None }
    }
}

impl Raw for bool {
    const EXPECTED: &'static str = "true or false";

    fn of(value: &Value<'_>) -> Option<Self> {
        if let Value::Boolean(is) = value { Some(*is) } else { None }
    }
}
