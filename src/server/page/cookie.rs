//! Cookies: what a browser brings, and what it is given.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::service::login::NewCookie;

/// The cookie of that name.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Where cookies of an integration are sent, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jar {
    /// The path of the integration's pages, as browsers see it.
    path: String,
    is_https: bool,
}

impl Jar {
    /// For the pages below `web_config_url`.
    pub(super) fn of(web_config_url: &str) -> Self {
        let is_https = web_config_url.starts_with("https://");
        let after = web_config_url.split_once("://").map_or(web_config_url, |(_, after)| after);
        let path = after.find('/').and_then(|at| after.get(at..)).unwrap_or("/").to_owned();
        Self { path, is_https }
    }

    /// Sets a cookie. `Lax` and not `Strict`: the platform sends the browser back here by a link, and a
    /// strict cookie would stay behind exactly then. No script reads it, no other integration gets it.
    pub(super) fn set(&self, cookie: &NewCookie) -> Option<HeaderValue> {
        self.write(&cookie.name, cookie.value.reveal(), cookie.max_age.as_secs())
    }

    /// Takes a cookie away.
    pub(super) fn clear(&self, name: &str) -> Option<HeaderValue> {
        self.write(name, "", 0)
    }

    fn write(&self, name: &str, value: &str, max_age_s: u64) -> Option<HeaderValue> {
        let secure = if self.is_https { "; Secure" } else { "" };
        let path = &self.path;
        let text =
            format!("{name}={value}; Path={path}; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::secret::Secret;

    #[test]
    fn cookies_are_of_one_integration() {
        let cookie =
            NewCookie { name: "a".into(), value: Secret::new("b"), max_age: Duration::from_secs(60) };
        let set = |url: &str| Jar::of(url).set(&cookie).unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            set("https://x.test/pre/i/i_1/"),
            "a=b; Path=/pre/i/i_1/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            set("http://127.0.0.1:80/i/i_1/"),
            "a=b; Path=/i/i_1/; Max-Age=60; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_browser_brings_several() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "x=1; larkdeck_session=abc ;y=2".parse().unwrap());
        headers.append(COOKIE, "z=3".parse().unwrap());
        assert_eq!(read(&headers, "larkdeck_session"), Some("abc"));
        assert_eq!(read(&headers, "z"), Some("3"));
        assert_eq!(read(&headers, "larkdeck"), None);
    }
}
