//! The one port: API calls, discovery, the upgrade to the long connection, and the simulator's own desk.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Frame, Incoming},
    header::{AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, HOST, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Sleep,
};

use super::{
    api::{Call, Refusal, Reply, Route, Spec, refuse, route},
    desk,
    fault::{self, FaultKind},
    oauth,
    shared::Shared,
    socket,
};

const MOST_BODY_BYTES: usize = 40 * 1024 * 1024;

/// A body that is all there, or one that breaks off in the middle.
#[derive(Debug)]
pub(super) struct Body {
    rest: Option<Bytes>,
    breaks_off: bool,
    /// What was written must leave before the connection breaks.
    pause: Option<Pin<Box<Sleep>>>,
}

const BREAK_AFTER: Duration = Duration::from_millis(20);

impl Body {
    /// All of it.
    pub(super) fn full(data: impl Into<Bytes>) -> Self {
        Self { rest: Some(data.into()), breaks_off: false, pause: None }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(data) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if !self.breaks_off {
            return Poll::Ready(None);
        }
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(BREAK_AFTER)));
        pause.as_mut().poll(cx).map(|()| Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && !self.breaks_off
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match &self.rest {
            Some(data) if !self.breaks_off => {
                hyper::body::SizeHint::with_exact(u64::try_from(data.len()).unwrap_or(u64::MAX))
            }
            _ => hyper::body::SizeHint::default(),
        }
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
pub(super) struct Dropped;

/// Accepts connections until the simulator ends.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let task = serve(Arc::clone(&shared), stream);
                shared.spawn(task);
            }
            // Out of descriptors, most likely: they come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    // Without it, small answers wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    // The official Python SDK looks for `X-Tt-Logid` in exactly this case.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Broken connections are the client's affair, or a fault that was asked for.
    let _ = connection.await;
}

/// A JSON answer.
pub(super) fn json_response(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// The whole body of a request, or nothing if it breaks off or is too long.
pub(super) async fn read_body(body: Incoming) -> Option<Bytes> {
    collect(body, MOST_BODY_BYTES).await
}

/// The whole of a body of at most so many bytes.
pub(super) async fn collect(body: Incoming, most_bytes: usize) -> Option<Bytes> {
    let mut body = pin!(body);
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            all.extend_from_slice(&data);
            if all.len() > most_bytes {
                return None;
            }
        }
    }
    Some(all.freeze())
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    let log_id = shared.peek(|world| {
        let stamp = crate::core::time::Timestamp::from_ms(world.clock.now_ms());
        let day = stamp.in_zone(&jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%M%S").to_string();
        format!("{day}{}", world.dice.hex32().to_uppercase())
    });
    let path = request.uri().path().to_owned();
    let mut response = if path == "/open-apis/authen/v1/authorize" && is_browser(request.method()) {
        oauth::authorize(&shared, request, &log_id).await?
    } else if is_token_path(&path) && request.method() == Method::POST {
        oauth::token(&shared, request, &log_id).await?
    } else if let Some(api) = path.strip_prefix("/open-apis/") {
        call(&shared, request, api, &log_id).await?
    } else if path == "/callback/ws/endpoint" {
        discover(&shared, request, &log_id).await?
    } else if path.starts_with("/ws/") {
        socket::upgrade(&shared, request)
    } else if let Some(desk) = path.strip_prefix("/_sim/") {
        desk::answer(&shared, request, desk).await
    } else {
        not_found()
    };
    for name in ["x-tt-logid", "x-request-id"] {
        if let Ok(value) = HeaderValue::from_str(&log_id) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn is_browser(method: &Method) -> bool {
    method == Method::GET || method == Method::POST
}

/// The second is what the newest Python SDK calls, with the same fields.
fn is_token_path(path: &str) -> bool {
    matches!(path, "/open-apis/authen/v2/oauth/token" | "/oauth/v3/token")
}

fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::full("404 page not found"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn refusal_response(refusal: &Refusal, log_id: &str) -> Response<Body> {
    let mut response = json_response(refusal.status, &refusal.body(log_id));
    if let Some((limit, reset_s)) = refusal.limited {
        response.headers_mut().insert("x-ogw-ratelimit-limit", HeaderValue::from(limit));
        response.headers_mut().insert("x-ogw-ratelimit-reset", HeaderValue::from(reset_s));
    }
    response
}

fn reply_response(reply: Reply) -> Response<Body> {
    match reply {
        Reply::Data(data) => json_response(200, &json!({"code": 0, "msg": "success", "data": data})),
        Reply::Flat(members) => {
            let mut body = json!({"code": 0, "msg": "ok"});
            super::card::merge(&mut body, &members);
            json_response(200, &body)
        }
        Reply::Bytes { content_type, name, data } => {
            let mut response = Response::new(Body::full(data));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            let name: String =
                url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20");
            if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                response.headers_mut().insert(CONTENT_DISPOSITION, value);
            }
            response
        }
    }
}

/// What a fault makes of a call, before and after it is carried out.
pub(super) async fn before(
    shared: &Arc<Shared>,
    fault: Option<&FaultKind>,
    log_id: &str,
) -> Result<Option<Response<Body>>, Dropped> {
    Ok(match fault {
        Some(FaultKind::Drop) => return Err(Dropped),
        Some(FaultKind::Hang) => {
            shared.cancel.cancelled().await;
            return Err(Dropped);
        }
        Some(FaultKind::Slow { ms }) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            None
        }
        Some(FaultKind::Html { status }) => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center>\
                        <hr><center>nginx</center></body></html>";
            let mut response = Response::new(Body::full(page));
            *response.status_mut() = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            Some(response)
        }
        Some(FaultKind::Status { status }) => {
            Some(refusal_response(&refuse(2_200).with_status(*status).saying("internal error"), log_id))
        }
        Some(FaultKind::Code { status, code }) => {
            Some(refusal_response(&refuse(*code).with_status(*status), log_id))
        }
        Some(FaultKind::Says { status, code, msg }) => {
            Some(refusal_response(&refuse(*code).with_status(*status).saying(msg), log_id))
        }
        Some(FaultKind::TooFast { reset_s, status }) => {
            let refusal = Refusal { limited: Some((50, *reset_s)), ..refuse(99_991_400) };
            Some(refusal_response(&refusal.with_status(status.unwrap_or(429)), log_id))
        }
        Some(FaultKind::RevokeToken) => {
            shared.peek(|world| world.apps.iter_mut().for_each(|app| app.tokens.revoke()));
            None
        }
        _ => None,
    })
}

