//! Pane 5.

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        effect::Ask,
        event::LogPage,
        model::{Load, LogRow, Overlay},
    },
    core::ids::Seq,
};

/// Rows of a page, and the most that are kept.
const PAGE: u32 = 100;
const MAX: usize = 1000;

impl Turn<'_> {
    pub(super) fn load_log(&mut self) {
        if self.m.log.load == Load::Never {
            self.m.log.load = Load::Loading;
        }
        self.ask_latest(Topic::Log, Ask::LoadLog { before: None, limit: PAGE });
    }

    pub(super) fn take_log(&mut self, page: LogPage) {
        let log = &mut self.m.log;
        let before = log.position();
        let mut rows: Vec<LogRow> = page.rows.into_iter().map(LogRow::new).collect();
        if page.before.is_some() {
            let last = log.rows.last().map(|row| row.operation.seq);
            rows.retain(|row| last.is_none_or(|last| row.operation.seq < last));
            log.rows.append(&mut rows);
            log.has_older = page.has_older;
        } else {
            // Older rows stay where the new page reaches them.
            let oldest = rows.last().map(|row| row.operation.seq);
            let meets = oldest.is_some_and(|oldest| log.rows.iter().any(|row| row.operation.seq >= oldest));
            let old = std::mem::take(&mut log.rows);
            if meets {
                rows.extend(
                    old.into_iter().filter(|row| oldest.is_some_and(|oldest| row.operation.seq < oldest)),
                );
            } else {
                log.has_older = page.has_older;
            }
            log.rows = rows;
        }
        if log.rows.len() > MAX {
            log.rows.truncate(MAX);
            log.has_older = true;
        }
        if log.current().is_none() {
            log.selected = log.rows.first().map(|row| row.operation.seq);
        }
        // The selected row keeps its place on screen; at the top, new ones show.
        if let (Some(before), Some(after)) = (before, log.position())
            && log.top > 0
        {
            log.top = (log.top + after).saturating_sub(before);
        }
        log.load = Load::Ready;
        self.m.touch();
        self.keep_cursor_visible();
    }

    pub(super) fn move_log(&mut self, by: i64) {
        let log = &mut self.m.log;
        let at = super::scroll::step(log.position().unwrap_or(0), by, log.rows.len());
        log.selected = log.rows.get(at).map(|row| row.operation.seq);
        let near_end = at + 20 >= log.rows.len();
        let last = log.rows.last().map(|row| row.operation.seq);
        if near_end && log.has_older && log.rows.len() < MAX && !self.m.busy.has(&Topic::OlderLog) {
            self.ask(Topic::OlderLog, Ask::LoadLog { before: last, limit: PAGE });
        }
        self.keep_cursor_visible();
    }

    pub(super) fn select_operation(&mut self, seq: Seq) {
        if self.m.log.rows.iter().any(|row| row.operation.seq == seq) {
            self.m.log.selected = Some(seq);
        }
    }

    pub(super) fn open_operation(&mut self) {
        if let Some(row) = self.m.log.current() {
            self.m.overlays.push(Overlay::Operation(Box::new(row.operation.clone()), 0));
        }
    }
}
