//! Phone numbers as people write them, made into E.164.

/// The text is no phone number: it has letters, or too few or too many digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a phone number")]
pub struct NotAPhone;

/// A phone number that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phone {
    /// `+` and digits: fit for a lookup.
    E164(String),
    /// Digits of a number whose country is unknown: kept as written, never looked up.
    Bare(String),
}

impl Phone {
    /// The text that the roster keeps.
    pub fn into_text(self) -> String {
        match self {
            Self::E164(text) | Self::Bare(text) => text,
        }
    }
}

/// Whether a number of the roster can be looked up.
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Reads a number. Spaces, hyphens, dots and brackets are dropped, full-width digits understood, a leading
/// `00` is `+`; a bare mainland mobile number gets `+86`.
///
/// # Errors
/// [`NotAPhone`] for anything else.
pub fn read(text: &str) -> Result<Phone, NotAPhone> {
    let mut digits = String::with_capacity(16);
    let mut is_international = false;
    for c in text.trim().chars() {
        match c {
            '+' | '＋' if digits.is_empty() && !is_international => is_international = true,
            '0'..='9' => digits.push(c),
            '０'..='９' => {
                let value = u32::from(c) - u32::from('０');
                digits.extend(char::from_digit(value, 10));
            }
            ' ' | '-' | '.' | '(' | ')' | '/' | '\t' | '\u{a0}' | '\u{2010}'..='\u{2014}' | '（' | '）' => {
            }
            // Left by spreadsheets around numbers that were pasted from chats.
            '\u{202a}'..='\u{202e}' | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{2066}'..='\u{2069}' => {}
            _ => return Err(NotAPhone),
        }
    }
    if !is_international && let Some(rest) = digits.strip_prefix("00") {
        digits = rest.to_owned();
        is_international = true;
    }
    if !is_international {
        if is_mainland(&digits) {
            return Ok(Phone::E164(format!("+86{digits}")));
        }
        if digits.strip_prefix("86").is_some_and(is_mainland) {
            return Ok(Phone::E164(format!("+{digits}")));
        }
        return if (5..=15).contains(&digits.len()) { Ok(Phone::Bare(digits)) } else { Err(NotAPhone) };
    }
    // "+1 (0)20 …" and the like: a zero after the country code is the trunk prefix of +44 and +49 only in
    // writing; it cannot be told from a real digit, so nothing is guessed here.
    let number = format!("+{digits}");
    if is_e164(&number) { Ok(Phone::E164(number)) } else { Err(NotAPhone) }
}

/// A mobile number of mainland China without its country code.
fn is_mainland(digits: &str) -> bool {
    digits.len() == 11
        && digits.starts_with('1')
        && digits.as_bytes().get(1).is_some_and(|b| (b'3'..=b'9').contains(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn e164(text: &str) -> Result<Phone, NotAPhone> {
        Ok(Phone::E164(text.to_owned()))
    }

    #[test]
    fn mainland_numbers_get_their_country_code() {
        for written in [
            "13800000000",
            "138 0000 0000",
            "138-0000-0000",
            "+86 138 0000 0000",
            "8613800000000",
            "0086 138 0000 0000",
            "１３８００００００００",
            "\u{202a}13800000000\u{202c}",
            "（138）00000000",
        ] {
            assert_eq!(read(written), e164("+8613800000000"), "{written}");
        }
    }

    #[test]
    fn others_need_theirs() {
        assert_eq!(read("+1 202-555-0100"), e164("+12025550100"));
        assert_eq!(read("00 44 20 7946 0000"), e164("+442079460000"));
        assert_eq!(read("2025550100"), Ok(Phone::Bare("2025550100".into())));
        assert_eq!(read("12800000000"), Ok(Phone::Bare("12800000000".into())));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [
            "",
            "n/a",
            "1.38E+10",
            "+",
            "+0123456789",
            "123",
            "+1234567890123456",
            "138000000001380000",
            "中",
        ] {
            assert_eq!(read(bad), Err(NotAPhone), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_is_total_and_settles(text in "\\PC{0,24}|[+０0-9 ()-]{0,20}") {
            if let Ok(phone) = read(&text) {
                let kept = phone.clone().into_text();
                prop_assert_eq!(is_e164(&kept), matches!(phone, Phone::E164(_)));
                prop_assert_eq!(read(&kept), Ok(phone));
            }
        }
    }
}
