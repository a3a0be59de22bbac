//! A platform of a few lines on loopback, and permits that say yes and take notes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use tokio::net::TcpListener;

use crate::core::{
    ids::AppKey,
    integration::AppCredentials,
    permit::{BoxFuture, Call, Class, Denied, Feature, Outcome, Permit, PermitSource},
    secret::Secret,
    time::{Clock, SystemClock},
};

use super::{Ask, Client, Network};

pub(super) const ASK: Ask = Ask::new(Class::Person, Feature::Setup);
pub(super) const TOKEN: &str = r#"{"code":0,"msg":"ok","tenant_access_token":"t-1","expire":7200}"#;

/// What a request looked like.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// What the server answers next; the last one stays.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    /// Never answers.
    pub(super) hangs: bool,
}

pub(super) fn ok(body: &str) -> Answer {
    answer(200, body)
}

pub(super) fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_owned(), hangs: false }
}

/// A server that gives scripted answers; token calls are answered by themselves.
pub(super) struct Server {
    pub(super) base_url: String,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) tokens: Arc<Mutex<u32>>,
}

impl Server {
    pub(super) async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let (seen, tokens) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let app = Router::new().fallback({
            let (script, seen, tokens) = (script.clone(), seen.clone(), tokens.clone());
            move |request: Request| reply(request, script, seen, tokens)
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base_url, seen, tokens }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }

    pub(super) fn client(&self, permits: &Arc<Notes>) -> Client {
        client(&self.base_url, permits, &Network::direct())
    }
}

pub(super) fn client<P: PermitSource>(base_url: &str, permits: &Arc<P>, network: &Network) -> Client {
    client_by(base_url, permits, network, Arc::new(SystemClock))
}

pub(super) fn client_by<P: PermitSource>(
    base_url: &str,
    permits: &Arc<P>,
    network: &Network,
    clock: Arc<dyn Clock>,
) -> Client {
    let app = AppCredentials {
        key: AppKey { base_url: base_url.into(), app_id: "cli_a000000000000001".parse().unwrap() },
        app_secret: Secret::new("s3cret"),
        encrypt_key: None,
        verification_token: None,
    };
    Client::new(app, permits.clone(), network, clock).unwrap()
}

async fn reply(
    request: Request,
    script: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    tokens: Arc<Mutex<u32>>,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    if line.ends_with("/tenant_access_token/internal") {
        let number = {
            let mut tokens = tokens.lock().unwrap();
            *tokens += 1;
            *tokens
        };
        return TOKEN.replace("t-1", &format!("t-{number}")).into_response();
    }
    let seen_now = Seen { line, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() };
    seen.lock().unwrap().push(seen_now);
    let answer = {
        let mut script = script.lock().unwrap();
        if script.len() > 1 {
            script.pop_front()
        } else {
            script.pop_front().inspect(|last| script.push_back(answer(last.status, &last.body)))
        }
    };
    let answer = answer.unwrap_or_else(|| ok("{\"code\":0}"));
    if answer.hangs {
        std::future::pending::<()>().await;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers {
        headers.insert(name, value.parse().unwrap());
    }
    (StatusCode::from_u16(answer.status).unwrap(), headers, answer.body).into_response()
}

/// Permits that say yes and take notes.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) granted: Mutex<Vec<Call>>,
    pub(super) settled: Mutex<Vec<(&'static str, Outcome)>>,
    /// So many permits are stale when they are granted.
    pub(super) stale: Mutex<u32>,
    pub(super) left: Mutex<Vec<Option<Instant>>>,
    pub(super) told: tokio::sync::Notify,
}

impl Notes {
    pub(super) fn outcomes(&self, endpoint: &str) -> Vec<Outcome> {
        let settled = self.settled.lock().unwrap();
        settled.iter().filter(|(name, _)| *name == endpoint).map(|(_, outcome)| *outcome).collect()
    }
}

impl PermitSource for Notes {
    fn acquire(&self, call: Call) -> BoxFuture<'_, Result<Permit, Denied>> {
        self.granted.lock().unwrap().push(call.clone());
        let mut stale = self.stale.lock().unwrap();
        let is_stale = *stale > 0;
        *stale = stale.saturating_sub(1);
        let now = Instant::now();
        let granted_at = if is_stale { now.checked_sub(Duration::from_secs(1)).unwrap() } else { now };
        let permit = Permit { id: 1, granted_at, fresh_for: Duration::from_millis(500), left_at: None, call };
        Box::pin(async move { Ok(permit) })
    }

    fn settle(&self, permit: Permit, outcome: Outcome) -> BoxFuture<'_, ()> {
        self.left.lock().unwrap().push(permit.left_at);
        self.settled.lock().unwrap().push((permit.call.endpoint, outcome));
        self.told.notify_one();
        Box::pin(async {})
    }
}
