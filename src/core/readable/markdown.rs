//! The platform's Markdown, as cards and posts have it: what marks it is taken away, what it says stays.

use std::borrow::Cow;

/// So many bytes at most lie between a mark and its end: a text made of beginnings alone must not be searched
/// through to its end for each of them.
const NEAR: usize = 2048;

/// Tags that only colour what stands between them.
const DECORATIONS: [&str; 4] = ["<font", "</font>", "<text_tag", "</text_tag>"];

/// The text without its marks: emphasis, colours and headings go, `[words](address)` becomes
/// `words (address)`, `<br>` a new line. Code stays as it was written, with its marks: it may be a command.
pub(super) fn unmarked(text: &str) -> Cow<'_, str> {
    if !text.contains(['*', '~', '<', '[', '#', '`']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut is_code_block = false;
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let is_fence = line.trim_start().starts_with("```");
        if is_fence || is_code_block {
            is_code_block ^= is_fence;
            out.push_str(line);
        } else {
            unmark_line(&mut out, line);
        }
    }
    Cow::Owned(out)
}

fn unmark_line(out: &mut String, line: &str) {
    let heading = line.trim_start_matches('#');
    let level = line.len() - heading.len();
    let mut rest = match heading.strip_prefix(' ') {
        Some(heading) if (1..=6).contains(&level) => heading,
        _ => line,
    };
    while let Some(at) = rest.find(['*', '~', '<', '[', '`']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        rest = mark(out, from);
    }
    out.push_str(rest);
}

/// Writes what the mark at the beginning of `from` stands for, and gives what is behind it.
fn mark<'t>(out: &mut String, from: &'t str) -> &'t str {
    let near = from.get(..from.floor_char_boundary(NEAR)).unwrap_or(from);
    let behind = |left: &str| from.get(near.len() - left.len()..).unwrap_or_default();
    if let Some(code) = near.strip_prefix('`')
        && let Some(end) = code.find('`')
    {
        let (code, behind) = from.split_at(end + 2);
        out.push_str(code);
        return behind;
    }
    for sign in ["**", "~~"] {
        let inside = near.strip_prefix(sign).and_then(|inside| inside.split_once(sign));
        if let Some((inside, left)) = inside.filter(|(inside, _)| !inside.trim().is_empty()) {
            unmark_line(out, inside);
            return behind(left);
        }
    }
    if let Some((words, left)) = link(near) {
        out.push_str(&words);
        return behind(left);
    }
    if let Some(behind) = ["<br>", "<br/>", "<br />"].iter().find_map(|tag| from.strip_prefix(tag)) {
        out.push('\n');
        return behind;
    }
    if DECORATIONS.iter().any(|tag| from.starts_with(tag))
        && let Some((_, left)) = near.split_once('>')
    {
        return behind(left);
    }
    let (sign, behind) = from.split_at(1);
    out.push_str(sign);
    behind
}

/// `[words](address)`.
fn link(from: &str) -> Option<(String, &str)> {
    let (words, behind) = from.strip_prefix('[')?.split_once("](")?;
    let (address, behind) = behind.split_once(')')?;
    if words.contains(['[', ']']) || !address.contains("://") || address.contains(char::is_whitespace) {
        return None;
    }
    let words = if words == address { words.to_owned() } else { format!("{words} ({address})") };
    Some((words, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_go_and_words_stay() {
        for (marked, read) in [
            ("plain 5 * 3 ~ 15", "plain 5 * 3 ~ 15"),
            ("**网关** is ~~down~~ back", "网关 is down back"),
            ("**a **b", "a b"),
            ("a ** b", "a ** b"),
            ("## Cause\n# 1\n#hash", "Cause\n1\n#hash"),
            ("[graph](https://g/x) [FIRING](now) [a]", "graph (https://g/x) [FIRING](now) [a]"),
            ("<font color='red'>hot</font><br>next <at id=ou_1></at>", "hot\nnext <at id=ou_1></at>"),
            ("run `rm **x**`\n```\n**kept**\n```\n**b**", "run `rm **x**`\n```\n**kept**\n```\nb"),
            ("<text_tag color='blue'>P1</text_tag> open", "P1 open"),
        ] {
            assert_eq!(unmarked(marked), read);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[*~<>\\[\\]()`#a字 \n]{0,80}") {
            let read = unmarked(&text);
            let count = |text: &str| text.matches('字').count();
            prop_assert_eq!(count(&read), count(&text));
        }
    }
}
