//! Pieces of screens that know nothing of the domain.

pub mod gauge;
pub mod notice;
pub mod popup;
pub mod prompt;
pub mod table;
pub mod tabs;

/// A whole number with its thousands set apart: `12,345`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count for a narrow place: `999`, `1.2k`, `45k`, `3M`.
pub fn short_number(value: u64) -> String {
    match value {
        0..1_000 => value.to_string(),
        1_000..10_000 => format!("{}.{}k", value / 1_000, value % 1_000 / 100),
        10_000..1_000_000 => format!("{}k", value / 1_000),
        _ => format!("{}M", value / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_shortened() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(number), ["0", "12", "999", "1,000", "1,234,567"]);
        assert_eq!([999, 1_250, 45_999, 3_400_000].map(short_number), ["999", "1.2k", "45k", "3M"]);
    }
}
