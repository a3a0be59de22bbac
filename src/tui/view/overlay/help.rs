//! The keys of this place, from the keymap.

use super::{Canvas, Line, Role, Scene, text_popup};
use crate::{
    app::{
        command::Risk,
        model::{Help, HelpRow},
    },
    core::{lang::phrase, text},
    tui::{
        canvas::{Run, width},
        widget::popup,
    },
};

/// Cells of a column of help.
const COLUMN: usize = 46;

/// Draws the help, in as many columns as fit.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, help: &Help) {
    let most = canvas.width().saturating_sub(4).min(150);
    let room = usize::from(popup::place(canvas.area(), most, 4).width.saturating_sub(4));
    let count = (room / COLUMN).clamp(1, 3);
    let column = (room - (count - 1) * 2).max(1) / count;
    let keys = help.rows.iter().map(|row| match row {
        HelpRow::Entry { keys, .. } => width(keys),
        HelpRow::Title(_) => 0,
    });
    let key_cells = usize::from(keys.max().unwrap_or_default()).clamp(4, (column / 3).max(4)) + 1;
    let groups = groups(scene, help, column, key_cells);
    let lines = in_columns(groups, count, column);
    let title = scene.t(phrase("Keys", "按键"));
    text_popup(scene, canvas, title, most, help.scroll, &lines);
}

/// The rows of each place, ready in lines of one column.
fn groups(scene: &Scene<'_>, help: &Help, column: usize, key_cells: usize) -> Vec<Vec<Line>> {
    let mut groups: Vec<Vec<Line>> = Vec::new();
    for row in &help.rows {
        match row {
            HelpRow::Title(title) => {
                groups.push(vec![vec![Run::new(scene.t(*title), scene.s(Role::Accent))]]);
            }
            HelpRow::Entry { keys, help, disabled, risk, .. } => {
                if groups.is_empty() {
                    groups.push(Vec::new());
                }
                let Some(group) = groups.last_mut() else { continue };
                let style = scene.s(if disabled.is_some() { Role::Dim } else { Role::Key });
                let words = scene.s(if disabled.is_some() { Role::Dim } else { Role::Text });
                let (mark, mark_role) = match risk {
                    Risk::Read => (" ", Role::Dim),
                    Risk::Change => ("•", Role::Warn),
                    Risk::Destroy => ("!", Role::Error),
                };
                let mut body = scene.t(*help).to_owned();
                if let Some(reason) = disabled {
                    body.push_str(&format!(" ({})", scene.t(*reason).trim_end_matches(['.', '。'])));
                }
                let mut key = text::fit(keys, key_cells);
                let mut sign = mark;
                for range in text::wrap(&body, column.saturating_sub(key_cells + 2).max(8)) {
                    let part = body.get(range).unwrap_or_default().to_owned();
                    group.push(vec![
                        Run::new(key, style),
                        Run::new(format!("{sign} "), scene.s(mark_role)),
                        Run::new(part, words),
                    ]);
                    key = " ".repeat(key_cells);
                    sign = " ";
                }
            }
        }
    }
    groups
}

/// Lays groups into columns of about the same height, a group never split over two where it can be helped.
fn in_columns(groups: Vec<Vec<Line>>, count: usize, column: usize) -> Vec<Line> {
    let total: usize = groups.iter().map(|group| group.len() + 1).sum();
    let target = total.div_ceil(count);
    let mut columns: Vec<Vec<Line>> = vec![Vec::new()];
    for group in groups {
        let used = columns.last().map_or(0, Vec::len);
        if columns.len() < count && used > 0 && used + group.len() / 2 > target {
            columns.push(Vec::new());
        }
        if let Some(last) = columns.last_mut() {
            if !last.is_empty() {
                last.push(Vec::new());
            }
            last.extend(group);
        }
    }
    let height = columns.iter().map(Vec::len).max().unwrap_or_default();
    let mut rows: Vec<Line> = vec![Vec::new(); height];
    let many = columns.len();
    for (n, lines) in columns.into_iter().enumerate() {
        let mut lines = lines.into_iter();
        for row in &mut rows {
            let mut line = lines.next().unwrap_or_default();
            let used: usize = line.iter().map(|run| text::width(&run.text)).sum();
            row.append(&mut line);
            if n + 1 < many {
                row.push(Run::new(
                    " ".repeat((column + 2).saturating_sub(used)),
                    ratatui::style::Style::new(),
                ));
            }
        }
    }
    rows
}