/// What a fault makes of the answer.
pub(super) fn after(
    fault: Option<&FaultKind>,
    mut response: Response<Body>,
) -> Result<Response<Body>, Dropped> {
    match fault {
        Some(FaultKind::LoseAnswer) => return Err(Dropped),
        Some(FaultKind::CutAnswer | FaultKind::HalfJson) => {
            let body = response.body_mut();
            let half = body.rest.as_ref().map_or(0, |data| data.len() / 2);
            body.rest = body.rest.take().map(|data| data.slice(..half));
            body.breaks_off = fault == Some(&FaultKind::CutAnswer);
        }
        _ => {}
    }
    Ok(response)
}

/// Counts a request of the endpoint `name`; the fault that strikes it, if one does.
pub(super) fn struck(shared: &Arc<Shared>, name: &str) -> Option<FaultKind> {
    shared.peek(|world| {
        *world.requests.entry(name.to_owned()).or_default() += 1;
        let running_s = world.clock.start().elapsed().as_secs_f64();
        fault::strike(&mut world.plan.fault, name, running_s, &mut world.dice)
    })
}

/// Takes a chat's change off the list when the call is over, however it ends.
struct Changing<'a>(&'a Arc<Shared>, String);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.peek(|world| world.changing.remove(&self.1));
    }
}

