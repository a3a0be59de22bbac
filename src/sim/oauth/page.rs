//! The authorize page: who signs in, and whether they agree. Works without script.

use std::sync::Arc;

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION},
};

use super::{SignIn, Wish, Wrong};
use crate::sim::{
    http::{self, Body, Dropped, read_body},
    people::IdType,
    shared::Shared,
    world::{Actor, World},
};

/// So many people are offered by name; anybody else can be typed.
const OFFERED: usize = 200;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}\
                     label{display:block;margin:1rem 0 .25rem}select,input{width:100%;font:inherit;padding:.4rem}\
                     button{font:inherit;padding:.5rem 1.5rem;margin:1.5rem 1rem 0 0}";

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

fn html(status: StatusCode, title: &str, body: &str) -> Response<Body> {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head>\
         <body>{body}</body></html>",
        escape(title)
    );
    let mut response = Response::new(Body::full(page));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn error_page(Wrong(code, text): Wrong) -> Response<Body> {
    let body = format!(
        "<h1>Login failed 登录失败</h1><p>{}</p><p>Error code 错误码: <b id=\"code\">{code}</b></p>",
        escape(text)
    );
    html(StatusCode::BAD_REQUEST, "Login failed", &body)
}

fn go_to(location: &str) -> Response<Body> {
    let Ok(value) = HeaderValue::from_str(location) else {
        return error_page(Wrong(20_063, "redirect_uri is malformed."));
    };
    let mut response = Response::new(Body::full(""));
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, value);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn form(pairs: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(pairs).into_owned().collect()
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
}

impl World {
    fn consent_page(&self, wish: &Wish, query: &str) -> Response<Body> {
        let name = self.name_of(Actor::App(wish.app));
        let mut people = String::new();
        for no in 0..self.people.len().min(OFFERED) {
            let id = self.person_id(wish.app, no, IdType::Open);
            let name = self.name_of(Actor::Person(no));
            people.push_str(&format!("<option value=\"{}\">{}</option>", escape(&id), escape(&name)));
        }
        let scopes: String =
            wish.scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escape(scope))).collect();
        let body = format!(
            "<h1>{name} 请求登录</h1><p>{name} wants to know who you are in {tenant}.</p><ul>{scopes}</ul>\
             <form method=\"post\" action=\"?{action}\">\
             <label for=\"person\">Person 成员</label><select id=\"person\" name=\"person\">{people}</select>\
             <label for=\"other\">or open_id, email, name 或其他成员</label>\
             <input id=\"other\" name=\"other\" autocomplete=\"off\">\
             <button name=\"decision\" value=\"allow\">Authorize 授权</button>\
             <button name=\"decision\" value=\"deny\">Refuse 拒绝</button></form>",
            name = escape(&name),
            tenant = escape(&self.plan.tenant.name),
            action = escape(query),
        );
        html(StatusCode::OK, &name, &body)
    }

    /// What a decision leads to.
    fn decide(&mut self, wish: &Wish, sign_in: &SignIn) -> Response<Body> {
        if sign_in.refuses {
            return go_to(&wish.refused());
        }
        let person = self.someone(wish.app, &sign_in.who).ok_or(Wrong(20_008, "The user does not exist."));
        match person.and_then(|no| self.consent(wish, no)) {
            Ok(location) => go_to(&location),
            Err(wrong) => error_page(wrong),
        }
    }
}

/// Who is at the browser: named by the request itself, or set beforehand.
fn at_the_browser(query: &[(String, String)], known: Option<&SignIn>) -> Option<SignIn> {
    let (who, answer) = (find(query, "sim_person"), find(query, "sim_answer"));
    if who.is_empty() && answer.is_empty() {
        return known.cloned();
    }
    Some(SignIn { who: who.to_owned(), refuses: answer == "deny" })
}

/// `GET` shows the question, `POST` takes the answer. `sim_person=NAME` (and `sim_answer=deny`) in the query
/// answers at once, as does what the control set.
pub(in crate::sim) async fn authorize(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    log_id: &str,
) -> Result<Response<Body>, Dropped> {
    let fault = http::struck(shared, "oauth.authorize");
    if let Some(response) = http::before(shared, fault.as_ref(), log_id).await? {
        return Ok(response);
    }
    let method = request.method().clone();
    let raw_query = request.uri().query().unwrap_or_default().to_owned();
    let query = form(raw_query.as_bytes());
    let Some(raw) = read_body(request.into_body()).await else { return Err(Dropped) };
    let response = shared.peek(|world| {
        let wish = match world.wish(&query) {
            Ok(wish) => wish,
            Err(wrong) => return error_page(wrong),
        };
        if method == Method::POST {
            let answer = form(&raw);
            let other = find(&answer, "other").trim();
            let who = if other.is_empty() { find(&answer, "person") } else { other };
            let refuses = find(&answer, "decision") != "allow";
            return world.decide(&wish, &SignIn { who: who.to_owned(), refuses });
        }
        match at_the_browser(&query, world.oauth.sign_in.as_ref()) {
            Some(sign_in) => world.decide(&wish, &sign_in),
            None => world.consent_page(&wish, &raw_query),
        }
    });
    http::after(fault.as_ref(), response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_cannot_become_markup() {
        assert_eq!(escape("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}
