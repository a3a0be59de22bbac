//! The language of a page: what the browser asks for.

use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};

use crate::core::lang::Lang;

/// The one of the two languages that `Accept-Language` likes better; English where it names neither.
pub(super) fn of(headers: &HeaderMap) -> Lang {
    let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best: Option<(Lang, f32)> = None;
    for part in text.split(',').take(32) {
        let mut words = part.split(';').map(str::trim);
        let tag = words.next().unwrap_or_default();
        let lang = match tag.split('-').next() {
            Some(first) if first.eq_ignore_ascii_case("zh") => Lang::Zh,
            Some(first) if first.eq_ignore_ascii_case("en") => Lang::En,
            _ => continue,
        };
        let weight = words.find_map(|word| word.strip_prefix("q=")).and_then(|q| q.trim().parse().ok());
        let weight = weight.unwrap_or(1.0);
        // Of equals the first counts: browsers list the likes in order.
        if weight > 0.0 && best.is_none_or(|(_, than)| weight > than) {
            best = Some((lang, weight));
        }
    }
    best.map_or(Lang::En, |(lang, _)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_decides() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, text.parse().unwrap());
            super::of(&headers)
        };
        assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
        assert_eq!(of("en-US,en;q=0.9,zh;q=0.8"), Lang::En);
        assert_eq!(of("de, en;q=0.3, zh;q=0.7"), Lang::Zh);
        assert_eq!(of("zh;q=0, fr"), Lang::En);
        assert_eq!(of("ja"), Lang::En);
        assert_eq!(of("ZH-hant"), Lang::Zh);
        assert_eq!(super::of(&HeaderMap::new()), Lang::En);
    }
}
