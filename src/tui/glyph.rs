//! Signs for terminals that have ASCII alone. Views draw one set of signs; this turns a finished frame into the
//! other, sign by sign, each as wide as the one it stands for.

use ratatui::buffer::Buffer;

/// Signs of the screen and what stands for them. Cells of text from outside are changed by the same table.
const SIGNS: &[(&str, &str)] = &[
    ("─", "-"),
    ("│", "|"),
    ("╭", "+"),
    ("╮", "+"),
    ("╰", "`"),
    ("╯", "+"),
    ("├", "+"),
    ("┤", "+"),
    ("┬", "+"),
    ("┴", "+"),
    ("┼", "+"),
    ("┄", "-"),
    ("·", "."),
    ("…", "~"),
    ("•", "*"),
    ("●", "*"),
    ("○", "o"),
    ("◌", "?"),
    ("↻", "@"),
    ("✓", "+"),
    ("✗", "x"),
    ("▌", ">"),
    ("▎", "|"),
    ("▍", "|"),
    ("▏", "."),
    ("▋", "#"),
    ("▊", "#"),
    ("▉", "#"),
    ("█", "#"),
    ("░", "."),
    ("▁", "_"),
    ("▂", "_"),
    ("▃", "-"),
    ("▄", "-"),
    ("▅", "="),
    ("▆", "="),
    ("▇", "#"),
    ("↑", "^"),
    ("↓", "v"),
    ("←", "<"),
    ("→", ">"),
    ("›", ">"),
    ("‹", "<"),
    ("▸", ">"),
    ("▾", "v"),
    ("☐", "_"),
    ("☑", "x"),
    ("“", "\""),
    ("”", "\""),
    ("‘", "'"),
    ("’", "'"),
    ("—", "-"),
    ("–", "-"),
    ("×", "x"),
    ("≤", "<"),
    ("≥", ">"),
    ("⇧", "^"),
];

/// Replaces the signs of the screen by ASCII ones.
pub(super) fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().len() > 1
            && let Some((_, plain)) = SIGNS.iter().find(|(sign, _)| *sign == cell.symbol())
        {
            cell.set_symbol(plain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::width;

    #[test]
    fn signs_keep_their_width() {
        for (sign, plain) in SIGNS {
            assert_eq!(width(sign), width(plain), "{sign}");
            assert!(plain.is_ascii());
        }
    }
}
