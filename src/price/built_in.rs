//! The table that is built in: `config/prices`, one file per vendor.

use super::file::{self, Content};
use super::row::{Origin, Row};
use crate::sheet::Problem;
use std::path::Path;
use std::sync::{Arc, LazyLock};

macro_rules! files {
    ($($name:literal),*) => {
        [$((
            concat!("config/prices/", $name, ".toml"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/prices/", $name, ".toml")),
        )),*]
    };
}

const FILES: [(&str, &str); 19] = files![
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "guardrails",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "twelvelabs",
    "writer",
    "xai",
    "zai"
];

/// The rows, and what is wrong with the files: nothing, as a test proves.
pub(super) struct BuiltIn {
    pub(super) rows: Vec<Arc<Row>>,
    pub(super) problems: Vec<Problem>,
}

/// The table, read once.
pub(super) static TABLE: LazyLock<BuiltIn> = LazyLock::new(|| {
    let mut table = BuiltIn { rows: Vec::new(), problems: Vec::new() };
    for (name, text) in FILES {
        let Content { rows, problems, .. } = file::read(Path::new(name), text, Origin::BuiltIn);
        table.rows.extend(rows);
        table.problems.extend(problems);
    }
    table
});
