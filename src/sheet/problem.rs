//! What is wrong with a file of settings, and where.

use super::Place;
use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake, or one thing to look at: `config/tollgate.toml:12: upstream.regoin: unknown key`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file, or the environment variable, that it stands in.
    pub file: PathBuf,
    /// The line, counted from 1; absent where no line is to blame.
    pub line: Option<usize>,
    /// The key with its tables, as in `upstream.region`; absent where no key is to blame.
    pub key: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
    /// What to do about it, where that is more than to mend the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Files that a change of may mend it, beside the one that it stands in.
    #[serde(skip)]
    pub about: Vec<PathBuf>,
}

impl Problem {
    /// Returns a problem of a file as a whole.
    pub(crate) fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: None,
            message: message.into(),
            hint: None,
            about: Vec::new(),
        }
    }

    /// Returns a problem of a key at its place.
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { line: place.line, key: Some(place.key), ..Self::of_file(&place.file, message) }
    }

    /// Returns the problem with a hint.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns the problem as one of other files, too.
    pub(crate) fn about(self, files: &[&Path]) -> Self {
        Self { about: files.iter().map(|file| (*file).to_owned()).collect(), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let Some(key) = &self.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.message)
    }
}

/// What to do about a mistake whose message says what would be right.
const MEND: &str = "mend what is named, and let `tollgate check` tell whether anything is left";

/// Every mistake that was found, in the order of files and lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// Returns the mistakes one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Returns what to do about them, each thing once; never nothing.
    pub fn hints(&self) -> Vec<&str> {
        let mut hints = Vec::new();
        for problem in self {
            let hint = problem.hint.as_deref().unwrap_or(MEND);
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        hints
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
