//! What the terminal sends, as the console's events.

use crossterm::event as term;

use crate::app::{
    event::{Event, Mouse, MouseKind, Size},
    key::{Key, KeyCode, Modifiers},
};

/// The console's event for a terminal's; `None` for what means nothing here.
pub fn event(from: term::Event) -> Option<Event> {
    match from {
        term::Event::Key(key) if key.kind != term::KeyEventKind::Release => {
            self::key(key).map(Event::KeyPressed)
        }
        term::Event::Key(_) => None,
        term::Event::Paste(text) => Some(Event::Pasted(text)),
        term::Event::Resize(columns, rows) => Some(Event::Resized(Size { columns, rows })),
        term::Event::FocusGained => Some(Event::FocusChanged(true)),
        term::Event::FocusLost => Some(Event::FocusChanged(false)),
        term::Event::Mouse(mouse) => {
            let kind = match mouse.kind {
                term::MouseEventKind::Down(term::MouseButton::Left) => MouseKind::Click,
                term::MouseEventKind::ScrollUp => MouseKind::WheelUp,
                term::MouseEventKind::ScrollDown => MouseKind::WheelDown,
                _ => return None,
            };
            Some(Event::MouseUsed(Mouse { kind, column: mouse.column, row: mouse.row }))
        }
    }
}

fn key(from: term::KeyEvent) -> Option<Key> {
    let code = match from.code {
        term::KeyCode::Char(c) => KeyCode::Char(c),
        term::KeyCode::Enter => KeyCode::Enter,
        term::KeyCode::Esc => KeyCode::Esc,
        term::KeyCode::Tab | term::KeyCode::BackTab => KeyCode::Tab,
        term::KeyCode::Backspace => KeyCode::Backspace,
        term::KeyCode::Delete => KeyCode::Delete,
        term::KeyCode::Insert => KeyCode::Insert,
        term::KeyCode::Left => KeyCode::Left,
        term::KeyCode::Right => KeyCode::Right,
        term::KeyCode::Up => KeyCode::Up,
        term::KeyCode::Down => KeyCode::Down,
        term::KeyCode::Home => KeyCode::Home,
        term::KeyCode::End => KeyCode::End,
        term::KeyCode::PageUp => KeyCode::PageUp,
        term::KeyCode::PageDown => KeyCode::PageDown,
        term::KeyCode::F(n) => KeyCode::F(n),
        _ => return None,
    };
    let held = from.modifiers;
    let shift = held.contains(term::KeyModifiers::SHIFT) || from.code == term::KeyCode::BackTab;
    Some(Key::new(
        code,
        Modifiers {
            ctrl: held.contains(term::KeyModifiers::CONTROL),
            alt: held.contains(term::KeyModifiers::ALT),
            shift,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: term::KeyCode, held: term::KeyModifiers) -> Option<String> {
        match event(term::Event::Key(term::KeyEvent::new(code, held)))? {
            Event::KeyPressed(key) => Some(key.to_string()),
            _ => None,
        }
    }

    #[test]
    fn keys_have_their_normal_form() {
        use term::{KeyCode as C, KeyModifiers as M};
        assert_eq!(read(C::BackTab, M::SHIFT).unwrap(), "shift-tab");
        assert_eq!(read(C::Char('G'), M::SHIFT).unwrap(), "G");
        assert_eq!(read(C::Char('c'), M::CONTROL).unwrap(), "ctrl-c");
        assert_eq!(read(C::Enter, M::ALT).unwrap(), "alt-enter");
        assert_eq!(read(C::CapsLock, M::NONE), None);
    }
}
