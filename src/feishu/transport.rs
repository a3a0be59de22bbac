//! The one place that sends requests. Each takes a permit of the ledger, every retry another one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::{Position, Url, form_urlencoded};

use crate::core::{
    ids::AppKey,
    integration::AppCredentials,
    permit::{Call, Feature, LimitScope, Outcome, PermitSource, Target},
    secret::Secret,
    time::Clock,
};

use super::{
    answer::{Answer, Head, clean_log_id},
    client::Ask,
    code::{Verdict, verdict},
    endpoint::{EndpointSpec, TOKEN},
    error::{FeishuError, Refusal},
    gate::{SendError, Sending},
    http::HttpError,
    lane::{Lanes, Message, Reply},
    network::{Network, Origin},
    token::{Token, TokenCache},
};

/// Largest answer: a page of 50 messages of 150 KB each, and some.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Retries after trouble: no connection, no answer, 5xx, "busy".
const RETRIES: u32 = 3;
/// Retries after "too fast": nothing was done, and the ledger paces the next try.
const LIMITED_RETRIES: u32 = 20;
/// The longest pause that an answer may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
const USER_AGENT: &str = concat!("larkdeck/", env!("CARGO_PKG_VERSION"));

/// One call, ready to be sent as often as need be.
pub(super) struct Request {
    spec: &'static EndpointSpec,
    ids: Vec<String>,
    /// With its `?`.
    query: String,
    body: Option<Bytes>,
    header: Option<(&'static str, &'static str)>,
    target: Option<Target>,
    is_idempotent: bool,
    retries: u32,
}

impl Request {
    pub(super) fn new(spec: &'static EndpointSpec) -> Self {
        Self {
            spec,
            ids: Vec::new(),
            query: String::new(),
            body: None,
            header: None,
            target: None,
            is_idempotent: spec.method == "GET",
            retries: RETRIES,
        }
    }

