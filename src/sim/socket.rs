//! The long connection: handshake, then frames in both directions.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use super::{
    fault::{self, FaultKind},
    http::Body,
    hub::{NoSeat, Seat},
    shared::Shared,
};

/// Frames written before they are flushed together.
const AT_ONCE: usize = 256;

fn refused(status: u16, auth_code: Option<i64>, msg: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(msg));
    *response.status_mut() = if status == 403 { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
    let headers = response.headers_mut();
    headers.insert("handshake-status", HeaderValue::from(status));
    headers.insert("handshake-msg", HeaderValue::from_static(msg));
    if let Some(code) = auth_code {
        headers.insert("handshake-autherrcode", HeaderValue::from(code));
    }
    response
}

/// Answers the upgrade and serves the connection from then on.
pub(super) fn upgrade(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
        return refused(400, None, "not a websocket request");
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    let ticket = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "ticket")
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    let seat = shared.peek(|world| {
        let running_s = world.clock.start().elapsed().as_secs_f64();
        match fault::strike(&mut world.plan.fault, "ws.handshake", running_s, &mut world.dice) {
            Some(FaultKind::RefuseHandshake { status, auth_code }) => {
                return Err(Box::new(refused(status, auth_code, "refused on purpose")));
            }
            Some(_) => return Err(Box::new(refused(500, None, "internal error"))),
            None => {}
        }
        let now = world.clock.instant();
        world.hub.sit_down(&ticket, now).map_err(|why| {
            let (code, msg) = match why {
                NoSeat::BadTicket => (1_000_040_346, "auth failed: invalid ticket"),
                NoSeat::TooMany => (1_000_040_350, "the number of connections exceeded the limit"),
            };
            Box::new(refused(514, Some(code), msg))
        })
    });
    let seat = match seat {
        Ok(seat) => seat,
        Err(response) => return *response,
    };
    let task = Arc::clone(shared);
    shared.spawn(async move {
        let id = seat.id;
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            serve(&task, socket, seat).await;
        }
        task.peek(|world| world.hub.leave(id));
    });
    let mut response = Response::new(Body::full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

async fn serve(shared: &Arc<Shared>, mut socket: Socket, mut seat: Seat) {
    let config = shared.peek(|world| world.hub.config());
    let mut batch = Vec::with_capacity(AT_ONCE);
    loop {
        tokio::select! {
            () = seat.kill.cancelled() => return,
            count = seat.frames.recv_many(&mut batch, AT_ONCE) => {
                if count == 0 {
                    return;
                }
                for frame in batch.drain(..) {
                    if socket.feed(Message::Binary(frame)).await.is_err() {
                        return;
                    }
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let answer = shared.peek(|world| world.hub.read(bytes, &config));
                    if let Some(frame) = answer
                        && socket.send(Message::Binary(frame)).await.is_err()
                    {
                        return;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}