async fn call(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    path: &str,
    log_id: &str,
) -> Result<Response<Body>, Dropped> {
    let at = tokio::time::Instant::now();
    let (spec, params) = match route(request.method().as_str(), path) {
        Route::Found(spec, params) => (spec, params),
        Route::WrongMethod => return Ok(refusal_response(&refuse(99_991_301), log_id)),
        Route::Nowhere => return Ok(not_found()),
    };
    let fault = struck(shared, spec.name);
    if let Some(response) = before(shared, fault.as_ref(), log_id).await? {
        return Ok(response);
    }
    let header = |name| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (authorization, content_type) = (header(AUTHORIZATION), header(CONTENT_TYPE));
    let query = request.uri().query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let admitted = shared.peek(|world| {
        let (app, user) = world.caller(spec, &authorization)?;
        world.admit(spec, app, at)?;
        Ok((app, user))
    });
    let Some(raw) = read_body(request.into_body()).await else { return Err(Dropped) };
    let response = match admitted {
        Err(refusal) => refusal_response(&refusal, log_id),
        Ok((app, user)) => match read_json(&raw, &content_type) {
            None => refusal_response(&refuse(9_499), log_id),
            Some(body) => {
                let now_ms = shared.peek(|world| world.clock.now_ms());
                let call = Call { app, user, params, query, body, raw, content_type, now_ms, at };
                carry_out(shared, spec, &call, log_id).await
            }
        },
    };
    wait(shared).await;
    after(fault.as_ref(), response)
}

/// The JSON of a body; null for none and for forms. `None` where it should be JSON and is not.
fn read_json(raw: &Bytes, content_type: &str) -> Option<Value> {
    if raw.is_empty() || content_type.starts_with("multipart/") {
        return Some(Value::Null);
    }
    serde_json::from_slice(raw).ok()
}

async fn carry_out(shared: &Arc<Shared>, spec: &'static Spec, call: &Call, log_id: &str) -> Response<Body> {
    let mut changing = None;
    if spec.changes_chat {
        let chat = call.param(0).to_owned();
        if !shared.peek(|world| world.changing.insert(chat.clone())) {
            return refusal_response(&refuse(232_019), log_id);
        }
        changing = Some(Changing(shared, chat));
        let takes_ms = shared.peek(|world| world.plan.limits.chat_change_ms);
        if takes_ms > 0 {
            tokio::time::sleep(Duration::from_millis(takes_ms)).await;
        }
    }
    let result = shared.act(|world| {
        let result = (spec.run)(world, call);
        if result.is_ok() {
            world.settle(spec);
        }
        result
    });
    drop(changing);
    match result {
        Ok(reply) => reply_response(reply),
        Err(refusal) => refusal_response(&refusal, log_id),
    }
}

async fn wait(shared: &Arc<Shared>) {
    let ms = shared.peek(|world| {
        let plan = &world.plan.latency;
        let (low, high) = (plan.min_ms, plan.max_ms);
        if high == 0 { 0 } else { world.dice.between(low, high) }
    });
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// `POST /callback/ws/endpoint`: where to connect, or why not.
async fn discover(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    log_id: &str,
) -> Result<Response<Body>, Dropped> {
    let fault = struck(shared, "ws.endpoint");
    if let Some(FaultKind::Code { status, code }) = fault {
        return Ok(json_response(status, &json!({"code": code, "msg": "refused"})));
    }
    if let Some(response) = before(shared, fault.as_ref(), log_id).await? {
        return Ok(response);
    }
    let host =
        request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let Some(raw) = read_body(request.into_body()).await else { return Err(Dropped) };
    let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, secret) = (text("AppID"), text("AppSecret"));
    let answer = shared.peek(|world| {
        if id.is_empty() || secret.is_empty() {
            return json!({"code": 1_000_040_344_i64, "msg": "no credential"});
        }
        let Ok(app) = world.app_by_secret(&id, &secret) else {
            return json!({"code": 1_000_040_345_i64, "msg": "app_id or app_secret is invalid"});
        };
        let at = tokio::time::Instant::now();
        let rate = [super::rate::Rate { calls: 0, window_s: 1 }];
        // Only counted: nobody has published a limit.
        let _ = world.rates.arrive("ws.endpoint", &rate, false, at);
        let until = at + world.clock.span(Duration::from_secs(world.plan.socket.ticket_s));
        let access_key = world.dice.hex32();
        let (ticket, device) = world.hub.ticket(app, until);
        let url = format!(
            "ws://{host}/ws/v2?fpid=493&aid=552564&device_id={device}&access_key={access_key}&service_id={}&ticket={ticket}",
            super::hub::SERVICE
        );
        json!({"code": 0, "msg": "ok", "data": {"URL": url, "ClientConfig": world.hub.config()}})
    });
    after(fault.as_ref(), json_response(200, &answer))
}
