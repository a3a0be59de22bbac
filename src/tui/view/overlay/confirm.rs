//! A question before something happens.

use super::{Canvas, Line, Role, Scene, text_cells, wrap_into};
use crate::{
    app::{
        action::Action,
        command::{Command, Risk},
        model::Confirm,
    },
    core::{lang::phrase, text::SafeText},
    tui::{
        canvas::{Run, cells},
        view::rooms::before,
        widget::{popup, prompt},
    },
};

/// Draws the question.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, confirm: &Confirm) {
    let room = text_cells(canvas, 70);
    let mut lines: Vec<Line> = Vec::new();
    let style = scene.s(if confirm.risk == Risk::Destroy { Role::Error } else { Role::Strong });
    wrap_into(&mut lines, SafeText::line(&confirm.title).as_str(), room, style);
    for line in &confirm.lines {
        wrap_into(&mut lines, SafeText::line(line).as_str(), room, scene.s(Role::Text));
    }
    lines.push(Vec::new());
    let title = if confirm.risk == Risk::Destroy {
        phrase("Sure?", "确定？")
    } else {
        phrase("Question", "确认")
    };
    let mut looks = scene.popup_looks();
    if confirm.risk == Risk::Destroy {
        looks.border = scene.s(Role::GaugeFull);
    }
    let place = popup::place(canvas.area(), 70, cells(lines.len()) + 4);
    let title = scene.t(title);
    let mut inside = popup::open(canvas, place, title, "", looks);
    let (w, h) = (inside.width(), inside.height());
    // What decides stands at the bottom, whatever else had to give way.
    for (y, line) in (0..h.saturating_sub(1)).zip(&lines) {
        inside.runs(0, y, w, line);
    }
    let y = h.saturating_sub(1);
    if let Some((name, input)) = &confirm.typed_name {
        let words = scene.fill(phrase("type {}: ", "输入 {}："), &[name]);
        let x = inside.clip(0, y, w / 2, &words, scene.s(Role::Warn));
        let caret = prompt::draw(
            &mut inside,
            (x, y),
            w.saturating_sub(x),
            input.value(),
            before(input),
            scene.s(Role::Input),
        );
        scene.caret(&inside, caret, y);
        return;
    }
    let yes = scene.t(phrase(" y yes ", " y 是 "));
    let no = scene.t(phrase(" n no ", " n 否 "));
    let runs = [
        Run::new(yes, scene.s(Role::Badge)),
        Run::new("  ", scene.s(Role::Dim)),
        Run::new(no, scene.s(Role::Text)),
    ];
    inside.runs(0, y, w, &runs);
    let cells = crate::tui::canvas::width(yes);
    let area = inside.sub(0, y, cells, 1).area();
    scene.click(area, Action::Run(Command::Accept));
}
