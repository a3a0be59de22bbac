//! Colours: reading them, and making do with fewer.

use ratatui::style::Color;

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Depth {
    /// None: weight, reversal and underlines only.
    Mono,
    /// The sixteen that the terminal's owner chose.
    #[default]
    Sixteen,
    /// 256.
    Indexed,
    /// 16 million.
    True,
}

impl Depth {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mono, Self::Sixteen, Self::Indexed, Self::True];

    /// What the environment promises: `NO_COLOR` and `TERM=dumb` first, then `COLORTERM`, then `TERM`.
    pub fn of_env(get: impl Fn(&str) -> Option<String>) -> Self {
        let term = get("TERM").unwrap_or_default();
        if get("NO_COLOR").is_some_and(|value| !value.is_empty()) || term == "dumb" {
            return Self::Mono;
        }
        let claims_true = matches!(get("COLORTERM").as_deref(), Some("truecolor" | "24bit"));
        if claims_true || term.ends_with("-direct") {
            return Self::True;
        }
        if term.contains("256color") { Self::Indexed } else { Self::Sixteen }
    }
}

const NAMES: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

/// Reads `#rrggbb` or a name of the sixteen.
pub(super) fn parse(text: &str) -> Option<Color> {
    if let Some(hex) = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.is_ascii()) {
        let value = u32::from_str_radix(hex, 16).ok()?;
        let [_, r, g, b] = value.to_be_bytes();
        return Some(Color::Rgb(r, g, b));
    }
    NAMES.iter().find(|(name, _)| *name == text).map(|(_, colour)| *colour)
}

/// The colour as a terminal of `depth` can show it.
pub(super) fn reduce(colour: Color, depth: Depth) -> Color {
    match (colour, depth) {
        (_, Depth::Mono) => Color::Reset,
        (Color::Rgb(r, g, b), Depth::Indexed) => Color::Indexed(nearest_indexed([r, g, b])),
        (Color::Rgb(r, g, b), Depth::Sixteen) => nearest_named([r, g, b]),
        (colour, _) => colour,
    }
}

const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn nearest_indexed(rgb: [u8; 3]) -> u8 {
    (16..=255).min_by_key(|n| far(rgb, indexed_rgb(*n))).unwrap_or(7)
}

fn nearest_named(rgb: [u8; 3]) -> Color {
    let named = NAMES.iter().skip(1).zip(0u8..);
    named.min_by_key(|(_, n)| far(rgb, ansi_rgb(*n))).map_or(Color::Reset, |((_, colour), _)| *colour)
}

/// The colour of number `n` (16-255) of the 256; these are the same everywhere.
fn indexed_rgb(n: u8) -> [u8; 3] {
    if n >= 232 {
        let grey = 8 + 10 * (n - 232);
        return [grey; 3];
    }
    let n = n.saturating_sub(16);
    [n / 36, n / 6 % 6, n % 6].map(|step| CUBE.get(usize::from(step)).copied().unwrap_or_default())
}

/// What the sixteen usually look like (xterm's).
fn ansi_rgb(n: u8) -> [u8; 3] {
    const XTERM: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 0, 0],
        [0, 205, 0],
        [205, 205, 0],
        [0, 0, 238],
        [205, 0, 205],
        [0, 205, 205],
        [229, 229, 229],
        [127, 127, 127],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [92, 92, 255],
        [255, 0, 255],
        [0, 255, 255],
        [255, 255, 255],
    ];
    XTERM.get(usize::from(n)).copied().unwrap_or_default()
}

/// Weighted distance, close to what the eye sees.
fn far(a: [u8; 3], b: [u8; 3]) -> u32 {
    let [r, g, b] = [0, 1, 2].map(|n: usize| {
        let (a, b) = (a.get(n).copied().unwrap_or_default(), b.get(n).copied().unwrap_or_default());
        u32::from(a.abs_diff(b)).pow(2)
    });
    2 * r + 4 * g + 3 * b
}

/// Red, green and blue of a colour; `None` for the terminal's own default.
pub fn rgb_of(colour: Color) -> Option<[u8; 3]> {
    match colour {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(n @ 16..) => Some(indexed_rgb(n)),
        Color::Indexed(n) => Some(ansi_rgb(n)),
        named => Some(ansi_rgb(crate::tui::encode::ansi(named))),
    }
}

/// Contrast of two colours as WCAG 2 has it, 1 to 21; `None` for the terminal's own.
pub fn contrast(a: Color, b: Color) -> Option<f64> {
    let (a, b) = (luminance(rgb_of(a)?), luminance(rgb_of(b)?));
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

fn luminance(rgb: [u8; 3]) -> f64 {
    let [r, g, b] = rgb.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_reduced() {
        assert_eq!(parse("#1a2B3c"), Some(Color::Rgb(0x1a, 0x2b, 0x3c)));
        assert_eq!(parse("bright-red"), Some(Color::LightRed));
        for bad in ["#12345", "#12345g", "ff0000", "", "#é1234"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(reduce(Color::Rgb(255, 0, 0), Depth::Indexed), Color::Indexed(196));
        assert_eq!(reduce(Color::Rgb(250, 5, 5), Depth::Sixteen), Color::LightRed);
        assert_eq!(reduce(Color::Rgb(250, 5, 5), Depth::Mono), Color::Reset);
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        let black_white = contrast(Color::Rgb(0, 0, 0), Color::Rgb(255, 255, 255)).unwrap();
        assert!((black_white - 21.0).abs() < 0.01);
        assert_eq!(contrast(Color::Reset, Color::Black), None);
    }

    #[test]
    fn the_environment_sets_the_depth() {
        let depth = |pairs: &[(&str, &str)]| {
            Depth::of_env(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(
            depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "1"), ("COLORTERM", "truecolor")]),
            Depth::Mono
        );
        assert_eq!(depth(&[("TERM", "dumb"), ("COLORTERM", "truecolor")]), Depth::Mono);
        assert_eq!(depth(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(depth(&[("TERM", "tmux-256color"), ("NO_COLOR", "")]), Depth::Indexed);
        assert_eq!(depth(&[("TERM", "vt220")]), Depth::Sixteen);
        assert_eq!(depth(&[]), Depth::Sixteen);
    }
}
