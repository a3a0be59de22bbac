//! The two languages of the screen. A phrase is written once, in both, where it is used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A language of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// The language of a POSIX locale name such as `zh_CN.UTF-8`; English where it is another.
    pub fn of_locale(locale: &str) -> Self {
        if locale.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("zh")) { Self::Zh } else { Self::En }
    }
}

/// One text in both languages. Holes are `{}`, filled in order, the same number in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phrase {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
}

/// Makes a [`Phrase`]; for tables of constants.
pub const fn phrase(en: &'static str, zh: &'static str) -> Phrase {
    Phrase { en, zh }
}

impl Phrase {
    /// The text in `lang`.
    pub const fn get(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }

    /// The text in `lang` with its holes filled, in order. A hole without a value stays visible.
    pub fn fill(self, lang: Lang, values: &[&dyn std::fmt::Display]) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let mut values = values.iter();
        let mut parts = self.get(lang).split("{}").peekable();
        while let Some(part) = parts.next() {
            out.push_str(part);
            if parts.peek().is_some() {
                match values.next() {
                    // Writing to a String cannot fail.
                    Some(value) => _ = write!(out, "{value}"),
                    None => out.push_str("{}"),
                }
            }
        }
        out
    }
}

/// A duration in one unit: `41 s`, `3 min`, `2 h`.
pub fn duration_words(time: Duration, lang: Lang) -> String {
    let (n, unit) = match time.as_secs() {
        0 if time.as_millis() > 0 => return format!("{} ms", time.as_millis()),
        s @ 0..120 => (s, phrase("{} s", "{} 秒")),
        s @ 120..7200 => (s / 60, phrase("{} min", "{} 分钟")),
        s => (s / 3600, phrase("{} h", "{} 小时")),
    };
    unit.fill(lang, &[&n])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_in_order() {
        const NEW: Phrase = phrase("{} new in {}", "{} 条新消息，{}");
        assert_eq!(NEW.fill(Lang::En, &[&7, &"ops"]), "7 new in ops");
        assert_eq!(NEW.fill(Lang::Zh, &[&7]), "7 条新消息，{}");
    }

    #[test]
    fn locales_choose_the_language() {
        assert_eq!(Lang::of_locale("zh_CN.UTF-8"), Lang::Zh);
        assert_eq!(Lang::of_locale("de_DE"), Lang::En);
        assert_eq!(Lang::of_locale(""), Lang::En);
    }
}
