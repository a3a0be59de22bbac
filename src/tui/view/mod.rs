//! The screen as a function of the model: one file per pane, one per popup.

use std::{cell::RefCell, fmt::Display};

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

use super::{
    canvas::Canvas,
    glyph,
    link::Links,
    theme::{Role, Theme},
};
use crate::{
    app::{
        action::{Action, ScrollTarget},
        compose::Suggestions,
        model::{Area, Glyphs, Hit, Model, Painted, Pane},
    },
    core::lang::{Lang, Phrase},
};

mod composer;
mod integrations;
mod log;
mod overlay;
mod people;
mod quota;
mod room;
mod rooms;
mod status;
mod transcript;
mod users;
mod words;

/// What drawing answers.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    /// What the mouse meets, and the sizes that were chosen.
    pub painted: Painted,
    /// Where the terminal's cursor belongs; `None` hides it.
    pub caret: Option<Position>,
    /// Where marked cells lead to.
    pub links: Links,
    /// What the composer wants drawn over the transcript.
    pending: Vec<Pending>,
}

/// Suggestions for a mention: they reach beyond the composer, so they are drawn when the pane is.
#[derive(Debug, Clone)]
struct Pending {
    place: Rect,
    rows: Suggestions,
}

/// Below this the console is a line.
const LINE_COLUMNS: u16 = 20;
const LINE_ROWS: u16 = 5;
/// From here on the panes are named in a line of their own.
const TAB_ROWS: u16 = 9;

/// Draws the whole screen into `buffer`, which has its size. Pure: the same model and theme draw the same.
pub fn draw(model: &Model, theme: &Theme, buffer: &mut Buffer) -> Drawn {
    let mut scene = Scene { model, theme, drawn: Drawn::default(), links: RefCell::default() };
    let mut canvas = Canvas::new(buffer);
    canvas.fill(theme.ground());
    let area = canvas.area();
    if area.width < LINE_COLUMNS || area.height < LINE_ROWS {
        status::line(&mut scene, &mut canvas);
    } else {
        draw_all(&mut scene, &mut canvas);
    }
    let drawn = Drawn { links: scene.links.into_inner(), ..scene.drawn };
    if model.glyphs == Glyphs::Ascii {
        glyph::to_ascii(buffer);
    }
    drawn
}

fn draw_all(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let area = canvas.area();
    let tabs = u16::from(area.height >= TAB_ROWS);
    status::header(scene, &mut canvas.row(0));
    if tabs > 0 {
        status::tabs(scene, &mut canvas.row(1));
    }
    let body = Rect::new(area.x, area.y + 1 + tabs, area.width, area.height - 2 - tabs);
    scene.wheel(body, ScrollTarget::Pane);
    let mut inside = canvas.at(body);
    match scene.model.pane {
        Pane::Integrations => integrations::draw(scene, &mut inside),
        Pane::Users => users::draw(scene, &mut inside),
        Pane::Rooms => rooms::draw(scene, &mut inside),
        Pane::Quota => quota::draw(scene, &mut inside),
        Pane::Log => log::draw(scene, &mut inside),
    }
    for pending in std::mem::take(&mut scene.drawn.pending) {
        composer::draw_pending(scene, &mut inside, &pending);
    }
    if !scene.model.overlays.is_empty() {
        // What has not the keys has no caret.
        scene.drawn.caret = None;
        overlay::draw(scene, &mut canvas.at(body));
    }
    status::toasts(scene, &mut canvas.at(body));
    status::footer(scene, &mut canvas.row(area.height - 1));
}

/// What every view needs, and what it reports.
struct Scene<'a> {
    model: &'a Model,
    theme: &'a Theme,
    drawn: Drawn,
    /// Taken in while a line is being drawn, which only reads the rest.
    links: RefCell<Links>,
}

impl Scene<'_> {
    const fn lang(&self) -> Lang {
        self.model.lang
    }

    /// A phrase in the language of the screen.
    const fn t(&self, phrase: Phrase) -> &'static str {
        phrase.get(self.model.lang)
    }

    /// A phrase with its holes filled.
    fn fill(&self, phrase: Phrase, values: &[&dyn Display]) -> String {
        phrase.fill(self.model.lang, values)
    }

    fn s(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// How an address looks: like a link, and it leads there.
    fn link(&self, address: &str) -> Style {
        let style = self.s(Role::Link);
        match self.links.borrow_mut().mark(address) {
            Some(mark) => style.underline_color(mark),
            None => style,
        }
    }

    /// A click there does this.
    fn click(&mut self, area: Rect, action: Action) {
        self.hit(area, Some(action), None);
    }

    /// The wheel there moves this.
    fn wheel(&mut self, area: Rect, target: ScrollTarget) {
        self.hit(area, None, Some(target));
    }

    fn hit(&mut self, area: Rect, click: Option<Action>, wheel: Option<ScrollTarget>) {
        // Nobody reads the map while the mouse is off.
        if self.model.mouse && !area.is_empty() {
            let area = Area { x: area.x, y: area.y, width: area.width, height: area.height };
            self.drawn.painted.hits.push(Hit { area, click, wheel });
        }
    }

    /// Puts the terminal's cursor at a column and row of `canvas`.
    fn caret(&mut self, canvas: &Canvas<'_>, x: u16, y: u16) {
        let area = canvas.area();
        if x < area.width && y < area.height {
            self.drawn.caret = Some(Position::new(area.x + x, area.y + y));
        }
    }

    /// Marks `row` as the selected one: a bar at its left and another ground.
    fn select(&self, row: &mut Canvas<'_>, has_keys: bool) {
        row.tint(self.s(if has_keys { Role::Selection } else { Role::SelectionIdle }));
        for y in 0..row.height() {
            let bar = if has_keys { Role::Accent } else { Role::Dim };
            row.text(0, y, "▌", self.s(bar));
        }
    }

    /// How a popup looks.
    fn popup_looks(&self) -> super::widget::popup::Looks {
        let ground = self.theme.ground().patch(self.s(Role::Popup));
        super::widget::popup::Looks {
            ground,
            border: self.s(Role::BorderFocus),
            title: ground.patch(self.s(Role::Strong)),
            note: ground.patch(self.s(Role::Dim)),
        }
    }
}
