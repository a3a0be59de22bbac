//! A browser with cookies, and what every page must be.

use std::collections::BTreeMap;

use crate::{
    common::http::{self, Answer},
    place::Place,
};

/// A browser with cookies, for the gateway alone.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) keeps_none: bool,
}

impl Browser {
    pub(crate) fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn request(&mut self, place: &Place, method: &str, path: &str, body: &str) -> Answer {
        let cookies = self.cookie_header();
        let mut headers = vec![("accept-language", "en")];
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        if method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let answer = http::request(&place.listening, method, path, &headers, body.as_bytes());
        self.keep(place, &answer);
        assert_private(&answer);
        answer
    }

    pub(crate) fn keep(&mut self, place: &Place, answer: &Answer) {
        for (_, text) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = text.split_once('=').unwrap();
            let (value, rest) = rest.split_once(';').unwrap();
            assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Lax"), "{text}");
            assert!(rest.contains(&format!("Path={};", place.page())), "{text}");
            if rest.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else if !self.keeps_none {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub(crate) fn get(&mut self, place: &Place, path: &str) -> Answer {
        self.request(place, "GET", path, "")
    }

    pub(crate) fn login_cookies(&self) -> Vec<String> {
        self.cookies.keys().filter(|name| name.starts_with("larkdeck_login_")).cloned().collect()
    }

    pub(crate) fn session(&self) -> Option<&String> {
        self.cookies.get("larkdeck_session")
    }

    /// Begins at `path` and goes as far as the platform's answer: the path that the platform sends it to.
    pub(crate) fn go_to_platform(&mut self, place: &Place, path: &str) -> String {
        let begun = self.get(place, path);
        assert_eq!(begun.status, 303, "{begun:?}");
        let authorize = begun.header("location").unwrap().to_owned();
        let (base, path) = split(&authorize);
        assert_ne!(base, place.listening);
        let agreed = http::get(&base, &path);
        assert_eq!(agreed.status, 302, "{agreed:?}");
        let (base, path) = split(agreed.header("location").unwrap());
        assert_eq!(base, place.listening);
        assert!(path.starts_with(&format!("{}redirect?", place.page())), "{path}");
        path
    }

    /// Begins at `path` and follows to the end.
    pub(crate) fn sign_in_at(&mut self, place: &Place, path: &str) -> Answer {
        let back = self.go_to_platform(place, path);
        let answer = self.get(place, &back);
        match answer.header("location") {
            None => answer,
            Some(next) => {
                assert_eq!(next, "./?signed-in");
                self.get(place, &format!("{}?signed-in", place.page()))
            }
        }
    }

    pub(crate) fn sign_in(&mut self, place: &Place) -> Answer {
        self.sign_in_at(place, &place.page())
    }
}

pub(crate) fn split(url: &str) -> (String, String) {
    let at = url.find("://").unwrap() + 3;
    let slash = at + url[at..].find('/').unwrap();
    (url[..slash].to_owned(), url[slash..].to_owned())
}

/// Every answer keeps itself from caches, frames, scripts and referrers.
#[track_caller]
pub(crate) fn assert_private(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    if !answer.body.is_empty() {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert!(!answer.body.contains("<script"));
    }
}

#[track_caller]
pub(crate) fn assert_page(answer: &Answer, status: u16, words: &str) {
    assert!(answer.status == status && answer.body.contains(words), "{status} {words}: {answer:?}");
}

pub(crate) fn csrf(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}
