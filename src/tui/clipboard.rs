//! Copying through the terminal (OSC 52): works over SSH, has no acknowledgement.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What terminals take at most of encoded text, bytes.
const MAX_ENCODED_BYTES: usize = 74_994;
/// GNU screen cuts its passthrough strings at 768 bytes.
const SCREEN_CHUNK_BYTES: usize = 700;

/// What stands between us and the terminal that owns the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrap {
    /// Nothing.
    #[default]
    None,
    /// tmux: its passthrough, with escapes doubled.
    Tmux,
    /// GNU screen: its passthrough, in pieces.
    Screen,
}

impl Wrap {
    /// What the environment names.
    pub fn of_env(get: impl Fn(&str) -> Option<String>) -> Self {
        if get("TMUX").is_some_and(|tmux| !tmux.is_empty()) {
            return Self::Tmux;
        }
        match get("TERM") {
            Some(term) if term.starts_with("screen") => Self::Screen,
            _ => Self::None,
        }
    }
}

/// The bytes that ask the terminal to copy `text`; `None` when it is too long for it.
pub fn osc52(text: &str, wrap: Wrap) -> Option<Vec<u8>> {
    let encoded = STANDARD.encode(text);
    if encoded.len() > MAX_ENCODED_BYTES {
        return None;
    }
    let plain = format!("\x1b]52;c;{encoded}\x07");
    Some(match wrap {
        Wrap::None => plain.into_bytes(),
        // Plain first: tmux with `set-clipboard on` takes it itself; others let the wrapped one through.
        Wrap::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")).into_bytes(),
        Wrap::Screen => plain
            .as_bytes()
            .chunks(SCREEN_CHUNK_BYTES)
            .flat_map(|chunk| [b"\x1bP".as_slice(), chunk, b"\x1b\\"].concat())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_wrapped_for_what_is_between() {
        let text = |wrap| String::from_utf8(osc52("hi", wrap).unwrap()).unwrap();
        assert_eq!(text(Wrap::None), "\x1b]52;c;aGk=\x07");
        assert_eq!(text(Wrap::Tmux), "\x1b]52;c;aGk=\x07\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\");
        assert_eq!(text(Wrap::Screen), "\x1bP\x1b]52;c;aGk=\x07\x1b\\");
        let long = String::from_utf8(osc52(&"x".repeat(2000), Wrap::Screen).unwrap()).unwrap();
        assert!(long.split("\x1b\\").all(|piece| piece.len() < 768));
    }

    #[test]
    fn what_no_terminal_takes_is_not_sent() {
        assert!(osc52(&"x".repeat(56_244), Wrap::None).is_some());
        assert!(osc52(&"x".repeat(56_245), Wrap::None).is_none());
    }

    #[test]
    fn the_environment_names_the_multiplexer() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(Wrap::of_env(env(&[("TMUX", "/tmp/x"), ("TERM", "screen-256color")])), Wrap::Tmux);
        assert_eq!(Wrap::of_env(env(&[("TERM", "screen.xterm-256color")])), Wrap::Screen);
        assert_eq!(Wrap::of_env(env(&[("TERM", "xterm-256color")])), Wrap::None);
    }
}
