//! Columns that fit a width: the least important are left out, long names lose their middles.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What lies between two columns.
const GAP: &str = "  ";

/// The narrowest that a column of names gets.
const NARROWEST: usize = 8;

/// A column of a table.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// What is above it.
    pub(super) heading: String,
    /// Where its text stands.
    pub(super) align: Align,
    /// When it is left out for want of width: the highest goes first, zero never.
    pub(super) rank: u8,
}

/// Where text stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// On the left, and may lose its middle: names.
    Left,
    /// On the right, and is never shortened: numbers.
    Right,
}

/// Columns with their widths.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    columns: Vec<Column>,
    /// `None` for a column that is left out.
    widths: Vec<Option<usize>>,
}

impl Grid {
    /// Makes columns as wide as the widest of their cells, or narrower, so that they fit a width.
    pub(super) fn new<'a>(
        columns: Vec<Column>,
        rows: impl IntoIterator<Item = &'a [String]>,
        width: Option<usize>,
    ) -> Self {
        let mut widths: Vec<usize> = columns.iter().map(|column| column.heading.width()).collect();
        for row in rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = legible(cell).width().max(*widest);
            }
        }
        let mut grid = Self { columns, widths: widths.into_iter().map(Some).collect() };
        if let Some(limit) = width {
            grid.fit(limit);
        }
        grid
    }

    /// Returns the width of a line.
    pub(super) fn width(&self) -> usize {
        self.sum(|_, width| width)
    }

    /// Returns the headings of the columns that are left out.
    pub(super) fn left_out(&self) -> Vec<&str> {
        let all = self.columns.iter().zip(&self.widths);
        all.filter(|(_, width)| width.is_none()).map(|(column, _)| column.heading.as_str()).collect()
    }

    /// Returns the line of headings.
    pub(super) fn headings(&self) -> String {
        let headings: Vec<String> = self.columns.iter().map(|column| column.heading.clone()).collect();
        self.line(&headings)
    }

    /// Returns a row as a line, as wide as every other.
    pub(super) fn line(&self, row: &[String]) -> String {
        let cells = row.iter().zip(&self.columns).zip(&self.widths);
        let cells = cells.filter_map(|((cell, column), width)| Some(aligned(cell, column.align, (*width)?)));
        cells.collect::<Vec<_>>().join(GAP)
    }

    fn fit(&mut self, limit: usize) {
        let narrowed = |column: &Column, width: usize| match column.align {
            Align::Left => width.min(2 * NARROWEST),
            Align::Right => width,
        };
        while self.sum(narrowed) > limit
            && let Some(least) = self.least_important()
        {
            *least = None;
        }
        while self.width() > limit
            && let Some(widest) = self.widest_name()
        {
            *widest = widest.saturating_sub(1);
        }
    }

    fn sum(&self, of: impl Fn(&Column, usize) -> usize) -> usize {
        let shown = self.columns.iter().zip(&self.widths);
        let widths =
            shown.filter_map(|(column, width)| Some(of(column, (*width)?).saturating_add(GAP.len())));
        widths.sum::<usize>().saturating_sub(GAP.len())
    }

    fn least_important(&mut self) -> Option<&mut Option<usize>> {
        let shown = self.columns.iter().zip(&mut self.widths);
        let optional = shown.filter(|(column, width)| column.rank > 0 && width.is_some());
        optional.max_by_key(|(column, _)| column.rank).map(|(_, width)| width)
    }

    fn widest_name(&mut self) -> Option<&mut usize> {
        let shown = self.columns.iter().zip(&mut self.widths);
        let names =
            shown.filter(|(column, _)| column.align == Align::Left).filter_map(|(_, width)| width.as_mut());
        names.max_by_key(|width| **width).filter(|width| **width > NARROWEST)
    }
}

fn aligned(cell: &str, align: Align, width: usize) -> String {
    let cell = shortened(&legible(cell), align, width);
    let padding = " ".repeat(width.saturating_sub(cell.width()));
    match align {
        Align::Left => cell + &padding,
        Align::Right => padding + &cell,
    }
}

/// Returns a text that no terminal takes for a command: callers choose labels.
fn legible(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Returns the beginning and the end of a text that is too wide.
fn shortened(cell: &str, align: Align, width: usize) -> String {
    if cell.width() <= width || align == Align::Right {
        return cell.to_owned();
    }
    let room = width.saturating_sub(1);
    let tail: String = taken(cell.chars().rev(), room / 2).chars().rev().collect();
    let head = taken(cell.chars(), room.saturating_sub(tail.width()));
    format!("{head}…{tail}")
}

fn taken(chars: impl Iterator<Item = char>, mut room: usize) -> String {
    let mut text = String::new();
    for char in chars {
        let Some(left) = room.checked_sub(char.width().unwrap_or(0)) else { break };
        room = left;
        text.push(char);
    }
    text
}

/// Returns a number with a comma between its thousands.
pub(super) fn thousands(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let whole = digits.split_once('.').map_or(digits.len(), |(whole, _)| whole.len());
    let mut text = sign.to_owned();
    for (at, digit) in digits.char_indices() {
        if at > 0 && at < whole && (whole - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(heading: &str, align: Align, rank: u8) -> Column {
        Column { heading: heading.to_owned(), align, rank }
    }

    fn grid(rows: &[[&str; 3]], width: Option<usize>) -> Vec<String> {
        let columns = vec![
            column("MODEL", Align::Left, 0),
            column("CALLS", Align::Right, 0),
            column("FAILED", Align::Right, 1),
        ];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        let grid = Grid::new(columns, rows.iter().map(Vec::as_slice), width);
        std::iter::once(grid.headings()).chain(rows.iter().map(|row| grid.line(row))).collect()
    }

    #[test]
    fn numbers_stand_on_the_right() {
        let lines = grid(&[["nova", "1,234,567", "8"], ["日本", "1", "0"]], None);
        assert_eq!(
            lines,
            ["MODEL      CALLS  FAILED", "nova   1,234,567       8", "日本           1       0"]
        );
    }

    #[test]
    fn what_is_too_wide_loses_columns_and_then_middles() {
        let row = ["us.anthropic.claude-haiku-4-5-20251001-v1:0", "12", "3"];
        let lines = grid(&[row], Some(40));
        assert_eq!(lines[1], "us.anthropic…0251001-v1:0     12       3");
        let lines = grid(&[row], Some(24));
        assert_eq!(lines, ["MODEL              CALLS", "us.anthr…001-v1:0     12"]);
    }

    #[test]
    fn no_cell_commands_the_terminal() {
        assert_eq!(
            grid(&[["a\x1b[2J\u{9b}x\n", "1", "1"]], None)[1],
            "a\u{fffd}[2J\u{fffd}x\u{fffd}      1       1"
        );
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("1234567.1234", "1,234,567.1234"),
            ("-1000", "-1,000"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }

    proptest! {
        #[test]
        fn lines_are_as_wide_as_each_other_and_fit(
            names in prop::collection::vec("[a-z日é]{0,40}", 1..5),
            width in 30..200_usize,
        ) {
            let rows: Vec<[&str; 3]> = names.iter().map(|name| [name.as_str(), "123", "4"]).collect();
            let lines = grid(&rows, Some(width));
            let widths: Vec<usize> = lines.iter().map(|line| line.width()).collect();
            prop_assert!(widths.iter().all(|one| *one == widths[0] && *one <= width), "{lines:?}");
        }
    }
}
