//! What lies over the panes, one file per kind.

use super::{Canvas, Role, Scene};
use crate::{
    app::{
        action::{Action, ScrollTarget},
        command::Command,
        model::Overlay,
    },
    core::{lang::phrase, text},
    tui::{
        canvas::{Run, cells},
        widget::popup,
    },
};

mod confirm;
mod consoles;
mod details;
mod form;
mod help;
mod link;
mod palette;
mod qr;

/// A line of a text: runs on one row.
type Line = Vec<Run<'static>>;

/// Draws the overlays, the top one last. Those below are covered, but keep their place.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let area = canvas.area();
    // Below an overlay nothing can be clicked or turned; on it the wheel moves it.
    scene.click(area, Action::Run(Command::Back));
    scene.wheel(area, ScrollTarget::Overlay);
    for overlay in &model.overlays {
        scene.drawn.caret = None;
        scene.drawn.painted.sizes.overlay_rows = 0;
        scene.drawn.painted.sizes.overlay_total = 0;
        match overlay {
            Overlay::Help(help) => help::draw(scene, canvas, help),
            Overlay::Palette(palette) => palette::draw(scene, canvas, palette),
            Overlay::Form(form) => form::draw(scene, canvas, form),
            Overlay::Confirm(confirm) => confirm::draw(scene, canvas, confirm),
            Overlay::Link(flow) => link::draw(scene, canvas, flow),
            Overlay::Member(member) => details::member(scene, canvas, member),
            Overlay::Operation(operation, scroll) => details::operation(scene, canvas, operation, *scroll),
            Overlay::Fault(fault, scroll) => details::fault(scene, canvas, fault, *scroll),
            Overlay::Press(verdict, scroll) => details::press(scene, canvas, verdict, *scroll),
            Overlay::Check(check) => details::check(scene, canvas, check),
            Overlay::Consoles(found, scroll) => consoles::draw(scene, canvas, found.as_deref(), *scroll),
            Overlay::Plain(plain) => details::plain(scene, canvas, plain),
            Overlay::Qr(qr) => qr::draw(scene, canvas, qr),
            Overlay::React(react) => qr::react(scene, canvas, react),
        }
    }
}

/// A popup with a text that scrolls.
fn text_popup(
    scene: &mut Scene<'_>,
    canvas: &mut Canvas<'_>,
    title: &str,
    columns: u16,
    scroll: u16,
    lines: &[Line],
) {
    let total = cells(lines.len());
    let place = popup::place(canvas.area(), columns, total + 2);
    let rows = place.height.saturating_sub(2);
    scene.drawn.painted.sizes.overlay_rows = rows;
    scene.drawn.painted.sizes.overlay_total = total;
    let first = scroll.min(total.saturating_sub(rows));
    let note = if total > rows {
        scene.fill(phrase("{}-{} of {}", "{}-{} / {}"), &[&(first + 1), &(first + rows).min(total), &total])
    } else {
        String::new()
    };
    let looks = scene.popup_looks();
    // A click inside does nothing, rather than closing it.
    scene.click(place, Action::Scroll { target: ScrollTarget::Overlay, rows: 0 });
    let mut inside = popup::open(canvas, place, title, &note, looks);
    let room = inside.width();
    for (y, line) in (0..rows).zip(lines.iter().skip(usize::from(first))) {
        inside.runs(0, y, room, line);
    }
}

/// Cells that the text of a popup of at most `columns` cells has.
fn text_cells(canvas: &Canvas<'_>, columns: u16) -> usize {
    usize::from(popup::place(canvas.area(), columns, 4).width.saturating_sub(4).max(1))
}

/// Adds `body`, wrapped to `room` cells, to `lines`.
fn wrap_into(lines: &mut Vec<Line>, body: &str, room: usize, style: ratatui::style::Style) {
    for range in text::wrap(body, room) {
        lines.push(vec![Run::new(body.get(range).unwrap_or_default().to_owned(), style)]);
    }
}

/// Adds a fact: its name, dim, and its value, wrapped under itself.
fn fact(scene: &Scene<'_>, lines: &mut Vec<Line>, room: usize, name: &str, value: &str) {
    const LABEL: usize = 14;
    let value_room = room.saturating_sub(LABEL).max(8);
    let mut label = text::fit(name, LABEL.min(room));
    for range in text::wrap(value, value_room) {
        let part = value.get(range).unwrap_or_default().to_owned();
        lines.push(vec![Run::new(label, scene.s(Role::Dim)), Run::new(part, scene.s(Role::Text))]);
        label = " ".repeat(LABEL.min(room));
    }
}
