//! The HTTP API: one table of endpoints, one path through which every call goes.

mod application;
mod auth;
mod authen;
mod cardkit;
mod chat;
mod code;
mod contact;
mod interactive;
mod listing;
mod member;
mod message;
mod reaction;
mod resource;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

pub(super) use self::code::{Refusal, missing_field, refuse};
use super::{oauth::UserToken, people::IdType, rate::Rate, world::World};

/// A call on its way to its handler.
#[derive(Debug)]
pub(super) struct Call {
    /// Number of the calling app.
    pub(super) app: usize,
    /// The user token, where the endpoint takes one.
    pub(super) user: Option<UserToken>,
    /// What the `:name` segments of the path were.
    pub(super) params: Vec<String>,
    /// Query, in order.
    pub(super) query: Vec<(String, String)>,
    /// JSON body; null where there is none.
    pub(super) body: Value,
    /// The body's bytes.
    pub(super) raw: Bytes,
    /// Its media type.
    pub(super) content_type: String,
    /// Wall clock.
    pub(super) now_ms: i64,
    /// When the call arrived.
    pub(super) at: Instant,
}

impl Call {
    /// A `:name` segment, by place.
    pub(super) fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// A query value; empty where it is absent.
    pub(super) fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// All values of a repeated query key.
    pub(super) fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A text of the body; empty where it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text of the body that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        let text = self.text(name);
        if text.is_empty() { Err(missing_field(name)) } else { Ok(text) }
    }

    /// A list of texts of the body.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.body.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// `user_id_type` and its like.
    pub(super) fn id_type(&self, name: &str) -> Result<IdType, Refusal> {
        IdType::parse(self.query(name)).ok_or_else(|| {
            Refusal::field(name, self.query(name), "user_id_type must be one of open_id, union_id, user_id")
        })
    }

    /// `page_size`, within its bounds.
    pub(super) fn page_size(&self, usual: usize, most: usize) -> Result<usize, Refusal> {
        match self.query("page_size") {
            "" => Ok(usual),
            text => match text.parse() {
                Ok(size) if (1..=most).contains(&size) => Ok(size),
                _ => Err(Refusal::field("page_size", text, &format!("the range is 1 to {most}"))),
            },
        }
    }
}

/// What a handler answers.
#[derive(Debug)]
pub(super) enum Reply {
    /// Under `data`.
    Data(Value),
    /// The whole body but for `code` and `msg`.
    Flat(Value),
    /// A file.
    Bytes {
        /// MIME type.
        content_type: &'static str,
        /// File name, for `Content-Disposition`.
        name: String,
        /// What is in it.
        data: Bytes,
    },
}

/// A handler.
pub(super) type Run = fn(&mut World, &Call) -> Result<Reply, Refusal>;

/// What an endpoint asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it gives tokens out.
    Nothing,
    /// A token.
    Token,
    /// The token of a person who has signed in.
    UserToken,
}

/// How fast an endpoint may be called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As the scenario sets: 1000/min and 50/s.
    Usual,
    /// A figure of its own: calls, seconds.
    Own(u32, u64),
    /// Not stated; counted only.
    Free,
}

/// An endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spec {
    /// As counters and faults name it.
    pub(super) name: &'static str,
    /// HTTP method.
    pub(super) method: &'static str,
    /// Path below `/open-apis/`; `:x` stands for one segment.
    pub(super) path: &'static str,
    /// Scopes of which any one is enough.
    pub(super) scopes: &'static [&'static str],
    /// What the caller must bring.
    pub(super) needs: Needs,
    /// How fast.
    pub(super) pace: Pace,
    /// Whether the month counts it.
    pub(super) is_counted: bool,
    /// Whether it changes the chat that is its first parameter: one such call at a time.
    pub(super) changes_chat: bool,
    /// What it does.
    pub(super) run: Run,
}

impl Spec {
    /// With a token, at the usual pace, counted by the month.
    const fn new(
        name: &'static str,
        method: &'static str,
        path: &'static str,
        scopes: &'static [&'static str],
        run: Run,
    ) -> Self {
        Self {
            name,
            method,
            path,
            scopes,
            needs: Needs::Token,
            pace: Pace::Usual,
            is_counted: true,
            changes_chat: false,
            run,
        }
    }

    const fn exempt(mut self) -> Self {
        self.is_counted = false;
        self
    }

    const fn open(mut self) -> Self {
        self.needs = Needs::Nothing;
        self.pace = Pace::Free;
        self.exempt()
    }

    const fn by_user(mut self) -> Self {
        self.needs = Needs::UserToken;
        self.exempt()
    }

    const fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    const fn changing(mut self) -> Self {
        self.changes_chat = true;
        self
    }

    fn matches(&self, path: &str) -> Option<Vec<String>> {
        let mut params = Vec::new();
        let mut given = path.split('/');
        for wanted in self.path.split('/') {
            let segment = given.next()?;
            if wanted.starts_with(':') {
                params.push(segment.to_owned());
            } else if wanted != segment {
                return None;
            }
        }
        given.next().is_none().then_some(params)
    }
}

fn table() -> impl Iterator<Item = &'static Spec> {
    [
        auth::SPECS,
        authen::SPECS,
        application::SPECS,
        contact::SPECS,
        chat::SPECS,
        member::SPECS,
        message::SPECS,
        listing::SPECS,
        reaction::SPECS,
        cardkit::SPECS,
        interactive::SPECS,
        resource::SPECS,
    ]
    .into_iter()
    .flatten()
}

