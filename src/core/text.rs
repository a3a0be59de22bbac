//! Text from outside made safe, and the only place that measures text in terminal cells.

use std::{borrow::Cow, fmt, ops::Range};

use serde::{Serialize, Serializer};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Combining marks that a character may carry before the rest is shown as a count.
const MAX_MARKS: usize = 4;

/// Text without anything that could act on a terminal, a log or a clipboard: control characters (C0, C1,
/// DEL), bidi overrides and isolates, zero-width and invisible characters, line separators and overlong
/// combining runs stand in it as visible marks. A line feed is kept by [`SafeText::block`] alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SafeText(Box<str>);

impl SafeText {
    /// One line: a line feed becomes a visible mark too.
    pub fn line(foreign: &str) -> Self {
        Self(clean(foreign, false).into())
    }

    /// Several lines: line feeds stay, tabs become spaces.
    pub fn block(foreign: &str) -> Self {
        Self(clean(foreign, true).into())
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its width in cells, when it is one line.
    pub fn cells(&self) -> usize {
        width(&self.0)
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for SafeText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for SafeText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

/// Whether a character shows nothing of itself, or turns the direction of its neighbours.
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn clean(foreign: &str, keep_lines: bool) -> Cow<'_, str> {
    if foreign.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return Cow::Borrowed(foreign);
    }
    let mut out = String::with_capacity(foreign.len() + 8);
    for cluster in foreign.graphemes(true) {
        push_cluster(&mut out, cluster, keep_lines);
    }
    Cow::Owned(out)
}

fn push_cluster(out: &mut String, cluster: &str, keep_lines: bool) {
    if cluster == "\r\n" && keep_lines {
        out.push('\n');
        return;
    }
    let is_emoji = is_emoji_sequence(cluster);
    let (mut marks, mut cut) = (0, 0usize);
    for c in cluster.chars() {
        match c {
            '\n' if keep_lines => out.push('\n'),
            '\t' => out.push_str("    "),
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␦')),
            '\u{7f}' => out.push('␡'),
            '\u{80}'..='\u{9f}' => push_code(out, c),
            '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{e0020}'..='\u{e007f}' if is_emoji => out.push(c),
            c if is_hidden(c) => push_code(out, c),
            c if c.width() == Some(0) && !is_emoji => {
                marks += 1;
                if marks <= MAX_MARKS { out.push(c) } else { cut += 1 }
            }
            c => out.push(c),
        }
    }
    if cut > 0 {
        out.push_str("‹+");
        out.push_str(&cut.to_string());
        out.push('›');
    }
}

fn push_code(out: &mut String, c: char) {
    out.push_str(&format!("‹{:04x}›", u32::from(c)));
}

/// An emoji with modifiers, short enough to be one: a pictograph first, and at most 10 characters.
fn is_emoji_sequence(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    let starts = chars.next().is_some_and(|c| {
        matches!(c, '#' | '*' | '0'..='9' | '\u{a9}' | '\u{ae}' | '\u{203c}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}')
    });
    starts
        && cluster.chars().count() <= 10
        && !cluster.ends_with('\u{200d}')
        && chars.all(|c| {
            matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{2190}'..='\u{2bff}'
                | '\u{1f000}'..='\u{1faff}' | '\u{e0020}'..='\u{e007f}')
        })
}

/// The graphemes of `text`: what a cursor steps over, one at a time.
pub fn graphemes(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    text.grapheme_indices(true)
}

/// The width of one line of text in terminal cells.
pub fn width(text: &str) -> usize {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) { text.len() } else { text.width() }
}

/// At most `cells` cells of `text`. What is cut off shows as `…`; a wide character that would not fit is
/// dropped whole.
pub fn truncate(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    if cells == 0 {
        return Cow::Borrowed("");
    }
    let mut out = prefix(text, cells - 1).to_owned();
    out.push('…');
    Cow::Owned(out)
}

/// The longest beginning of `text` that fits into `cells`, without a mark for what is missing.
pub fn prefix(text: &str, cells: usize) -> &str {
    let (mut used, mut end) = (0, 0);
    for (start, cluster) in graphemes(text) {
        used += width(cluster);
        if used > cells {
            break;
        }
        end = start + cluster.len();
    }
    text.get(..end).unwrap_or_default()
}

/// `text` cut or filled with spaces to exactly `cells` cells.
pub fn fit(text: &str, cells: usize) -> String {
    let mut out = truncate(text, cells).into_owned();
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(width(&out))));
    out
}

/// The lines of `text` at `cells` cells a line, as byte ranges. Breaks at spaces and between wide
/// characters, inside a word only when it is longer than a line; keeps line feeds. Never empty.
pub fn wrap(text: &str, cells: usize) -> Vec<Range<usize>> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    let mut offset = 0;
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, offset, cells, &mut lines);
        offset += paragraph.len() + 1;
    }
    lines
}

