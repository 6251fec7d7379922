//! Why a command was not done, and what to do about it.

use crate::config::Problems;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Why a command was not done.
#[derive(Debug)]
pub enum Failure {
    /// The config is invalid; every mistake is printed. Exit status 2.
    Config(Problems),
    /// The config is invalid, and so many mistakes have been printed. Exit status 2.
    Checked(usize),
    /// It cannot be done, but something else can. Exit status 1.
    Refused {
        /// What cannot be done, and why.
        message: String,
        /// What can be done instead.
        hint: String,
    },
    /// It did not work out. Exit status 1.
    Other(anyhow::Error),
}

impl Failure {
    /// Returns a refusal.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: hint.into() }
    }

    /// Prints what is wrong, and returns the exit status.
    pub fn report(&self, err: &mut dyn Write) -> ExitCode {
        // Nothing can be told to someone whose terminal is gone.
        drop(self.write(err));
        match self {
            Self::Config(_) | Self::Checked(_) => ExitCode::from(2),
            Self::Refused { .. } | Self::Other(_) => ExitCode::FAILURE,
        }
    }

    /// Tells whether the reader of the output has gone, as `head` does: no failure of ours.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let Self::Other(error) = self else { return false };
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    }

    fn write(&self, err: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Config(problems) => {
                problems.iter().try_for_each(|problem| writeln!(err, "error: {problem}"))
            }
            Self::Checked(1) => writeln!(err, "error: config is invalid: 1 problem"),
            Self::Checked(count) => writeln!(err, "error: config is invalid: {count} problems"),
            Self::Refused { message, hint } => writeln!(err, "error: {message}\nhint: {hint}"),
            Self::Other(error) => writeln!(err, "error: {error:#}"),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}
