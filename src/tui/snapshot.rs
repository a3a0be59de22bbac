//! Every pane and popup, drawn: compared with what somebody has looked at, and never a panic at any size.

use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    fixture, picture,
    theme::{Depth, Theme},
    view,
};
use crate::{
    app::model::{Glyphs, Model},
    core::{lang::Lang, text},
};

fn draw(model: &Model, theme: &Theme) -> Buffer {
    let area = Rect::new(0, 0, model.size.columns, model.size.rows);
    let mut buffer = Buffer::empty(area);
    view::draw(model, theme, &mut buffer);
    super::canvas::heal(&mut buffer);
    buffer
}

#[test]
fn every_screen_at_three_sizes_in_two_languages() {
    let theme = Theme::load("dark", None, Depth::Mono).unwrap();
    let mut screens: std::collections::BTreeMap<String, String> = Default::default();
    for (columns, rows) in [(80, 24), (120, 40), (40, 12)] {
        for lang in [Lang::En, Lang::Zh] {
            for (name, model) in fixture::all(lang, columns, rows) {
                let shown = picture::text(&draw(&model, &theme));
                let all = screens.entry(name).or_default();
                all.push_str(&format!("===== {columns}x{rows} {lang:?}\n{shown}\n"));
            }
        }
    }
    for (name, shown) in screens {
        insta::assert_snapshot!(name, shown);
    }
}

#[test]
fn colours_of_some_screens() {
    for name in ["dark", "light", "terminal"] {
        let theme = Theme::load(name, None, Depth::True).unwrap();
        for (screen, make) in [
            ("composing", fixture::composing as fn(Lang, u16, u16) -> Model),
            ("users", fixture::users),
            ("quota", fixture::quota),
        ] {
            let model = make(Lang::En, 100, 24);
            insta::assert_snapshot!(
                format!("colour-{name}-{screen}"),
                picture::styled(&draw(&model, &theme))
            );
        }
    }
}

#[test]
fn the_same_model_draws_the_same() {
    let theme = Theme::fallback(Depth::True);
    for (name, model) in fixture::all(Lang::En, 90, 30) {
        assert!(draw(&model, &theme) == draw(&model.clone(), &theme), "{name}");
    }
}

#[test]
fn ascii_has_nothing_but_ascii_of_its_own() {
    let theme = Theme::fallback(Depth::Mono);
    for (columns, rows) in [(80, 24), (120, 40), (160, 50)] {
        for (name, mut model) in fixture::all(Lang::En, columns, rows) {
            model.glyphs = Glyphs::Ascii;
            for cell in &draw(&model, &theme).content {
                // Text from outside keeps its letters.
                let is_own =
                    cell.symbol().chars().all(|c| !c.is_alphanumeric() && !matches!(c, '␛' | '👩'..));
                let is_foreign =
                    cell.symbol().chars().any(|c| ('\u{2400}'..'\u{2440}').contains(&c) || c > '\u{2fff}');
                assert!(
                    cell.symbol().is_ascii() || !is_own || is_foreign,
                    "{name} {columns}x{rows}: {:?}",
                    cell.symbol()
                );
            }
        }
    }
}

#[test]
fn nothing_from_outside_acts_on_the_terminal() {
    let theme = Theme::fallback(Depth::True);
    for (name, model) in fixture::all(Lang::Zh, 140, 50) {
        for cell in &draw(&model, &theme).content {
            let acts =
                |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            assert!(!cell.symbol().contains(acts), "{name}: {:?}", cell.symbol());
        }
    }
}

#[test]
fn hits_lie_on_the_screen() {
    let theme = Theme::fallback(Depth::True);
    for (columns, rows) in [(20, 5), (40, 12), (80, 24), (200, 60)] {
        for (name, model) in fixture::all(Lang::En, columns, rows) {
            let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
            let drawn = view::draw(&model, &theme, &mut buffer);
            for hit in &drawn.painted.hits {
                let area = hit.area;
                assert!(area.x + area.width <= columns && area.y + area.height <= rows, "{name}: {area:?}");
            }
            assert!(drawn.caret.is_none_or(|at| at.x < columns && at.y < rows), "{name}");
        }
    }
}

#[test]
fn an_appended_message_costs_a_line() {
    let theme = Theme::load("dark", None, Depth::True).unwrap();
    let mut model = fixture::streaming(120, 40);
    let mut screen = super::screen::Screen::new(ratatui::layout::Size::new(120, 40));
    let (mut out, mut most) = (Vec::new(), 0);
    for n in 0..200 {
        fixture::append(&mut model, n);
        out.clear();
        let drawn = view::draw(&model, &theme, screen.start());
        screen.finish(drawn.caret, &drawn.links, &mut out);
        if n > 60 {
            most = most.max(out.len());
        }
    }
    assert!(most <= 600, "{most} bytes for a message");
}

/// Writes pictures of all fixtures for a person to look at: `PICTURES=folder cargo test pictures -- --ignored`.
#[test]
#[ignore = "for looking at"]
fn pictures() {
    let folder = std::env::var("PICTURES").unwrap();
    for theme in ["dark", "light"] {
        let theme = Theme::load(theme, None, Depth::True).unwrap();
        for lang in [Lang::En, Lang::Zh] {
            for (columns, rows) in [(80, 24), (120, 40), (160, 45), (40, 12)] {
                for (name, model) in fixture::all(lang, columns, rows) {
                    let file = format!("{folder}/{}-{lang:?}-{columns}x{rows}-{name}.svg", theme.name());
                    std::fs::write(file, picture::svg(&draw(&model, &theme), &theme)).unwrap();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_size_is_drawn(columns in 1u16..300, rows in 1u16..100, small in any::<bool>(), is_zh in any::<bool>(), is_ascii in any::<bool>()) {
        let (columns, rows) = if small { (columns % 45 + 1, rows % 18 + 1) } else { (columns, rows) };
        let theme = Theme::fallback(Depth::Indexed);
        let lang = if is_zh { Lang::Zh } else { Lang::En };
        for (name, mut model) in fixture::all(lang, columns, rows) {
            model.glyphs = if is_ascii { Glyphs::Ascii } else { Glyphs::Unicode };
            let buffer = draw(&model, &theme);
            for row in buffer.content.chunks(usize::from(columns)) {
                let line: String = row.iter().map(|cell| cell.symbol()).collect();
                let cells: usize = row.iter().map(|cell| text::width(cell.symbol())).sum();
                prop_assert_eq!(cells, usize::from(columns), "{}: {}", name, line);
            }
        }
    }
}