/// What a method and a path lead to.
pub(super) enum Route {
    /// An endpoint and the path's parameters.
    Found(&'static Spec, Vec<String>),
    /// The path is there, but not with this method.
    WrongMethod,
    /// No such path.
    Nowhere,
}

/// Finds the endpoint of a path below `/open-apis/`. A fixed segment goes before a parameter.
pub(super) fn route(method: &str, path: &str) -> Route {
    let mut is_known = false;
    let mut best: Option<(&'static Spec, Vec<String>)> = None;
    for spec in table() {
        if let Some(params) = spec.matches(path) {
            is_known = true;
            if spec.method == method && best.as_ref().is_none_or(|(_, known)| params.len() < known.len()) {
                best = Some((spec, params));
            }
        }
    }
    match best {
        Some((spec, params)) => Route::Found(spec, params),
        None if is_known => Route::WrongMethod,
        None => Route::Nowhere,
    }
}

impl World {
    /// The app of a call and the person for whom it calls, or why it may not call at all.
    pub(super) fn caller(
        &self,
        spec: &Spec,
        authorization: &str,
    ) -> Result<(usize, Option<UserToken>), Refusal> {
        if spec.needs == Needs::Nothing {
            return Ok((0, None));
        }
        let token = authorization.strip_prefix("Bearer ").unwrap_or(authorization).trim();
        if token.is_empty() {
            return Err(refuse(99_991_661));
        }
        if spec.needs == Needs::UserToken {
            let user = self.user_token(token).cloned().ok_or_else(|| refuse(20_005))?;
            return Ok((user.app, Some(user)));
        }
        if self.user_token(token).is_some() {
            return Err(refuse(99_991_668));
        }
        if !token.starts_with("t-") && !token.starts_with("u-") {
            return Err(refuse(99_991_671));
        }
        self.app_of_token(token).map(|app| (app, None)).ok_or_else(|| refuse(99_991_663))
    }

    /// Counts the call, and stops it where a limit, a missing scope or the month stands in its way.
    pub(super) fn admit(&mut self, spec: &Spec, app: usize, at: Instant) -> Result<(), Refusal> {
        let limits = &self.plan.limits;
        let rates = match spec.pace {
            Pace::Usual => vec![
                Rate { calls: limits.per_minute, window_s: 60 },
                Rate { calls: limits.per_second, window_s: 1 },
            ],
            Pace::Own(calls, window_s) => vec![Rate { calls, window_s }],
            Pace::Free => vec![Rate { calls: 0, window_s: 1 }],
        };
        let own = |name: &str| if app == 0 { name.to_owned() } else { format!("{name} #{app}") };
        let all = [Rate { calls: limits.app_per_second, window_s: 1 }];
        let is_enforced = limits.enforce_app;
        let sends = [Rate { calls: limits.sends_per_minute, window_s: 60 }];
        if spec.needs != Needs::Nothing {
            self.rates.arrive(&own("app"), &all, is_enforced, at).map_err(Refusal::too_fast)?;
        }
        self.rates.arrive(&own(spec.name), &rates, true, at).map_err(Refusal::too_fast)?;
        if matches!(spec.name, "im.message.create" | "im.message.reply") {
            self.rates.arrive(&own("send"), &sends, true, at).map_err(Refusal::too_fast)?;
        }
        if !self.grants(app, spec.scopes) {
            return Err(Refusal::missing_scopes(self.app_id(app), spec.scopes));
        }
        if spec.is_counted && self.month.limit.is_some_and(|limit| self.month.counted >= limit) {
            return Err(refuse(99_991_403));
        }
        Ok(())
    }

    /// Counts the month: a call that failed costs nothing.
    pub(super) fn settle(&mut self, spec: &Spec) {
        if spec.is_counted {
            self.month.counted += 1;
        } else {
            self.month.exempt += 1;
        }
    }

    /// 5/s for one receiver, all bots together.
    fn admit_receiver(&mut self, chat: usize, at: Instant) -> Result<(), Refusal> {
        let name =
            format!("receiver {}", self.chats.get(chat).map(|chat| chat.id.as_str()).unwrap_or_default());
        let rate = [Rate { calls: self.plan.limits.receiver_per_second, window_s: 1 }];
        self.rates.arrive(&name, &rate, true, at).map_err(|_| refuse(230_020))
    }
}

/// A page of a list that is kept as a slice: the items from an offset on, and the next token.
fn page<T>(
    all: &[T],
    token: &str,
    size: usize,
    bad_token: i64,
) -> Result<(Vec<usize>, Option<String>), Refusal> {
    let from = if token.is_empty() {
        0
    } else {
        read_token(token).and_then(|text| text.parse().ok()).ok_or_else(|| refuse(bad_token))?
    };
    let end = (from + size).min(all.len());
    let next = (end < all.len()).then(|| make_token(&end.to_string()));
    Ok(((from..end).collect(), next))
}

fn make_token(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("page|{text}"))
}

fn read_token(token: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("page|").map(str::to_owned)
}

/// `items`, `has_more` and `page_token` of a page.
fn page_body(items: Vec<Value>, next: Option<String>) -> Value {
    json!({"items": items, "has_more": next.is_some(), "page_token": next.unwrap_or_default()})
}
