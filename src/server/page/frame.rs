//! What every page has: its head, its looks, and the headers that it leaves with.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::{
    core::{
        integration::ImKind,
        lang::{Lang, Phrase, phrase},
        text::{SafeText, graphemes},
        time::Timestamp,
    },
    service::login::PageFrame,
};

/// In the page itself: one answer is all that a phone on a bad line has to get.
const STYLE: &str = include_str!("style.css");

/// Nothing may be loaded, framed, sent elsewhere or run; the one style is known by its hash. A webview is no
/// frame, so that the page opens inside Feishu all the same.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let text = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&text).ok()
});

/// A small anchor link of the mark, for the tab.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' \
    stroke='%230a7566' stroke-width='2.4' stroke-linecap='round'%3E%3Cpath d='M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.6-5.6l-1 1M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.6 5.6l1-1'/%3E%3C/svg%3E";

/// In which language and around which integration a page is written.
pub(super) struct Look<'a> {
    pub(super) lang: Lang,
    pub(super) frame: Option<&'a PageFrame>,
    pub(super) zone: &'a TimeZone,
}

impl Look<'_> {
    pub(super) const fn t(&self, text: Phrase) -> &'static str {
        text.get(self.lang)
    }

    /// The platform's name in the language of the page.
    pub(super) fn platform(&self) -> &'static str {
        match self.frame.map(|frame| frame.kind) {
            Some(ImKind::Feishu) | None => self.t(phrase("Feishu", "飞书")),
            Some(kind) => kind.label(),
        }
    }

    /// The integration's name.
    pub(super) fn integration(&self) -> String {
        self.frame.map_or_else(|| "larkdeck".to_owned(), |frame| safe(&frame.name))
    }

    /// The app's name, as people find it in the workspace.
    pub(super) fn app(&self) -> String {
        let known = self.frame.and_then(|frame| frame.app_name.as_deref()).filter(|name| !name.is_empty());
        known.map_or_else(|| self.integration(), safe)
    }

    /// A day.
    pub(super) fn day(&self, at: Timestamp) -> Markup {
        let format = self.t(phrase("%-d %B %Y", "%Y年%-m月%-d日"));
        html! { time datetime=(at.rfc3339(self.zone)) { (at.in_zone(self.zone).strftime(format).to_string()) } }
    }

    /// A whole page.
    pub(super) fn page(&self, title: &str, main: &Markup, footer: Option<&Markup>) -> Markup {
        html! {
            (DOCTYPE)
            html lang=(self.t(phrase("en", "zh-CN"))) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (title) " · " (self.integration()) }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        @if let Some(frame) = self.frame {
                            b { (safe(&frame.name)) }
                            span { (self.platform()) }
                        }
                        span.mark { "larkdeck" }
                    }
                    main { (main) }
                    footer { @if let Some(footer) = footer { (footer) } }
                }
            }
        }
    }
}

/// Text from outside, as one line without what acts on its surroundings.
pub(super) fn safe(foreign: &str) -> String {
    SafeText::line(foreign).as_str().to_owned()
}

/// One or two letters that stand for a name.
pub(super) fn monogram(name: &str) -> String {
    let name = safe(name);
    let letters: Vec<&str> = graphemes(name.trim()).map(|(_, letter)| letter).collect();
    let is_wide = letters.first().is_some_and(|first| first.chars().any(|c| c >= '\u{2e80}'));
    if is_wide {
        // As Chinese names are shortened: the given name.
        let from = if letters.len() > 4 { 0 } else { letters.len().saturating_sub(2) };
        return letters.into_iter().skip(from).take(2).collect();
    }
    let mut words =
        name.split_whitespace().filter_map(|word| graphemes(word).next().map(|(_, letter)| letter));
    let (first, last) = (words.next(), words.next_back());
    first.into_iter().chain(last).collect::<String>().to_uppercase()
}

/// The signs of the pages. Lines in the colour of the text around them.
pub(super) fn sign(path: &'static str) -> Markup {
    html! { svg viewBox="0 0 24 24" aria-hidden="true" { path d=(path) {} } }
}

pub(super) const CHECK: &str = "M5 12.5l4.5 4.5L19 7.5";
pub(super) const CROSS: &str = "M7 7l10 10M17 7L7 17";
pub(super) const DOWN: &str = "M6 9l6 6 6-6";
pub(super) const ALERT: &str = "M12 5v9M12 18.6v.4";
pub(super) const BELL: &str = "M6 16V10.5a6 6 0 0 1 12 0V16l1.5 2h-15zM10 20.5h4";
pub(super) const PEOPLE: &str = "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.4-3.4 3-5.5 6.5-5.5s6.1 2.1 6.5 5.5M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.8c2 .8 3.2 2.6 3.5 5.2";
pub(super) const TAP: &str = "M4 5h16v10H4zM8 10h5M12.5 13.5l7 3-3 1.2-1.3 3z";
pub(super) const LINK: &str =
    "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.6-5.6l-1 1M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.6 5.6l1-1";

/// A page on its way out: never kept, never framed, never told to others by a link.
pub(super) fn respond(status: StatusCode, page: Markup) -> Response {
    let mut response = (status, page.into_string()).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(policy) = POLICY.as_ref() {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    private(response)
}

/// To another page: of the platform, or a sibling named without its folder.
pub(super) fn go_to(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(place) {
        Ok(place) => _ = response.headers_mut().insert(header::LOCATION, place),
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    private(response)
}

/// Addresses of these pages carry codes and invitations: no cache and no `Referer` gets them.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_as_people_do() {
        for (name, short) in [
            ("Ann Lee", "AL"),
            ("ann", "A"),
            ("Ann Maria van Lee", "AL"),
            ("王伟", "王伟"),
            ("欧阳修文", "修文"),
            ("支付网关值班", "支付"),
            ("  ", ""),
        ] {
            assert_eq!(monogram(name), short, "{name}");
        }
    }

    #[test]
    fn the_policy_lets_nothing_in() {
        let policy = POLICY.as_ref().unwrap().to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!policy.contains("unsafe") && !policy.contains("http"));
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
    }

    #[test]
    fn what_people_typed_stays_text() {
        let frame = PageFrame {
            name: "<script>alert(1)</script>\u{202e}".into(),
            kind: ImKind::Lark,
            app_name: Some("\"><img src=x>".into()),
        };
        let look = Look { lang: Lang::En, frame: Some(&frame), zone: &TimeZone::UTC };
        let app = look.app();
        let page = look.page("t", &html! { p title=(app) { (app) } }, None).into_string();
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'), "{page}");
    }
}
