//! The Message Card Request URL (R23, R26): verification of the URL, events and callbacks on one address.
//!
//! What may be refused is refused as early as it can be told: by its head, then by its size, then by its
//! signature; only what is genuine is read and committed. The platform gets its 200 after the commit.
//!
//! There is no window on the time of a request: the platform's retries come up to 7 h later, and nobody says
//! that they carry a new time (`feishu/events` 3). A request that is played back is caught by what it says:
//! each event and each press is taken once.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout};

use crate::{
    core::{
        error::{Fault, Kind},
        ids::IntegrationId,
    },
    feishu::event::{Opened, Signed},
    service::Door,
};

use super::{finished::Finished, gateway::Gateway, origin::Origin, refusal::Refusal};

/// The largest events and callbacks have some hundred KiB.
const MOST_BODY_BYTES: usize = 1024 * 1024;
/// From the head of a request to the end of its body. The platform has given up by then.
const BODY_PATIENCE: Duration = Duration::from_secs(3);
/// The platform waits 3 s for an answer, the way there and back included.
const ACK_PATIENCE: Duration = Duration::from_millis(2_500);

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new().route("/i/{id}/event", post(receive))
}

async fn receive(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Response {
    let begun = Instant::now();
    let id: Option<IntegrationId> = id.parse().ok();
    let done = match &id {
        Some(id) => take(&gateway, id, request, begun).await,
        None => Err(Refusal::UnknownIntegration),
    };
    done.unwrap_or_else(|refusal| {
        gateway.refused(refusal, id.as_ref(), origin.address);
        refusal.into_response()
    })
}

async fn take(
    gateway: &Gateway,
    id: &IntegrationId,
    request: Request,
    begun: Instant,
) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    check_head(&head.headers)?;
    let door = door(gateway, id).await?;
    let body = read(&head.headers, body).await?;
    let opened = door.open(signed(&head.headers), &body).await.map_err(|error| Refusal::of(&error))?;
    match opened {
        None => {
            // Genuine, and nobody can do anything with it; sent again, it would be no better.
            gateway.metrics.not_understood();
            Ok(done())
        }
        Some(Opened::Challenge(challenge)) => {
            tracing::info!(integration = %id, "the URL was verified");
            Ok(json(serde_json::json!({ "challenge": challenge }).to_string()))
        }
        Some(Opened::Event(incoming)) => {
            let kind = gateway.metrics.kind(&incoming.event_type);
            // A client that goes away must not leave half of what follows undone.
            let work = Finished::by(&gateway.work, async move { door.take(*incoming).await });
            let answer = match timeout(ACK_PATIENCE.saturating_sub(begun.elapsed()), work).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(fault)) => return Err(not_stored(id, &fault)),
                Err(_) => return Err(Refusal::StoreAway),
            };
            gateway.metrics.accepted(kind, begun.elapsed());
            Ok(answer.map_or_else(done, |answer| json(answer.to_string())))
        }
    }
}

fn not_stored(id: &IntegrationId, fault: &Fault) -> Refusal {
    tracing::error!(integration = %id, %fault, "event not stored; the platform will send it again");
    Refusal::StoreAway
}

async fn door(gateway: &Gateway, id: &IntegrationId) -> Result<Arc<Door>, Refusal> {
    gateway.deck.door(id).await.map_err(|fault| match fault.kind {
        Kind::NotFound | Kind::Usage => Refusal::UnknownIntegration,
        _ => not_stored(id, &fault),
    })
}

/// What a head tells already.
fn check_head(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_json = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    };
    if text(header::CONTENT_TYPE).is_some_and(|kind| !is_json(kind)) {
        return Err(Refusal::ContentType);
    }
    if text(header::CONTENT_ENCODING).is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        return Err(Refusal::ContentType);
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let most = u64::try_from(MOST_BODY_BYTES).unwrap_or(u64::MAX);
    if length.is_some_and(|length| length > most) { Err(Refusal::TooLarge) } else { Ok(()) }
}

fn signed(headers: &HeaderMap) -> Signed<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Signed {
        timestamp: text("x-lark-request-timestamp"),
        nonce: text("x-lark-request-nonce"),
        signature: text("x-lark-signature"),
    }
}

/// The body, if it comes whole, in time and not too large, whatever its head says of its size.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let expected = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut stream = body.into_data_stream();
    let collect = async {
        let Some(first) = stream.next().await else { return Ok(Bytes::new()) };
        let first = first.map_err(|_| Refusal::Truncated)?;
        // Most requests come in one piece: that is not copied.
        if expected == Some(first.len()) {
            return Ok(first);
        }
        let mut whole = first.to_vec();
        while whole.len() <= MOST_BODY_BYTES {
            match stream.next().await {
                Some(Ok(piece)) => whole.extend_from_slice(&piece),
                Some(Err(_)) => return Err(Refusal::Truncated),
                None => return Ok(whole.into()),
            }
        }
        Err(Refusal::TooLarge)
    };
    timeout(BODY_PATIENCE, collect).await.unwrap_or(Err(Refusal::TooSlow))
}

fn done() -> Response {
    json(r#"{"msg":"success"}"#)
}

fn json(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let body = json(serde_json::json!({ "error": self.reason() }).to_string());
        (status, body).into_response()
    }
}
