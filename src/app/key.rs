//! Keys as the console knows them, whatever terminal library read them.

use std::{fmt, str::FromStr};

/// What key it is, apart from its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyCode {
    /// A character, with Shift already applied.
    Char(char),
    /// Enter, Return.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// Left arrow.
    Left,
    /// Right arrow.
    Right,
    /// Up arrow.
    Up,
    /// Down arrow.
    Down,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// F1 to F24.
    F(u8),
}

/// The modifiers held down with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Modifiers {
    /// Control.
    pub ctrl: bool,
    /// Alt, Option, Meta.
    pub alt: bool,
    /// Shift; never set with a character, which carries it in itself.
    pub shift: bool,
}

impl Modifiers {
    /// No modifier.
    pub const NONE: Self = Self { ctrl: false, alt: false, shift: false };
    /// Control alone.
    pub const CTRL: Self = Self { ctrl: true, ..Self::NONE };
    /// Alt alone.
    pub const ALT: Self = Self { alt: true, ..Self::NONE };
    /// Shift alone.
    pub const SHIFT: Self = Self { shift: true, ..Self::NONE };
}

/// A key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// What is held with it.
    pub mods: Modifiers,
}

impl Key {
    /// A key in its normal form: Shift goes into the character, Ctrl with a letter knows no case.
    pub const fn new(code: KeyCode, mods: Modifiers) -> Self {
        match code {
            KeyCode::Char(c) => {
                let c = if mods.ctrl { c.to_ascii_lowercase() } else { c };
                Self { code: KeyCode::Char(c), mods: Modifiers { shift: false, ..mods } }
            }
            _ => Self { code, mods },
        }
    }

    /// A key without modifiers.
    pub const fn plain(code: KeyCode) -> Self {
        Self::new(code, Modifiers::NONE)
    }

    /// A character without modifiers.
    pub const fn char(c: char) -> Self {
        Self::plain(KeyCode::Char(c))
    }

    /// A character with Control.
    pub const fn ctrl(c: char) -> Self {
        Self::new(KeyCode::Char(c), Modifiers::CTRL)
    }

    /// The character that this key types into a text field, if it types one.
    pub const fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.mods.ctrl && !self.mods.alt => Some(c),
            _ => None,
        }
    }
}

const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
    ("return", KeyCode::Enter),
    ("escape", KeyCode::Esc),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let mut out = String::new();
        for (held, name) in [(self.mods.ctrl, "ctrl-"), (self.mods.alt, "alt-"), (self.mods.shift, "shift-")]
        {
            if held {
                out.push_str(name);
            }
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => out.push_str(name),
            (None, KeyCode::Char(c)) => out.push(c),
            (None, KeyCode::F(n)) => write!(out, "f{n}")?,
            (None, _) => {}
        }
        f.pad(&out)
    }
}

/// Why a text is not the name of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key: write it like `x`, `ctrl-r`, `alt-enter`, `shift-tab`, `f1`, `pgup` or `space`")]
pub struct InvalidKey(String);

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let invalid = || InvalidKey(text.to_owned());
        let mut mods = Modifiers::NONE;
        let mut rest = text.trim();
        while let Some((head, tail)) = rest.split_once(['-', '+']).filter(|(_, tail)| !tail.is_empty()) {
            match head.to_ascii_lowercase().as_str() {
                "ctrl" | "control" | "c" if !mods.ctrl => mods.ctrl = true,
                "alt" | "meta" | "a" if !mods.alt => mods.alt = true,
                "shift" | "s" if !mods.shift => mods.shift = true,
                _ => return Err(invalid()),
            }
            rest = tail;
        }
        let code = code_of(rest).ok_or_else(invalid)?;
        let code = match code {
            KeyCode::Char(c) if mods.shift && c.is_ascii_alphabetic() && !mods.ctrl => {
                KeyCode::Char(c.to_ascii_uppercase())
            }
            KeyCode::Char(_) if mods.shift => return Err(invalid()),
            code => code,
        };
        Ok(Self::new(code, mods))
    }
}

fn code_of(text: &str) -> Option<KeyCode> {
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return (!c.is_control() && c != ' ').then_some(KeyCode::Char(c));
    }
    let lower = text.to_ascii_lowercase();
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == lower) {
        return Some(*code);
    }
    let number: u8 = lower.strip_prefix('f')?.parse().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_read_as_they_are_written() {
        for (text, key) in [
            ("x", Key::char('x')),
            ("X", Key::char('X')),
            ("shift-x", Key::char('X')),
            ("ctrl-R", Key::ctrl('r')),
            ("-", Key::char('-')),
            ("ctrl--", Key::ctrl('-')),
            ("+", Key::char('+')),
            ("space", Key::char(' ')),
            ("alt-enter", Key::new(KeyCode::Enter, Modifiers::ALT)),
            ("shift-tab", Key::new(KeyCode::Tab, Modifiers::SHIFT)),
            ("F12", Key::plain(KeyCode::F(12))),
            ("pageup", Key::plain(KeyCode::PageUp)),
        ] {
            assert_eq!(text.parse::<Key>(), Ok(key), "{text}");
        }
        for bad in ["", "ctrl-", "ctrl-ctrl-x", "hyper-x", "f25", "xx", " ", "shift-1", "\u{1b}"] {
            assert!(bad.parse::<Key>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn typed_characters_are_those_without_ctrl_and_alt() {
        assert_eq!(Key::char('q').typed(), Some('q'));
        assert_eq!(Key::ctrl('q').typed(), None);
        assert_eq!(Key::plain(KeyCode::Enter).typed(), None);
    }

    proptest! {
        #[test]
        fn names_of_keys_come_back(c in "[!-~]|[一-十]", ctrl: bool, alt: bool, n in 1u8..25) {
            let mods = Modifiers { ctrl, alt, shift: false };
            for code in [KeyCode::Char(c.chars().next().unwrap()), KeyCode::F(n), KeyCode::PageUp] {
                let key = Key::new(code, mods);
                prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
            }
        }

        #[test]
        fn any_text_is_a_key_or_an_error(text in "\\PC{0,12}") {
            _ = text.parse::<Key>();
        }
    }
}
