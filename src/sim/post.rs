//! One HTTP request from the platform to somebody's server, and what comes of it.

use std::time::Duration;

use bytes::Bytes;
use hyper::{
    Request,
    header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use url::Url;

use super::{
    http::{Body, collect},
    loopback,
};

/// The platform waits no longer for a TCP connection.
const CONNECT: Duration = Duration::from_secs(2);
const MOST_ANSWER_BYTES: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    /// The name of the host leads nowhere.
    #[error("the host has no address")]
    NoName,
    /// No connection.
    #[error("no connection")]
    NoConnection,
    /// No answer in time.
    #[error("no answer in time")]
    TooLate,
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke")]
    Broken,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// Body.
    pub(super) body: Bytes,
}

/// What [`target`] takes, in words.
pub(super) const TARGETS: &str = "an http:// URL, nor an https:// URL of this machine";

/// A URL that the simulator can post to: without TLS, or on this machine, where certificates are not checked.
pub(super) fn target(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_fit = match url.scheme() {
        "http" => url.host_str().is_some(),
        "https" => loopback::is_here(&url),
        _ => false,
    };
    is_fit.then_some(url)
}

/// Posts JSON; all of it, answer included, within `patience`. Redirects are not followed.
pub(super) async fn post(
    url: &Url,
    headers: &[(&'static str, String)],
    body: Bytes,
    patience: Duration,
) -> Result<Answer, NoAnswer> {
    tokio::time::timeout(patience, exchange(url, headers, body)).await.unwrap_or(Err(NoAnswer::TooLate))
}

async fn exchange(url: &Url, headers: &[(&'static str, String)], body: Bytes) -> Result<Answer, NoAnswer> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> =
        tokio::net::lookup_host((bare, port)).await.map_err(|_| NoAnswer::NoName)?.collect();
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(addresses.as_slice()))
        .await
        .map_err(|_| NoAnswer::NoConnection)?
        .map_err(|_| NoAnswer::NoConnection)?;
    let _ = stream.set_nodelay(true);
    let request = request(url, host, headers, body).ok_or(NoAnswer::Broken)?;
    if url.scheme() == "https" {
        speak(loopback::connect(stream, bare).await.ok_or(NoAnswer::NoConnection)?, request).await
    } else {
        speak(stream, request).await
    }
}

async fn speak<S>(stream: S, request: Request<Body>) -> Result<Answer, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| NoAnswer::Broken)?;
    let answer = async move {
        let response = sender.send_request(request).await.map_err(|_| NoAnswer::Broken)?;
        let status = response.status().as_u16();
        let body = collect(response.into_body(), MOST_ANSWER_BYTES).await.ok_or(NoAnswer::Broken)?;
        Ok(Answer { status, body })
    };
    // The connection ends with the answer: both run here, so that giving up closes it.
    let connection = async move {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answer => answer,
        () = connection => Err(NoAnswer::Broken),
    }
}

fn request(url: &Url, host: &str, headers: &[(&'static str, String)], body: Bytes) -> Option<Request<Body>> {
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let mut request = Request::post(path)
        .header(HOST, authority)
        .header(USER_AGENT, HeaderValue::from_static("Go-http-client/1.1"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))
        .header(CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Body::full(body)).ok()
}