    /// Fills the next `{}` of the path.
    pub(super) fn id(mut self, id: &str) -> Self {
        self.ids.push(form_urlencoded::byte_serialize(id.as_bytes()).collect());
        self
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        self.query.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    pub(super) fn page(self, token: Option<String>) -> Self {
        match token {
            Some(token) => self.query("page_token", &token),
            None => self,
        }
    }

    pub(super) fn body(mut self, body: &Value) -> Self {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(super) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// May be sent again although it may have arrived.
    pub(super) fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// Is sent once; its caller tries again by rules of its own.
    pub(super) fn once(mut self) -> Self {
        self.retries = 0;
        self
    }

    fn path_and_query(&self, prefix: &str) -> String {
        let mut out = String::from(prefix);
        let mut ids = self.ids.iter();
        let mut parts = self.spec.path.split("{}").peekable();
        while let Some(part) = parts.next() {
            out.push_str(part);
            if parts.peek().is_some() {
                out.push_str(ids.next().map_or("", String::as_str));
            }
        }
        out.push_str(&self.query);
        out
    }
}

/// Why one sending failed, and what may come next.
struct Failure {
    error: FeishuError,
    next: Next,
}

/// What may come after a failure.
enum Next {
    /// Nothing.
    Stop,
    /// The same again, now: the connection had died before.
    Again,
    /// The same again after a pause of our choice.
    Later,
    /// The same again after the pause that the platform asked for, where it did.
    Slower(Option<Duration>),
}

/// Sends one app's requests.
pub(super) struct Transport {
    app: AppCredentials,
    permits: Arc<dyn PermitSource>,
    clock: Arc<dyn Clock>,
    lanes: Lanes,
    base: Url,
    prefix: String,
    network: Network,
    token: TokenCache,
}

impl Transport {
    pub(super) fn new(
        app: AppCredentials,
        permits: Arc<dyn PermitSource>,
        network: &Network,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, FeishuError> {
        let refuse =
            || FeishuError::Address(format!("{:?} is not an http or https address", app.key.base_url));
        let url = Url::parse(&app.key.base_url).map_err(|_| refuse())?;
        let origin = Some(&url).filter(|url| matches!(url.scheme(), "http" | "https")).and_then(Origin::of);
        let origin = origin.ok_or_else(refuse)?;
        Ok(Self {
            lanes: Lanes::new(network.clone(), origin),
            prefix: url.path().trim_end_matches('/').to_owned(),
            base: bare(url),
            network: network.clone(),
            token: TokenCache::default(),
            app,
            permits,
            clock,
        })
    }

    pub(super) fn app(&self) -> &AppKey {
        &self.app.key
    }

    pub(super) fn app_secret(&self) -> &Secret {
        &self.app.app_secret
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Makes the call with a tenant token; one that is not taken any more is replaced once.
    pub(super) async fn call(&self, ask: &Ask, request: Request) -> Result<Answer, FeishuError> {
        let token = self.token(ask).await?;
        match self.run(ask, &request, Some(&token.secret)).await {
            Err(FeishuError::Refused(refusal)) if verdict(refusal.code) == Verdict::Token => {
                tracing::info!(code = refusal.code, "the access token is not taken: a new one is fetched");
                self.token.forget(&token).await;
                let token = self.token(ask).await?;
                self.run(ask, &request, Some(&token.secret)).await
            }
            result => result,
        }
    }

    async fn token(&self, ask: &Ask) -> Result<Token, FeishuError> {
        let ask = Ask { feature: Feature::Setup, ..*ask };
        let fetch = || async move {
            let body = json!({"app_id": self.app.key.app_id, "app_secret": self.app.app_secret.reveal()});
            self.run(&ask, &Request::new(&TOKEN).body(&body).idempotent(), None).await
        };
        self.token.get(|| self.clock.instant(), fetch).await
    }

    /// Makes the call, with retries as far as they are safe.
    pub(super) async fn run(
        &self,
        ask: &Ask,
        request: &Request,
        bearer: Option<&Secret>,
    ) -> Result<Answer, FeishuError> {
        let started = Instant::now();
        let (mut troubles, mut limits) = (0, 0);
        loop {
            let left = ask.patience.map(|patience| patience.saturating_sub(started.elapsed()));
            let failure = match self.send_once(ask, left, request, bearer).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let (count, most) = match failure.next {
                Next::Stop => return Err(failure.error),
                Next::Slower(_) => (&mut limits, request.retries.saturating_mul(LIMITED_RETRIES / RETRIES)),
                Next::Again | Next::Later => (&mut troubles, request.retries),
            };
            *count += 1;
            let pause = match failure.next {
                Next::Again if *count == 1 => Duration::ZERO,
                Next::Slower(Some(pause)) => stretched(pause),
                _ => backed_off(*count),
            };
            let is_over = ask.patience.is_some_and(|patience| started.elapsed() + pause > patience);
            if *count > most || is_over {
                return Err(failure.error);
            }
            tracing::debug!(endpoint = request.spec.name, error = %failure.error, ?pause, "trying again");
            sleep(pause).await;
        }
    }

    async fn send_once(
        &self,
        ask: &Ask,
        patience: Option<Duration>,
        request: &Request,
        bearer: Option<&Secret>,
    ) -> Result<Answer, Failure> {
        let message = self.written(request, bearer).map_err(stop)?;
        let call = self.described(ask, patience, request);
        let sending = Sending::new(self.permits.clone(), self.clock.clone(), call);
        let action = request.spec.action;
        match self.lanes.send(sending.gate(), &message, ANSWER_MAX_BYTES).await {
            Ok(reply) => {
                let (outcome, result) = self.judge(request, reply);
                sending.settle(outcome).await;
                result
            }
            Err(SendError::Http(error)) => {
                let was_sent = error.was_sent();
                sending.settle(if was_sent { Outcome::Unknown } else { Outcome::Unused }).await;
                Err(lost(request, error))
            }
            Err(SendError::Denied(source)) => Err(stop(FeishuError::Denied { action, source })),
            Err(SendError::Starved) => {
                let reason = "no permit was fresh enough to be used: this process is starved".to_owned();
                Err(stop(FeishuError::Usage { action, reason }))
            }
        }
    }

    fn described(&self, ask: &Ask, patience: Option<Duration>, request: &Request) -> Call {
        Call {
            app: self.app.key.clone(),
            endpoint: request.spec.name,
            limits: request.spec.limits,
            is_send: request.spec.is_send,
            target: request.target.clone(),
            month: request.spec.month,
            class: ask.class,
            feature: ask.feature,
            patience,
        }
    }

    fn written(&self, request: &Request, bearer: Option<&Secret>) -> Result<Message, FeishuError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some((name, value)) = request.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let body = request.body.clone().unwrap_or_default();
        if !body.is_empty() {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, json);
        }
        if let Some(Ok(mut value)) =
            bearer.map(|token| HeaderValue::from_str(&format!("Bearer {}", token.reveal())))
        {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let url = self.address_of(request)?;
        Ok(Message { method: request.spec.method(), url, headers, body })
    }

    fn address_of(&self, request: &Request) -> Result<Url, FeishuError> {
        let path = request.path_and_query(&self.prefix);
        let url = self.base.join(&path).ok();
        // An id such as `..` would lead elsewhere.
        url.filter(|url| url[Position::BeforePath..] == path).ok_or_else(|| {
            FeishuError::usage(request.spec, "an id in it cannot stand in an address".to_owned())
        })
    }

    /// What an answer means: for the ledger and for the caller. The code decides; the HTTP status only
    /// where there is none.
    fn judge(&self, request: &Request, reply: Reply) -> (Outcome, Result<Answer, Failure>) {
        let status = reply.status;
        let head = Head::read(&reply.body);
        let header_id = log_id(&reply.headers);
        let log_id = header_id.or_else(|| head.as_ref().and_then(Head::log_id));
        let Some((code, head)) = head.and_then(|head| Some((head.code?, head))) else {
            return self.judge_without_code(request, &reply, log_id);
        };
        if code == 0 {
            let answer = Answer {
                spec: request.spec,
                host: self.lanes.authority(),
                status: status.as_u16(),
                log_id,
                body: reply.body,
            };
            return (Outcome::Done, Ok(answer));
        }
        let counted = if status.is_client_error() || status.is_server_error() {
            Outcome::Failed
        } else {
            Outcome::Done
        };
        let asked = asked_pause(&reply.headers);
        let verdict = verdict(code);
        let (outcome, next) = match verdict {
            Verdict::Limited(scope) => {
                (Outcome::Limited { scope, wait: asked.unwrap_or(usual_pause(scope)) }, Next::Slower(asked))
            }
            Verdict::Exhausted => (Outcome::MonthExhausted, Next::Stop),
            Verdict::Busy => (counted, Next::Later),
            Verdict::Internal if request.is_idempotent => (counted, Next::Later),
            _ if status.is_server_error() && request.is_idempotent => (counted, Next::Later),
            _ => (counted, Next::Stop),
        };
        let retry_at = matches!(verdict, Verdict::Limited(_))
            .then(|| self.clock.now().plus(asked.unwrap_or(Duration::from_secs(1))));
        let refusal = Refusal {
            endpoint: request.spec.name,
            action: request.spec.action,
            app: self.app.key.clone(),
            status: status.as_u16(),
            code,
            missing_scopes: head.missing_scopes(),
            fields: head.fields(),
            message: head.message,
            log_id,
            retry_at,
        };
        (outcome, Err(Failure { error: FeishuError::Refused(Box::new(refusal)), next }))
    }

    fn judge_without_code(
        &self,
        request: &Request,
        reply: &Reply,
        log_id: Option<String>,
    ) -> (Outcome, Result<Answer, Failure>) {
        let status = reply.status;
        let action = request.spec.action;
        let not_platform = |reason: String, log_id| FeishuError::NotPlatform {
            action,
            host: self.lanes.authority(),
            status: status.as_u16(),
            reason,
            log_id,
        };
        if status.is_server_error() {
            let error = FeishuError::ServerError { action, status: status.as_u16(), log_id };
            let next = if request.is_idempotent { Next::Later } else { Next::Stop };
            return (Outcome::Failed, Err(Failure { error, next }));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let asked = asked_pause(&reply.headers);
            let wait = asked.unwrap_or(Duration::from_secs(1));
            let outcome = Outcome::Limited { scope: LimitScope::Endpoint, wait };
            let error = not_platform("too many requests".to_owned(), log_id);
            return (outcome, Err(Failure { error, next: Next::Slower(asked) }));
        }
        // A success that cannot be read has happened all the same: it counts.
        let outcome = if status.is_success() { Outcome::Done } else { Outcome::Failed };
        let error = not_platform(what_is_wrong(reply), log_id);
        (outcome, Err(Failure { error, next: Next::Stop }))
    }
}

/// Says in a few words what came instead of an answer.
fn what_is_wrong(reply: &Reply) -> String {
    if reply.status.is_redirection() {
        return "it sends us elsewhere".to_owned();
    }
    let kind =
        reply.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let start = reply.body.trim_ascii_start();
    if start.is_empty() {
        "it is empty".to_owned()
    } else if kind.starts_with("text/html") || start.starts_with(b"<") {
        "it is a web page".to_owned()
    } else if start.starts_with(b"{") {
        match serde_json::from_slice::<serde::de::IgnoredAny>(start) {
            Ok(_) => "it has no code".to_owned(),
            Err(error) => format!("its JSON is broken: {error}"),
        }
    } else {
        "it is not JSON".to_owned()
    }
}

/// An address without name and password: they would become a header.
fn bare(mut url: Url) -> Url {
    // Both fail only for addresses that have no host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// A failure after which nothing is tried again.
const fn stop(error: FeishuError) -> Failure {
    Failure { error, next: Next::Stop }
}

/// A failure of the connection. What may have arrived is sent again only when that is safe.
fn lost(request: &Request, error: HttpError) -> Failure {
    let next = match &error {
        HttpError::TooLarge { .. } | HttpError::Tls { .. } => Next::Stop,
        HttpError::Broken { was_sent: false, .. } => Next::Again,
        error if !error.was_sent() || request.is_idempotent => Next::Later,
        _ => Next::Stop,
    };
    Failure { error: FeishuError::Offline { action: request.spec.action, source: error }, next }
}

fn log_id(headers: &HeaderMap) -> Option<String> {
    let read = |name: &str| headers.get(name).and_then(|id| id.to_str().ok()).and_then(clean_log_id);
    read("x-tt-logid").or_else(|| read("x-request-id"))
}

/// The pause that a limited answer asks for.
fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get("x-ogw-ratelimit-reset")?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|pause| pause.min(PAUSE_MAX))
}

/// How long a limit pauses when the answer does not say.
const fn usual_pause(scope: LimitScope) -> Duration {
    match scope {
        LimitScope::Endpoint | LimitScope::Target => Duration::from_secs(1),
        LimitScope::Sends => Duration::from_secs(2),
    }
}

/// 1, 2, 4 … 32 s, less up to a half: those who failed together must not come back together.
fn backed_off(count: u32) -> Duration {
    let full = Duration::from_secs(1 << count.saturating_sub(1).min(5));
    full - full.mul_f64(super::random_share() / 2.0)
}

/// A pause that was asked for, and up to a tenth more.
fn stretched(pause: Duration) -> Duration {
    pause + pause.mul_f64(super::random_share() / 10.0)
}
