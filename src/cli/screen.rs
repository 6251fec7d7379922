//! What a table may look like: a terminal has a width and colours, a file has neither.

use std::ffi::OsString;
use std::io::IsTerminal;

/// The width of a terminal that does not tell it.
const USUAL_WIDTH: usize = 80;

/// Where a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Screen {
    /// How many columns there are; `None` where there is no terminal, and no limit.
    pub(super) width: Option<usize>,
    /// Whether to write in colour.
    pub(super) paint: Paint,
}

/// How text is made to stand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// Not at all.
    Plain,
    /// By the escape sequences of ANSI terminals.
    Ansi,
}

impl Screen {
    /// A file, a pipe or the like.
    pub(super) const NONE: Self = Self { width: None, paint: Paint::Plain };

    /// Returns what the standard output is. `NO_COLOR`, or a terminal that calls itself dumb, means no colour.
    pub(super) fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return Self::NONE;
        }
        let width = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
        let width = if width == 0 { USUAL_WIDTH } else { width };
        Self { width: Some(width), paint: paint(std::env::var_os("NO_COLOR"), std::env::var_os("TERM")) }
    }
}

fn paint(no_color: Option<OsString>, term: Option<OsString>) -> Paint {
    let is_refused = no_color.is_some_and(|value| !value.is_empty());
    if is_refused || term.is_none_or(|term| term == "dumb") { Paint::Plain } else { Paint::Ansi }
}

impl Paint {
    /// Returns a heading or a total.
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Returns a bar.
    pub(super) fn bar(self, text: &str) -> String {
        self.with("36", text)
    }

    /// Returns what is added.
    pub(super) fn added(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Returns what is taken away.
    pub(super) fn removed(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Returns what calls for attention.
    pub(super) fn warning(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        match self {
            Self::Ansi if text.is_empty() => String::new(),
            Self::Plain => text.to_owned(),
            Self::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_can_be_refused() {
        let some = |text: &str| Some(OsString::from(text));
        assert_eq!(paint(None, some("xterm")), Paint::Ansi);
        assert_eq!(paint(some(""), some("xterm")), Paint::Ansi);
        assert_eq!(paint(some("1"), some("xterm")), Paint::Plain);
        assert_eq!(paint(None, some("dumb")), Paint::Plain);
        assert_eq!(paint(None, None), Paint::Plain);
    }
}
