//! Adding or changing an integration: the five fields, two choices and a button.

use super::{Canvas, Role, Scene};
use crate::{
    app::{
        action::Action,
        model::{Field, Form},
    },
    core::{
        integration::{ImKind, Receive},
        lang::{Phrase, phrase},
        text::{self, SafeText},
    },
    tui::{
        canvas::Run,
        view::{rooms::before, words::fault_line},
        widget::{popup, prompt},
    },
};

const fn label(field: Field) -> Phrase {
    match field {
        Field::Kind => phrase("Platform", "平台"),
        Field::Name => phrase("Name", "名称"),
        Field::AppId => phrase("App ID", "App ID"),
        Field::AppSecret => phrase("App Secret", "App Secret"),
        Field::VerificationToken => phrase("Verification Token", "Verification Token"),
        Field::EncryptKey => phrase("Encrypt Key", "Encrypt Key"),
        Field::Receive => phrase("Receives by", "接收方式"),
        Field::Check => phrase("Check first", "保存前检查"),
        Field::Save => phrase("Save", "保存"),
    }
}

/// Draws the form. Where it does not fit, it scrolls with the focus.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, form: &Form) {
    let title = if form.edit.is_some() {
        phrase("Change integration", "编辑集成")
    } else {
        phrase("Add integration", "添加集成")
    };
    let looks = scene.popup_looks();
    let place = popup::place(canvas.area(), 76, 19);
    let rows = place.height.saturating_sub(2);
    let is_narrow = place.width < 46;
    let label_cells = if is_narrow { 10 } else { 20 };
    let lines = lines(scene, form, usize::from(place.width.saturating_sub(label_cells + 5)).max(8));
    let focus = lines.iter().position(|line| matches!(line, Line::Field(field) if *field == form.focus));
    let first = focus.map_or(0, |at| (at + 3).saturating_sub(usize::from(rows)));
    let first = first.min(lines.len().saturating_sub(usize::from(rows)));
    let title = scene.t(title);
    let mut inside = popup::open(canvas, place, title, "", looks);
    for (y, line) in (0..rows).zip(lines.iter().skip(first)) {
        let mut row = inside.row(y);
        match line {
            Line::Field(field) => field_row(scene, &mut row, form, *field, label_cells),
            Line::Note(words, role) => {
                row.text(label_cells, 0, words, scene.s(*role));
            }
            Line::Gap => {}
        }
    }
}

enum Line {
    Field(Field),
    Note(String, Role),
    Gap,
}

fn lines(scene: &Scene<'_>, form: &Form, room: usize) -> Vec<Line> {
    let mut lines = vec![Line::Field(Field::Kind)];
    let note = |lines: &mut Vec<Line>, words: &str, role: Role| {
        for range in text::wrap(words, room) {
            lines.push(Line::Note(words.get(range).unwrap_or_default().to_owned(), role));
        }
    };
    let has_app = matches!(form.kind, ImKind::Feishu | ImKind::Lark);
    for field in form.fields.iter().filter(|field| has_app || field.field == Field::Name) {
        lines.push(Line::Field(field.field));
        match (field.error, field.warning) {
            (Some(error), _) => note(&mut lines, &format!("✗ {}", scene.t(error)), Role::Error),
            (None, Some(warning)) => note(&mut lines, &format!("! {}", scene.t(warning)), Role::Warn),
            _ => {}
        }
    }
    if has_app {
        lines.extend([Line::Field(Field::Receive), Line::Field(Field::Check)]);
    }
    lines.extend([Line::Gap, Line::Field(Field::Save)]);
    if let Some(fault) = &form.fault {
        note(&mut lines, &format!("✗ {}", fault_line(fault)), Role::Error);
        if let Some(hint) = &fault.hint {
            note(&mut lines, SafeText::line(hint).as_str(), Role::Dim);
        }
    }
    lines
}

