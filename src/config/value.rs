//! The types of settings: how each is read from a file and from text, and how it is written.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;
use toml::de::DeValue;

use crate::core::lang::Lang;

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// What is allowed, for documents and for errors.
    fn allowed() -> String;

    /// From a variable or a flag.
    fn from_text(text: &str) -> Result<Self, String>;

    /// From the file.
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Self::from_text(text),
            other => Err(expected(&Self::allowed(), &written(other))),
        }
    }

    /// As the file writes it; `None` where there is no value.
    fn to_toml(&self) -> Option<String>;
}

fn expected(allowed: &str, found: &str) -> String {
    format!("{found} is not allowed here: {allowed}")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

impl Value for bool {
    fn allowed() -> String {
        "true or false".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            other => Err(expected(&Self::allowed(), &quoted(other))),
        }
    }

    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| expected(&Self::allowed(), &written(value)))
    }

    fn to_toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// A whole number between two bounds, both included.
macro_rules! bounded {
    ($text:expr, $low:expr, $high:expr) => {
        $text.parse().ok().filter(|number| ($low..=$high).contains(number))
    };
}

impl Value for u32 {
    fn allowed() -> String {
        "a whole number from 1 to 1000".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        bounded!(text, 1u32, 1000u32).ok_or_else(|| expected(&Self::allowed(), &quoted(text)))
    }

    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        value
            .as_integer()
            .and_then(|number| bounded!(number.as_str(), 1u32, 1000u32))
            .ok_or_else(|| expected(&Self::allowed(), &written(value)))
    }

    fn to_toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for String {
    fn allowed() -> String {
        "a text".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty: leave the setting out instead".to_owned());
        }
        Ok(text.to_owned())
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for PathBuf {
    fn allowed() -> String {
        "a path; a leading ~/ is the home directory".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty: leave the setting out instead".to_owned());
        }
        match (text.strip_prefix("~/"), directories::BaseDirs::new()) {
            (Some(rest), Some(dirs)) => Ok(dirs.home_dir().join(rest)),
            _ => Ok(Self::from(text)),
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&self.display().to_string()))
    }
}

impl<T: Value> Value for Option<T> {
    fn allowed() -> String {
        T::allowed()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        T::from_text(text).map(Some)
    }

    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        T::from_toml(value).map(Some)
    }

    fn to_toml(&self) -> Option<String> {
        self.as_ref().and_then(Value::to_toml)
    }
}

/// A setting with a handful of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ } default $default:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// The word of the file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl Value for $name {
            fn allowed() -> String {
                one_of(&[$($word,)+])
            }

            fn from_text(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(expected(&Self::allowed(), &quoted(other))),
                }
            }

            fn to_toml(&self) -> Option<String> {
                Some(quoted(self.as_str()))
            }
        }
    };
}

fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => quoted(only),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|word| quoted(word)).collect();
            format!("{} or {}", most.join(", "), quoted(last))
        }
    }
}

words! {
    /// Characters that the screen is drawn with.
    Glyphs {
        /// Box drawing and symbols.
        Unicode = "unicode",
        /// ASCII alone.
        Ascii = "ascii",
    } default Unicode
}

words! {
    /// When the terminal's bell rings.
    Bell {
        /// Never.
        Never = "never",
        /// When a message mentions the reader or everybody.
        Mention = "mention",
        /// For each message in a room that is not open.
        Message = "message",
    } default Mention
}

words! {
    /// Which rooms are followed: ingested live and filled after a gap.
    RoomsFollowed {
        /// Every group chat that the bot is in.
        All = "all",
        /// Those that were opened or adopted as War Rooms.
        WarRooms = "war_rooms",
    } default All
}

words! {
    /// The least important lines that still go to the log file.
    LogLevel {
        /// Failures.
        Error = "error",
        /// And what may lead to them.
        Warn = "warn",
        /// And what happens.
        Info = "info",
        /// And how.
        Debug = "debug",
        /// And everything else.
        Trace = "trace",
    } default Info
}

impl Value for Lang {
    fn allowed() -> String {
        one_of(&["en", "zh"])
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "en" => Ok(Self::En),
            "zh" => Ok(Self::Zh),
            other => Err(expected(&Self::allowed(), &quoted(other))),
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(match self {
            Self::En => "en",
            Self::Zh => "zh",
        }))
    }
}

/// The name of a theme: of one that is built in, or of a file in the folder `themes` beside the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeName(Box<str>);

