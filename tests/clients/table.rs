//! The table of scenarios by language and way of serving, for people.

use crate::column::Column;
use std::io::{self, Write as _};

/// How a scene went in one column.
#[derive(Debug)]
pub(crate) enum Cell {
    Passed,
    Failed(String),
}

/// All cells, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self::named(columns.iter().map(Column::to_string).collect())
    }

    pub(crate) fn named(columns: Vec<String>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: String, cells: Vec<Cell>) {
        self.rows.push((name, cells));
    }

    pub(crate) fn is_clean(&self) -> bool {
        let cells = self.rows.iter().flat_map(|(_, cells)| cells);
        !self.rows.is_empty() && cells.into_iter().all(|cell| matches!(cell, Cell::Passed))
    }

    /// What failed, and why.
    pub(crate) fn faults(&self) -> Vec<String> {
        let named = |name: &str, cells: &[Cell]| -> Vec<String> {
            let cells = cells.iter().zip(&self.columns);
            let failed = cells.filter_map(|(cell, column)| match cell {
                Cell::Passed => None,
                Cell::Failed(fault) => Some(format!("{column}: {name}: {fault}")),
            });
            failed.collect()
        };
        self.rows.iter().flat_map(|(name, cells)| named(name, cells)).collect()
    }

    /// To the terminal, also when the test passes.
    pub(crate) fn say(&self) {
        let width = self.rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text = String::from("\n");
        for (index, column) in self.columns.iter().enumerate() {
            text.push_str(&format!("{:width$}  {}{column}\n", "", "|  ".repeat(index)));
        }
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (name, cells) in rows {
            let marks = cells.iter().map(|cell| match cell {
                Cell::Passed => "ok ",
                Cell::Failed(_) => "X  ",
            });
            text.push_str(&format!("{name:width$}  {}\n", marks.collect::<String>()));
        }
        let passed = self.rows.iter().flat_map(|(_, cells)| cells);
        let passed = passed.filter(|cell| matches!(cell, Cell::Passed)).count();
        let count = self.rows.len() * self.columns.len();
        text.push_str(&format!("{passed} of {count} passed\n"));
        // Nobody reads a closed output, and the verdict tells the same.
        let _ = writeln!(io::stdout(), "{text}");
    }
}