fn field_row(scene: &mut Scene<'_>, row: &mut Canvas<'_>, form: &Form, field: Field, label_cells: u16) {
    let is_focus = form.focus == field;
    let w = row.width();
    let name = scene.s(if is_focus { Role::Accent } else { Role::Dim });
    let room = w.saturating_sub(label_cells);
    if is_focus {
        row.text(0, 0, "▌", scene.s(Role::Accent));
    }
    if field != Field::Save {
        row.clip(1, 0, label_cells.saturating_sub(2), scene.t(label(field)), name);
    }
    match field {
        Field::Kind => {
            choice(scene, row, label_cells, ImKind::ALL.iter().map(|kind| (kind.label(), *kind == form.kind)))
        }
        Field::Receive => {
            let modes = [
                (Receive::LongConnection, phrase("long connection", "长连接")),
                (Receive::Webhook, phrase("webhook", "webhook")),
                (Receive::Both, phrase("both", "两者")),
            ];
            let modes = modes.map(|(mode, words)| (scene.t(words), mode == form.receive));
            choice(scene, row, label_cells, modes.into_iter());
        }
        Field::Check => {
            let words = if form.check {
                phrase("☑ ask the platform whether they are good", "☑ 先向平台验证凭证")
            } else {
                phrase("☐ save without asking", "☐ 不验证直接保存")
            };
            row.clip(label_cells, 0, room, scene.t(words), scene.s(Role::Text));
        }
        Field::Save => {
            let words = if form.is_saving {
                phrase(" saving… ", " 保存中… ")
            } else {
                phrase(" Save ", " 保存 ")
            };
            let style = scene.s(if is_focus { Role::Badge } else { Role::Text });
            row.clip(label_cells, 0, room, scene.t(words), style);
        }
        _ => text_field(scene, row, form, field, label_cells),
    }
    let at = [
        Field::Kind,
        Field::Name,
        Field::AppId,
        Field::AppSecret,
        Field::VerificationToken,
        Field::EncryptKey,
        Field::Receive,
        Field::Check,
        Field::Save,
    ];
    let n = at.iter().position(|other| *other == field).unwrap_or_default();
    scene.click(row.area(), Action::SelectOverlayRow(n));
}

fn text_field(scene: &mut Scene<'_>, row: &mut Canvas<'_>, form: &Form, field: Field, x: u16) {
    let Some(state) = form.fields.iter().find(|state| state.field == field) else { return };
    let room = row.width().saturating_sub(x);
    let shown = state.shown();
    let is_focus = form.focus == field && !form.is_saving;
    let before = if state.is_secret {
        "•".repeat(before(&state.input).chars().count())
    } else {
        before(&state.input).to_owned()
    };
    let caret = prompt::draw(row, (x, 0), room, &shown, &before, scene.s(Role::Input));
    if is_focus {
        scene.caret(row, caret, 0);
    }
    if shown.is_empty() {
        let words = match (state.is_kept, field) {
            (true, _) => phrase("stored; leave empty to keep it", "已保存；留空则保持不变"),
            (_, Field::EncryptKey) => phrase("recommended", "建议填写"),
            (_, Field::AppId) => phrase("cli_…", "cli_…"),
            (_, Field::Name) => phrase("how it is called here, such as ops-prod", "在此的名称，如 ops-prod"),
            _ => return,
        };
        let at = x + u16::from(is_focus);
        row.clip(at, 0, room.saturating_sub(1), scene.t(words), scene.s(Role::Dim));
    }
}

fn choice<'a>(
    scene: &Scene<'_>,
    row: &mut Canvas<'_>,
    x: u16,
    options: impl Iterator<Item = (&'a str, bool)>,
) {
    let mut runs = Vec::new();
    for (name, is_on) in options {
        let style = scene.s(if is_on { Role::Badge } else { Role::Dim });
        runs.push(Run::new(format!(" {name} "), style));
    }
    let room = row.width().saturating_sub(x);
    if crate::tui::canvas::runs_width(&runs) > room {
        // Where they do not all fit, the chosen one stands alone between arrows.
        let badge = scene.s(Role::Badge);
        runs.retain(|run| run.style == badge);
        runs.insert(0, Run::new("← ", scene.s(Role::Dim)));
        runs.push(Run::new(" →", scene.s(Role::Dim)));
    }
    row.runs(x, 0, room, &runs);
}