impl ThemeName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for ThemeName {
    fn allowed() -> String {
        "the name of a theme: letters, digits, - and _".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        // The name becomes a file name: nothing that could leave the folder.
        let is_good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(is_good) {
            return Err(expected(&Self::allowed(), &quoted(text)));
        }
        Ok(Self(text.into()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

impl Default for ThemeName {
    fn default() -> Self {
        Self("dark".into())
    }
}

/// A time zone: what people read times in.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: Box<str>,
    tz: TimeZone,
}

impl Zone {
    /// The zone itself.
    pub const fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// As it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The machine's zone; UTC where it has none.
    pub fn system() -> Self {
        Self { name: "local".into(), tz: TimeZone::system() }
    }

    /// UTC+8, where the platform's month begins.
    pub fn shanghai() -> Self {
        Self { name: "+08:00".into(), tz: TimeZone::fixed(jiff::tz::offset(8)) }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Value for Zone {
    fn allowed() -> String {
        "\"local\", \"UTC\", an offset such as \"+08:00\", or a zone name such as \"Asia/Shanghai\""
            .to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let tz = match text {
            "local" => return Ok(Self::system()),
            "UTC" | "utc" | "Z" => TimeZone::UTC,
            _ => offset(text)
                .map(TimeZone::fixed)
                .or_else(|| TimeZone::get(text).ok())
                .ok_or_else(|| expected(&Self::allowed(), &quoted(text)))?,
        };
        Ok(Self { name: text.into(), tz })
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&self.name))
    }
}

/// `+08:00` and `-0330`, up to 14 hours.
fn offset(text: &str) -> Option<jiff::tz::Offset> {
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let digits = rest.replacen(':', "", 1);
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits.get(2..)?.parse().ok()?;
    if hours > 14 || minutes > 59 {
        return None;
    }
    jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// How many calls the tenant's plan allows in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthLimit(Option<u64>);

impl MonthLimit {
    /// Calls; `None` is unlimited.
    pub const fn calls(self) -> Option<u64> {
        self.0
    }
}

impl Default for MonthLimit {
    fn default() -> Self {
        // Basic Free, the smallest plan (R53): whoever has more says so, whoever has it is warned in time.
        Self(Some(10_000))
    }
}

impl Value for MonthLimit {
    fn allowed() -> String {
        "a whole number of at least 1, or \"unlimited\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self(None));
        }
        bounded!(text, 1u64, 1_000_000_000_000u64)
            .map(|calls| Self(Some(calls)))
            .ok_or_else(|| expected(&Self::allowed(), &quoted(text)))
    }

    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let text = match value {
            DeValue::Integer(number) => number.as_str(),
            DeValue::String(word) if word == "unlimited" => word,
            other => return Err(expected(&Self::allowed(), &written(other))),
        };
        Self::from_text(text).map_err(|_| expected(&Self::allowed(), &written(value)))
    }

    fn to_toml(&self) -> Option<String> {
        Some(self.0.map_or_else(|| quoted("unlimited"), |calls| calls.to_string()))
    }
}

/// How many days something is kept, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepDays(Option<u32>);

impl KeepDays {
    /// So many days.
    pub(super) const fn days(days: u32) -> Self {
        Self(Some(days))
    }

    /// Nothing is forgotten.
    pub(super) const fn forever() -> Self {
        Self(None)
    }

    /// For how long; `None` is for ever.
    pub fn duration(self) -> Option<Duration> {
        self.0.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600))
    }
}

impl Value for KeepDays {
    fn allowed() -> String {
        "a whole number of days from 1 to 36500, or \"forever\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self(None));
        }
        bounded!(text, 1u32, 36_500u32)
            .map(Self::days)
            .ok_or_else(|| expected(&Self::allowed(), &quoted(text)))
    }

    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let text = match value {
            DeValue::Integer(number) => number.as_str(),
            DeValue::String(word) if word == "forever" => word,
            other => return Err(expected(&Self::allowed(), &written(other))),
        };
        Self::from_text(text).map_err(|_| expected(&Self::allowed(), &written(value)))
    }

    fn to_toml(&self) -> Option<String> {
        Some(self.0.map_or_else(|| quoted("forever"), |days| days.to_string()))
    }
}

/// Where people and the platform reach this larkdeck from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Box<str>);

impl PublicUrl {
    /// The URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for PublicUrl {
    fn allowed() -> String {
        "an http or https URL without query, such as \"https://larkdeck.example.com\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let refuse = || expected(&Self::allowed(), &quoted(text));
        let url = url::Url::parse(text).map_err(|_| refuse())?;
        let is_good = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_good {
            return Err(refuse());
        }
        Ok(Self(url.as_str().trim_end_matches('/').into()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

/// An address and a port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl Default for ListenAddress {
    fn default() -> Self {
        Self(SocketAddr::from(([127, 0, 0, 1], 7780)))
    }
}

impl Value for ListenAddress {
    fn allowed() -> String {
        "an address and a port, such as \"127.0.0.1:7780\" or \"[::]:7780\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| expected(&Self::allowed(), &quoted(text)))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&self.0.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_names_or_offsets() {
        for good in ["UTC", "+08:00", "-0330", "Asia/Shanghai", "local"] {
            assert!(Zone::from_text(good).is_ok(), "{good}");
        }
        for bad in ["", "Mars/Base", "+8", "+25:00", "+0x:00"] {
            assert!(Zone::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_month_is_a_number_or_unlimited() {
        assert_eq!(MonthLimit::from_text("unlimited").unwrap().calls(), None);
        assert_eq!(MonthLimit::from_text("500").unwrap().calls(), Some(500));
        for bad in ["0", "-1", "many", ""] {
            assert!(MonthLimit::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keeping_for_ever_is_spelled_out() {
        assert_eq!(KeepDays::from_text("forever").unwrap().duration(), None);
        assert_eq!(KeepDays::from_text("3").unwrap().duration(), Some(Duration::from_secs(3 * 24 * 3600)));
        for bad in ["0", "-1", "always", "", "36501"] {
            assert!(KeepDays::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn public_urls_keep_their_path_and_nothing_secret() {
        assert_eq!(PublicUrl::from_text("https://a.test/x/").unwrap().as_str(), "https://a.test/x");
        for bad in ["a.test", "ftp://a.test", "https://u:p@a.test", "https://a.test/?q=1", "https://"] {
            assert!(PublicUrl::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn themes_stay_in_their_folder() {
        assert!(ThemeName::from_text("../dark").is_err());
        assert_eq!(ThemeName::from_text("light").unwrap().as_str(), "light");
    }
}
