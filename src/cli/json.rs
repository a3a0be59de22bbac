//! JSON for machines that is also harmless on a terminal: the text is kept, but characters that act or hide
//! are written as `\uXXXX`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{
    Value,
    ser::{CompactFormatter, Formatter, Serializer},
};

use crate::core::{text::is_hidden, time::Timestamp};

/// Writes `value` and a line feed.
///
/// # Errors
/// What the writer says.
pub(super) fn write_line(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    let mut line = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut line, Escaping)).map_err(io::Error::from)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// An instant as JSON; null where there is none.
pub(super) fn at(at: Option<Timestamp>, zone: &jiff::tz::TimeZone) -> Value {
    at.map_or(Value::Null, |at| Value::String(at.rfc3339(zone)))
}

/// Compact JSON with DEL, C1, bidi controls, zero-width characters and line separators escaped.
struct Escaping;

fn must_escape(c: char) -> bool {
    !c.is_ascii() && (('\u{80}'..='\u{9f}').contains(&c) || is_hidden(c)) || c == '\u{7f}'
}

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| must_escape(*c)) {
            let (plain, tail) = rest.split_at(at);
            CompactFormatter.write_string_fragment(out, plain)?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = tail.get(c.len_utf8()..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(out, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn line(value: &Value) -> String {
        let mut out = Vec::new();
        write_line(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_acts_is_escaped_and_kept() {
        let text = "a\u{1b}[31m\u{9b}\u{7f}\u{202e}\u{200b}\u{2028}\u{feff}支付\u{e0041}";
        let written = line(&json!({ "t": text, "n": null }));
        assert_eq!(
            written,
            "{\"t\":\"a\\u001b[31m\\u009b\\u007f\\u202e\\u200b\\u2028\\ufeff支付\\udb40\\udc41\",\"n\":null}\n"
        );
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap()["t"], text);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text in "(\\PC|[\\x00-\\x{9f}\\x{200b}-\\x{202e}\\x{e0000}-\\x{e0fff}]){0,40}") {
            let written = line(&Value::String(text.clone()));
            prop_assert!(!written.trim_end_matches('\n').contains(|c: char| c.is_control() || is_hidden(c)));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), Value::String(text));
        }
    }
}
