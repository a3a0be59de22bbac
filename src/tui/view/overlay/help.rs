//! The keys of this place, from the keymap.

use super::{Canvas, Line, Role, Scene, text_popup};
use crate::{
    app::{
        command::Risk,
        model::{Help, HelpRow},
    },
    core::{
        lang::{Phrase, phrase},
        text,
    },
    tui::{
        canvas::{Run, width},
        widget::popup,
    },
};

/// Cells of a column of help.
const COLUMN: usize = 46;
/// Cells of the keys of a command; longer ones stand on a line of their own.
const KEY_CELLS: usize = 14;

/// Draws the help, in as many columns as fit.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, help: &Help) {
    let most = canvas.width().saturating_sub(4).min(150);
    let room = usize::from(popup::place(canvas.area(), most, 4).width.saturating_sub(4));
    let count = (room / COLUMN).clamp(1, 3);
    let column = (room - (count - 1) * 2).max(1) / count;
    let keys = help.rows.iter().map(|row| match row {
        HelpRow::Entry { keys, .. } => usize::from(width(keys)),
        HelpRow::Title(_) => 0,
    });
    let key_cells = keys.filter(|cells| *cells <= KEY_CELLS).max().unwrap_or_default().max(4) + 1;
    let groups = groups(scene, help, column, key_cells);
    let lines = in_columns(groups, count, column);
    let title = scene.t(phrase("Keys", "按键"));
    text_popup(scene, canvas, title, most, help.scroll, &lines);
}

/// The rows of each place, ready in lines of one column. Why most keys of a place cannot be used is said once,
/// at its title.
fn groups(scene: &Scene<'_>, help: &Help, column: usize, key_cells: usize) -> Vec<Vec<Line>> {
    let mut groups: Vec<Vec<Line>> = Vec::new();
    let is_title = |row: &HelpRow| matches!(row, HelpRow::Title(_));
    for rows in help.rows.chunk_by(|_, next| !is_title(next)) {
        let common = common_reason(rows);
        let mut group = Vec::new();
        for row in rows {
            match row {
                HelpRow::Title(title) => group.extend(title_lines(scene, *title, common, column)),
                HelpRow::Entry { .. } => group.extend(entry_lines(scene, row, common, column, key_cells)),
            }
        }
        groups.push(group);
    }
    groups
}

/// The reason that more than one key of a place shares.
fn common_reason(rows: &[HelpRow]) -> Option<Phrase> {
    let reasons: Vec<Phrase> = rows.iter().filter_map(HelpRow::disabled).collect();
    let count = |reason: &Phrase| reasons.iter().filter(|other| *other == reason).count();
    reasons.iter().max_by_key(|reason| count(reason)).filter(|reason| count(reason) > 1).copied()
}

fn reason_words(scene: &Scene<'_>, reason: Phrase) -> String {
    format!(" ({})", scene.t(reason).trim_end_matches(['.', '。']))
}

fn title_lines(scene: &Scene<'_>, title: Phrase, common: Option<Phrase>, column: usize) -> Vec<Line> {
    let title = scene.t(title);
    let Some(reason) = common else { return vec![vec![Run::new(title, scene.s(Role::Accent))]] };
    let words = format!("{title}{}", reason_words(scene, reason));
    let lines = text::wrap(&words, column.max(8)).into_iter().enumerate().map(|(n, range)| {
        let line = words.get(range).unwrap_or_default();
        match line.strip_prefix(title).filter(|_| n == 0) {
            Some(rest) => {
                vec![Run::new(title, scene.s(Role::Accent)), Run::new(rest.to_owned(), scene.s(Role::Dim))]
            }
            None => vec![Run::new(line.to_owned(), scene.s(Role::Dim))],
        }
    });
    lines.collect()
}

fn entry_lines(
    scene: &Scene<'_>,
    row: &HelpRow,
    common: Option<Phrase>,
    column: usize,
    key_cells: usize,
) -> Vec<Line> {
    let HelpRow::Entry { keys, help, disabled, risk, .. } = row else { return Vec::new() };
    let style = scene.s(if disabled.is_some() { Role::Dim } else { Role::Key });
    let words = scene.s(if disabled.is_some() { Role::Dim } else { Role::Text });
    let (mut sign, mark_role) = match risk {
        Risk::Read => (" ", Role::Dim),
        Risk::Change => ("•", Role::Warn),
        Risk::Destroy => ("!", Role::Error),
    };
    let mut body = scene.t(*help).to_owned();
    if let Some(reason) = disabled.filter(|reason| Some(*reason) != common) {
        body.push_str(&reason_words(scene, reason));
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut key = keys.clone();
    if usize::from(width(keys)) >= key_cells {
        lines.push(vec![Run::new(std::mem::take(&mut key), style)]);
    }
    for range in text::wrap(&body, column.saturating_sub(key_cells + 2).max(8)) {
        let part = body.get(range).unwrap_or_default().to_owned();
        lines.push(vec![
            Run::new(text::fit(&key, key_cells), style),
            Run::new(format!("{sign} "), scene.s(mark_role)),
            Run::new(part, words),
        ]);
        key.clear();
        sign = " ";
    }
    lines
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
