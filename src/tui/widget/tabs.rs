//! Names side by side, one of them in front.

use ratatui::style::Style;

use crate::tui::canvas::{Canvas, width};

/// A name of a row of tabs.
#[derive(Debug, Clone)]
pub struct Tab<'a> {
    /// Its key or number; may be empty.
    pub key: &'a str,
    /// Its name.
    pub name: &'a str,
    /// A number beside it.
    pub count: Option<String>,
    /// It is in front.
    pub is_active: bool,
}

/// How tabs look.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// The one in front.
    pub active: Style,
    /// The others.
    pub idle: Style,
    /// Keys of the others.
    pub key: Style,
    /// Numbers of the others.
    pub count: Style,
}

/// Cells that `tabs` take with all their names.
pub fn full_width(tabs: &[Tab<'_>]) -> u16 {
    tabs.iter().map(|tab| width(&label(tab)) + 3).fold(0, u16::saturating_add)
}

/// Draws tabs from (`x`, `y`) on and answers where each stands (first column, column after it). Where the room
/// is short the others shrink to their keys.
pub fn draw(
    canvas: &mut Canvas<'_>,
    (x, y): (u16, u16),
    room: u16,
    tabs: &[Tab<'_>],
    looks: Looks,
) -> Vec<(u16, u16)> {
    let is_short = full_width(tabs) > room + 1;
    let mut places = Vec::with_capacity(tabs.len());
    let mut at = x;
    for tab in tabs {
        let start = at;
        let left = (x + room).saturating_sub(at);
        if tab.is_active {
            at = canvas.clip(at, y, left, &format!(" {} ", label(tab)), looks.active);
        } else {
            at = canvas.clip(at + 1, y, left.saturating_sub(1), tab.key, looks.key);
            if !is_short || tab.key.is_empty() {
                let gap = u16::from(!tab.key.is_empty());
                at = canvas.clip(at + gap, y, (x + room).saturating_sub(at + gap), tab.name, looks.idle);
            }
            if let Some(count) = &tab.count {
                at = canvas.clip(at + 1, y, (x + room).saturating_sub(at + 1), count, looks.count);
            }
            at += 1;
        }
        let end = x + room;
        places.push((start.min(end), at.clamp(start.min(end), end)));
        at += u16::from(!is_short);
    }
    places
}

fn label(tab: &Tab<'_>) -> String {
    let parts = [tab.key, tab.name, tab.count.as_deref().unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
