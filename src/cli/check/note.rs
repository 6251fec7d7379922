//! What is wrong in AWS, or between AWS and the config.

use crate::aws::Action;
use crate::domain::ProfileArn;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Something that is wrong.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Note {
    /// What kind of thing it is.
    pub(super) kind: &'static str,
    /// The file and the key in it that name what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<ProfileArn>,
    /// The action, by its name in policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    pub(super) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// What is wrong, and how bad it is.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What keeps calls or discovery from working, and what could not be told.
    pub(super) problems: Vec<Note>,
    /// What is to be looked at, while calls go on.
    pub(super) warnings: Vec<Note>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Problem,
    Warning,
}

impl Notes {
    pub(super) fn add(&mut self, weight: Weight, note: Note) {
        match weight {
            Weight::Problem => self.problems.push(note),
            Weight::Warning => self.warnings.push(note),
        }
    }
}

impl Note {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, file: None, key: None, profile: None, action: None, message, hint: None }
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn of_action(self, action: Action) -> Self {
        Self { action: Some(action.name()), ..self }
    }

    pub(super) fn of_profile(self, arn: &ProfileArn) -> Self {
        Self { profile: Some(arn.clone()), ..self }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(file), Some(key)) = (&self.file, &self.key) {
            write!(f, "{}: {key}: ", file.display())?;
        }
        f.write_str(&self.message)
    }
}

/// Returns what to do about notes, each thing once.
pub(super) fn hints(notes: &[Note]) -> Vec<String> {
    let mut hints = Vec::new();
    for hint in notes.iter().filter_map(|note| note.hint.as_ref()) {
        if !hints.contains(hint) {
            hints.push(hint.clone());
        }
    }
    hints
}