fn wrap_paragraph(text: &str, offset: usize, cells: usize, lines: &mut Vec<Range<usize>>) {
    let (mut start, mut used) = (0, 0);
    // The last place where the line may break: its end and the start of the next. Spaces may hang over.
    let mut pause: Option<(usize, usize)> = None;
    let mut was_wide = false;
    for (at, cluster) in graphemes(text) {
        let cluster_cells = width(cluster);
        let is_wide = cluster_cells == 2;
        if at > start && (is_wide || was_wide) && cluster != " " && !never_first(cluster) {
            pause = Some((at, at));
        }
        while used + cluster_cells > cells && at > start && cluster != " " {
            let (end, next) = pause.filter(|(end, _)| *end > start).unwrap_or((at, at));
            lines.push(offset + start..offset + end);
            used = width(text.get(next..at).unwrap_or_default());
            start = next;
            pause = None;
        }
        if cluster == " " {
            pause = Some((at, at + 1));
        }
        used += cluster_cells;
        was_wide = is_wide;
    }
    lines.push(offset + start..offset + text.len());
}

/// Closing punctuation that must not begin a line in Chinese.
fn never_first(cluster: &str) -> bool {
    matches!(
        cluster,
        "，" | "。" | "、" | "；" | "：" | "？" | "！" | "）" | "》" | "」" | "』" | "】" | "”" | "’"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, cells: usize) -> Vec<&str> {
        wrap(text, cells).into_iter().map(|range| text.get(range).unwrap()).collect()
    }

    #[test]
    fn controls_become_visible() {
        assert_eq!(SafeText::line("a\u{1b}[31mb").as_str(), "a␛[31mb");
        assert_eq!(SafeText::line("a\u{9b}2Jb\u{7f}").as_str(), "a‹009b›2Jb␡");
        assert_eq!(SafeText::line("x\u{202e}y\u{200b}z").as_str(), "x‹202e›y‹200b›z");
        assert_eq!(SafeText::line("a\nb").as_str(), "a␊b");
        assert_eq!(SafeText::block("a\r\nb\n").as_str(), "a\nb\n");
        assert_eq!(SafeText::block("a\rb").as_str(), "a␍b");
    }

    #[test]
    fn emoji_sequences_stay_whole() {
        for whole in ["👩‍💻", "❤️", "👍🏽", "🏳️‍🌈", "1️⃣", "🇨🇳"] {
            assert_eq!(SafeText::line(whole).as_str(), whole);
        }
        assert_eq!(SafeText::line("a\u{200d}b").as_str(), "a‹200d›b");
    }

    #[test]
    fn combining_runs_are_cut() {
        let zalgo: String = std::iter::once('e').chain(std::iter::repeat_n('\u{301}', 40)).collect();
        assert_eq!(SafeText::line(&zalgo).as_str(), "e\u{301}\u{301}\u{301}\u{301}‹+36›");
    }

    #[test]
    fn truncation_counts_cells() {
        assert_eq!(truncate("支付网关超时", 7), "支付网…");
        assert_eq!(truncate("支付网关超时", 6), "支付…");
        assert_eq!(fit("支付", 5), "支付 ");
        assert_eq!(fit("支付网", 4), "支… ");
        assert_eq!(truncate("abc", 0), "");
    }

    #[test]
    fn lines_break_where_a_reader_would() {
        assert_eq!(lines("rolling back to 2026", 12), ["rolling back", "to 2026"]);
        assert_eq!(lines("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(lines("网关超时，请看", 8), ["网关超", "时，请看"]);
        assert_eq!(lines("p99 到 4.2 s 了", 8), ["p99 到", "4.2 s 了"]);
        assert_eq!(lines("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(lines("", 4), [""]);
    }

    proptest! {
        #[test]
        fn safe_text_has_nothing_that_acts(foreign in "\\PC*|[\\x00-\\u{2fff}]{0,40}|(\\PC|[\\x00-\\x9f\\u{200b}-\\u{202e}\\u{300}]){0,60}") {
            for text in [SafeText::line(&foreign), SafeText::block(&foreign)] {
                let acts = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{2028}' | '\u{2029}');
                prop_assert!(!text.as_str().contains(acts), "{text:?}");
            }
            prop_assert!(!SafeText::line(&foreign).as_str().contains('\n'));
        }

        #[test]
        fn cleaning_twice_changes_nothing(foreign in "\\PC*") {
            let once = SafeText::block(&foreign);
            prop_assert_eq!(SafeText::block(once.as_str()), once);
        }

        #[test]
        fn wrapped_lines_fit_and_lose_only_spaces(text in "([a-z]{1,12}|[一-十]{1,6}|[ ]{1,3}|\n|，){0,30}", cells in 2usize..20) {
            let ranges = wrap(&text, cells);
            let mut end = 0;
            for range in ranges {
                let between = text.get(end..range.start).unwrap();
                prop_assert!(between.chars().all(|c| c == ' ' || c == '\n'), "{between:?}");
                let line = text.get(range.clone()).unwrap();
                prop_assert!(width(line.trim_end_matches(' ')) <= cells, "{line:?} in {cells}");
                end = range.end;
            }
            prop_assert_eq!(end, text.len());
        }

        #[test]
        fn fitted_text_has_the_width_asked_for(text in "\\PC*", cells in 0usize..40) {
            let safe = SafeText::line(&text);
            prop_assert_eq!(width(&fit(safe.as_str(), cells)), cells);
        }
    }
}
