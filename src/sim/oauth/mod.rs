//! Signing in with an account of the tenant: the authorize page, codes, user tokens (`feishu/auth` 4, read 2026-05).

mod page;
mod token;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::world::World;
use crate::feishu::event::crypto;

pub(super) use self::{page::authorize, token::token};

/// Says nothing but who somebody is: every app has it.
const BASE: &str = "auth:user.id:read";
/// Without it there is no refresh token.
const OFFLINE: &str = "offline_access";
const MOST_SCOPES: usize = 50;
/// Lengths that a PKCE verifier, and with it a plain challenge, may have.
const PKCE_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// What the person at the browser does, so that no page has to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIn {
    /// open_id, email or name.
    pub who: String,
    /// Whether the person refuses instead of agreeing.
    pub refuses: bool,
}

/// A user access token that is valid.
#[derive(Debug, Clone)]
pub(super) struct UserToken {
    /// The app it was given to.
    pub(super) app: usize,
    /// Whose it is.
    pub(super) person: usize,
    /// What it allows.
    pub(super) scopes: BTreeSet<String>,
    until: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Challenge {
    Plain(String),
    S256(String),
}

impl Challenge {
    fn fits(&self, verifier: &str) -> bool {
        let is_sound = PKCE_CHARS.contains(&verifier.len());
        is_sound
            && match self {
                Self::Plain(text) => text == verifier,
                Self::S256(text) => *text == crypto::pkce_s256(verifier),
            }
    }
}

/// An authorisation code.
#[derive(Debug)]
struct Code {
    app: usize,
    person: usize,
    redirect_uri: String,
    scopes: BTreeSet<String>,
    challenge: Option<Challenge>,
    until: Instant,
    is_used: bool,
}

#[derive(Debug)]
struct Refresh {
    app: usize,
    person: usize,
    scopes: BTreeSet<String>,
    until: Instant,
    /// The person has to agree again after this.
    ends_at: Instant,
    is_used: bool,
    is_revoked: bool,
}

/// Codes, tokens and consents of all apps.
#[derive(Debug, Default)]
pub(super) struct Oauth {
    codes: HashMap<String, Code>,
    tokens: HashMap<String, UserToken>,
    refreshes: HashMap<String, Refresh>,
    /// What a person has agreed to, by app: it adds up over the times.
    consents: HashMap<(usize, usize), BTreeSet<String>>,
    /// Who sits at every browser that comes; none: the page asks.
    pub(super) sign_in: Option<SignIn>,
}

/// What an app asks of a person, once it is found to be in order.
#[derive(Debug, Clone)]
struct Wish {
    app: usize,
    redirect_uri: String,
    scopes: BTreeSet<String>,
    state: Option<String>,
    challenge: Option<Challenge>,
}

/// Why the page shows an error instead of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wrong(i64, &'static str);

/// `uri` with more in its query; a fragment stays behind it.
fn with_query(uri: &str, more: &[(&str, &str)]) -> String {
    let (head, fragment) = match uri.split_once('#') {
        Some((head, fragment)) => (head, Some(fragment)),
        None => (uri, None),
    };
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
    let joint = if head.contains('?') { '&' } else { '?' };
    let fragment = fragment.map(|text| format!("#{text}")).unwrap_or_default();
    format!("{head}{joint}{query}{fragment}")
}

fn without_fragment(uri: &str) -> &str {
    uri.split_once('#').map_or(uri, |(head, _)| head)
}

/// The scopes of a list that is separated by spaces.
fn scopes_of(text: &str) -> Result<BTreeSet<String>, Wrong> {
    let list: Vec<&str> = text.split_whitespace().collect();
    let set: BTreeSet<String> = list.iter().map(|scope| (*scope).to_owned()).collect();
    if set.len() < list.len() {
        return Err(Wrong(20_067, "The scope list contains duplicate scopes."));
    }
    if list.len() > MOST_SCOPES {
        return Err(Wrong(20_068, "More than 50 scopes are asked for."));
    }
    Ok(set)
}

fn challenge(text: &str, method: &str) -> Result<Option<Challenge>, Wrong> {
    const MALFORMED: Wrong = Wrong(20_063, "code_challenge or code_challenge_method is malformed.");
    if text.is_empty() {
        return if method.is_empty() { Ok(None) } else { Err(MALFORMED) };
    }
    if !PKCE_CHARS.contains(&text.len()) {
        return Err(MALFORMED);
    }
    match method {
        "" | "plain" => Ok(Some(Challenge::Plain(text.to_owned()))),
        "S256" => Ok(Some(Challenge::S256(text.to_owned()))),
        _ => Err(MALFORMED),
    }
}

impl Oauth {
    /// Nobody has agreed to anything yet.
    pub(super) fn new(sign_in: Option<SignIn>) -> Self {
        Self { sign_in, ..Self::default() }
    }
}

impl World {
    /// Reads the query of the authorize page.
    fn wish(&self, query: &[(String, String)]) -> Result<Wish, Wrong> {
        let find = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let text = |name: &str| find(name).unwrap_or_default();
        if ["client_id", "redirect_uri", "response_type"].iter().any(|name| text(name).is_empty()) {
            return Err(Wrong(20_001, "client_id, response_type or redirect_uri is missing."));
        }
        let app = self.apps.iter().position(|app| app.is_callable && app.plan.app_id == text("client_id"));
        let no = app.ok_or(Wrong(20_048, "The app does not exist."))?;
        let app = self.apps.get(no).ok_or(Wrong(20_048, "The app does not exist."))?;
        if text("response_type") != "code" {
            return Err(Wrong(20_063, "response_type must be code."));
        }
        let redirect_uri = text("redirect_uri");
        let is_listed = app.plan.redirect_urls.iter().any(|url| url == without_fragment(redirect_uri));
        if !is_listed {
            return Err(Wrong(20_029, "redirect_uri is not on the app's list of redirect URLs."));
        }
        let scopes = scopes_of(text("scope"))?;
        if !scopes.iter().all(|scope| scope == BASE || app.scopes.contains(scope)) {
            return Err(Wrong(20_027, "A scope is asked for that the app does not have."));
        }
        Ok(Wish {
            app: no,
            redirect_uri: redirect_uri.to_owned(),
            scopes,
            state: find("state").map(str::to_owned),
            challenge: challenge(text("code_challenge"), text("code_challenge_method"))?,
        })
    }

