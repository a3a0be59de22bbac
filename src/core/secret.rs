//! Secrets: never shown by `Debug` or `Display`, wiped from memory when dropped.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text: App Secret, Encrypt Key, Verification Token, access token.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over; white space around it (a file's last newline) is cut off.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        let trimmed = text.trim();
        if trimmed.len() != text.len() {
            let kept = trimmed.to_owned();
            text.zeroize();
            return Self(kept);
        }
        Self(text)
    }

    /// The text itself. Every call of this is a place where the secret can get out: keep them few.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a screen may show: the last two characters behind a fixed number of dots, or dots alone
    /// when the secret is so short that two characters would give much of it away.
    pub fn masked(&self) -> String {
        let count = self.0.chars().count();
        if count < 12 {
            return "••••••••".to_owned();
        }
        let tail: String = self.0.chars().skip(count - 2).filter(char::is_ascii_graphic).collect();
        format!("••••••••{tail}")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(••••)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("••••")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_never_shows_the_text() {
        let secret = Secret::new("abcdefghijklmnop\n");
        assert_eq!(secret.reveal(), "abcdefghijklmnop");
        assert!(!format!("{secret} {secret:?}").contains("abc"));
        assert_eq!(secret.masked(), "••••••••op");
        assert_eq!(Secret::new("short").masked(), "••••••••");
    }
}
