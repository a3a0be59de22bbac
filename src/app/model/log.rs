//! Pane 5: the operation log.

use super::Load;
use crate::core::{ids::Seq, operation::Operation, text::SafeText};

/// Pane 5.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// How far it is.
    pub load: Load,
    /// Operations, newest first: a window from the newest on.
    pub rows: Vec<LogRow>,
    /// The store has older ones.
    pub has_older: bool,
    /// The selection; it stays with its operation when new ones come.
    pub selected: Option<Seq>,
    /// Number of the first row on screen.
    pub top: usize,
}

/// An operation, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// Its data.
    pub operation: Operation,
    /// What it was done to.
    pub target: SafeText,
    /// Who.
    pub author: SafeText,
    /// Why, in one line; empty where there is nothing to say.
    pub reason: SafeText,
}

impl LogRow {
    /// Makes an operation ready to show.
    pub fn new(operation: Operation) -> Self {
        Self {
            target: SafeText::line(&operation.target),
            author: SafeText::line(&operation.author.to_string()),
            reason: SafeText::line(operation.reason.as_deref().unwrap_or_default()),
            operation,
        }
    }
}

impl Log {
    /// Where the selected operation stands.
    pub fn position(&self) -> Option<usize> {
        let seq = self.selected?;
        self.rows.iter().position(|row| row.operation.seq == seq)
    }

    /// The selected operation.
    pub fn current(&self) -> Option<&LogRow> {
        self.position().and_then(|at| self.rows.get(at))
    }
}