    /// Where the browser goes when the person agrees.
    fn consent(&mut self, wish: &Wish, person: usize) -> Result<String, Wrong> {
        let account = self.people.get(person).ok_or(Wrong(20_008, "The user does not exist."))?;
        if account.is_resigned {
            return Err(Wrong(20_008, "The user does not exist."));
        }
        if account.is_frozen {
            return Err(Wrong(20_066, "The user status is invalid."));
        }
        if account.is_blind {
            return Err(Wrong(20_010, "The user does not have permission to use this app."));
        }
        let code = format!("{}-{}_{}", self.dice.hex32(), self.dice.hex32(), self.dice.hex32());
        let given = self.oauth.consents.entry((wish.app, person)).or_default();
        given.extend(wish.scopes.iter().cloned());
        let mut scopes = given.clone();
        scopes.insert(BASE.to_owned());
        // A refresh token is for the login that asked for one.
        if !wish.scopes.contains(OFFLINE) {
            scopes.remove(OFFLINE);
        }
        let life = self.clock.span(Duration::from_secs(self.plan.oauth.code_s));
        let entry = Code {
            app: wish.app,
            person,
            redirect_uri: wish.redirect_uri.clone(),
            scopes,
            challenge: wish.challenge.clone(),
            until: self.clock.instant() + life,
            is_used: false,
        };
        self.oauth.codes.insert(code.clone(), entry);
        Ok(wish.back(&[("code", &code)]))
    }

    /// The user token with this text, if it is still good.
    pub(super) fn user_token(&self, text: &str) -> Option<&UserToken> {
        self.oauth.tokens.get(text).filter(|token| token.until > self.clock.instant())
    }

    /// Takes back what a person has agreed to: all tokens of it end.
    pub(super) fn end_consent(&mut self, person: usize) {
        self.oauth.consents.retain(|(_, whose), _| *whose != person);
        self.oauth.tokens.retain(|_, token| token.person != person);
        for refresh in self.oauth.refreshes.values_mut().filter(|it| it.person == person) {
            refresh.is_revoked = true;
        }
    }
}

impl Wish {
    /// The redirect URL with the answer in it, and the state as it came.
    fn back(&self, answer: &[(&str, &str)]) -> String {
        let mut more = answer.to_vec();
        if let Some(state) = &self.state {
            more.push(("state", state));
        }
        with_query(&self.redirect_uri, &more)
    }

    fn refused(&self) -> String {
        self.back(&[("error", "access_denied")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_goes_behind_the_query_and_before_the_fragment() {
        let answer = [("code", "a b"), ("state", "x&y")];
        assert_eq!(with_query("http://h/cb", &answer), "http://h/cb?code=a+b&state=x%26y");
        assert_eq!(with_query("http://h/cb?a=1#top", &answer), "http://h/cb?a=1&code=a+b&state=x%26y#top");
    }

    #[test]
    fn challenges_of_both_methods() {
        // The verifier and challenge of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let s256 = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(challenge(s256, "S256").unwrap().unwrap().fits(verifier));
        assert!(!challenge(s256, "plain").unwrap().unwrap().fits(verifier));
        assert!(challenge(verifier, "").unwrap().unwrap().fits(verifier));
        assert!(challenge("short", "plain").is_err());
        assert!(challenge(s256, "s256").is_err());
        assert_eq!(challenge("", ""), Ok(None));
    }
}
