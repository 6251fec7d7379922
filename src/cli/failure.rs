//! Why a command was not done, and what to do about it.

use super::table::counted;
use crate::aws::AwsError;
use crate::config::Problems;
use crate::server::StartError;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Why a command was not done.
#[derive(Debug)]
pub enum Failure {
    /// The config is invalid; every mistake is printed. Exit status 2.
    Config(Problems),
    /// The config is invalid, and every mistake has been printed. Exit status 2.
    Checked(Problems),
    /// AWS has not, or does not allow, what the config needs; every problem has been printed. Exit status 1.
    Lacking {
        /// How many problems there are.
        problems: usize,
        /// What to do about them, each thing once.
        hints: Vec<String>,
    },
    /// What the config or the arguments name cannot be used as it is. Exit status 2.
    Unusable {
        /// What cannot be used, and why.
        message: String,
        /// What to do about it.
        hint: String,
    },
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
            Self::Config(_) | Self::Checked(_) | Self::Unusable { .. } => ExitCode::from(2),
            Self::Lacking { .. } | Self::Refused { .. } | Self::Other(_) => ExitCode::FAILURE,
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
                problems.iter().try_for_each(|problem| writeln!(err, "error: {problem}"))?;
                write_hints(err, problems)
            }
            Self::Checked(problems) => {
                let count = counted(problems.iter().count(), "problem");
                writeln!(err, "error: config is invalid: {count}")?;
                write_hints(err, problems)
            }
            Self::Lacking { problems, hints } => {
                let count = counted(*problems, "problem");
                writeln!(err, "error: not all that the config needs of AWS is there: {count}")?;
                hints.iter().try_for_each(|hint| writeln!(err, "hint: {hint}"))
            }
            Self::Refused { message, hint } | Self::Unusable { message, hint } => {
                writeln!(err, "error: {message}\nhint: {hint}")
            }
            Self::Other(error) => writeln!(err, "error: {error:#}"),
        }
    }
}

fn write_hints(err: &mut dyn Write, problems: &Problems) -> io::Result<()> {
    problems.hints().into_iter().try_for_each(|hint| writeln!(err, "hint: {hint}"))
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let hint = error.hint();
        let is_unusable = matches!(error, StartError::Ledger(_));
        let message = format!("{:#}", anyhow::Error::new(error));
        if is_unusable { Self::Unusable { message, hint } } else { Self::Refused { message, hint } }
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        Self::refused(error.to_string(), error.hint())
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
