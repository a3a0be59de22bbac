//! A person's browser: keeps each server's cookies, follows redirects, fills in forms.

use std::collections::BTreeMap;

use url::Url;

use super::http::{self, Answer};

/// Nobody redirects further than this.
const MOST_REDIRECTS: usize = 10;

#[derive(Debug, Default)]
pub struct Browser {
    /// By server and name.
    cookies: BTreeMap<(String, String), String>,
    /// Where it is.
    at: Option<Url>,
}

impl Browser {
    /// Opens an address and goes wherever it leads.
    #[track_caller]
    pub fn visit(&mut self, url: &str) -> Answer {
        let url = match &self.at {
            Some(at) => at.join(url).unwrap(),
            None => Url::parse(url).unwrap(),
        };
        self.go("GET", url, "")
    }

    /// Sends the form of the page it is at.
    #[track_caller]
    pub fn send_form(&mut self, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.go("POST", self.at.clone().unwrap(), &body)
    }

    /// Opens an address that leads to the platform's question, and agrees there as `who`.
    #[track_caller]
    pub fn sign_in(&mut self, url: &str, who: &str) -> Answer {
        let question = self.visit(url);
        assert!(question.status == 200 && question.body.contains("name=\"decision\""), "{question:?}");
        self.send_form(&[("other", who), ("decision", "allow")])
    }

    #[track_caller]
    fn go(&mut self, method: &str, url: Url, body: &str) -> Answer {
        let (mut method, mut url, mut body) = (method, url, body);
        for _ in 0..MOST_REDIRECTS {
            let answer = self.ask(method, &url, body);
            let Some(next) = answer.header("location") else {
                self.at = Some(url);
                return answer;
            };
            url = url.join(next).unwrap();
            (method, body) = ("GET", "");
        }
        panic!("redirected for ever, at last to {url}")
    }

    fn ask(&mut self, method: &str, url: &Url, body: &str) -> Answer {
        let server = url.origin().ascii_serialization();
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|((of, _), _)| *of == server)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("accept-language", "en")];
        if !cookies.is_empty() {
            headers.push(("cookie", cookies.as_str()));
        }
        if method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let answer = http::request(&server, method, path, &headers, body.as_bytes());
        for (_, set) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (cookie, rest) = set.split_once(';').unwrap_or((set, ""));
            let (name, value) = cookie.split_once('=').unwrap();
            let key = (server.clone(), name.to_owned());
            if rest.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        answer
    }
}
