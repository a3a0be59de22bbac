//! The way to a host: name, TCP, proxy, TLS; the same for HTTP and for the long connection.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

use super::{
    error::FeishuError,
    http::HttpError,
    proxy::{Proxies, Proxy, bare},
};

/// Most bytes of a proxy's answer to CONNECT.
const CONNECT_ANSWER_MAX: usize = 16 * 1024;
/// A peer that vanished without a word is noticed after 25 s of silence, or 20 s after something that we
/// sent stayed unacknowledged; the kernel sees to it and the platform is not called.
pub(super) const KEEPALIVE_FROM: Duration = Duration::from_secs(10);
/// Between two looks for a peer that is silent.
pub(super) const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
/// How many of them.
pub(super) const KEEPALIVE_PROBES: u32 = 3;
/// How long what was sent may stay unacknowledged.
#[cfg(target_os = "linux")]
pub(super) const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);
/// How long one of several addresses of a host may take before the next is tried.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(4);

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name, TCP, proxy and TLS together.
    pub connect: Duration,
    /// From the request to the last byte of its answer.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_secs(30) }
    }
}

/// How larkdeck reaches the outside: certificates, proxies, timeouts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    proxies: Proxies,
    timeouts: Timeouts,
    /// Made at the first use: reading the system's certificates takes milliseconds that a start on
    /// loopback need not spend.
    tls: OnceLock<Arc<ClientConfig>>,
}

/// Both directions of a connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
pub(super) type BoxIo = Pin<Box<dyn Io>>;

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) is_secure: bool,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    /// The origin of an `http`, `https`, `ws` or `wss` address.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let is_secure = match url.scheme() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let host = bare(url.host_str()?).to_owned();
        Some(Self { is_secure, host, port: url.port().unwrap_or(if is_secure { 443 } else { 80 }) })
    }

    /// `host:port` as requests name it, without the port where that is the scheme's own.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let is_default = self.port == if self.is_secure { 443 } else { 80 };
        if is_default { host } else { format!("{host}:{}", self.port) }
    }

    /// `host:port`, always with the port.
    pub(super) fn address(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

impl Network {
    /// The network as the environment describes it: proxies of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY`; the system's root certificates (`SSL_CERT_FILE` is honoured), or the bundled ones where
    /// it has none.
    ///
    /// # Errors
    /// [`FeishuError::Address`] when a proxy's address cannot be used.
    pub fn from_env() -> Result<Self, FeishuError> {
        Self::from_vars(|name| std::env::var(name).ok(), Timeouts::default())
    }

    /// As [`Self::from_env`] with variables and timeouts of the caller's.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn from_vars(var: impl Fn(&str) -> Option<String>, timeouts: Timeouts) -> Result<Self, FeishuError> {
        Ok(Self::made(Proxies::from_vars(var)?, timeouts))
    }

    /// The network without any proxy: for a platform in the same process.
    pub fn direct() -> Self {
        Self::made(Proxies::default(), Timeouts::default())
    }

    fn made(proxies: Proxies, timeouts: Timeouts) -> Self {
        Self { inner: Arc::new(Inner { proxies, timeouts, tls: OnceLock::new() }) }
    }

    /// How long things may take.
    pub fn timeouts(&self) -> Timeouts {
        self.inner.timeouts
    }

    /// The proxy on the way to `origin`.
    pub(super) fn proxy(&self, origin: &Origin) -> Option<&Proxy> {
        self.inner.proxies.of(origin.is_secure, &origin.host, origin.port)
    }

    /// Whom to trust.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        match self.inner.tls.get() {
            Some(config) => Ok(config.clone()),
            None => {
                let made = tls_config()?;
                Ok(self.inner.tls.get_or_init(|| Arc::new(made)).clone())
            }
        }
    }

    /// A stream of bytes to `origin`, through a proxy by CONNECT: for the long connection. Requests take the
    /// same way by reqwest (see `route`).
    pub(super) async fn connect(&self, origin: &Origin) -> Result<BoxIo, HttpError> {
        let limit = self.inner.timeouts.connect;
        match timeout(limit, self.connect_slowly(origin)).await {
            Ok(connected) => connected,
            Err(_) => Err(HttpError::ConnectTimeout { host: origin.authority(), seconds: limit.as_secs() }),
        }
    }

    async fn connect_slowly(&self, origin: &Origin) -> Result<BoxIo, HttpError> {
        let mut io: BoxIo = match self.proxy(origin) {
            None => Box::pin(dial(&origin.host, origin.port).await?),
            Some(proxy) => {
                let mut io: BoxIo = Box::pin(dial(&proxy.host, proxy.port).await?);
                if proxy.is_secure {
                    io = self.encrypt(io, &proxy.host).await?;
                }
                tunnel(&mut io, proxy, origin).await?;
                io
            }
        };
        if origin.is_secure {
            io = self.encrypt(io, &origin.host).await?;
        }
        Ok(io)
    }

    async fn encrypt(&self, io: BoxIo, host: &str) -> Result<BoxIo, HttpError> {
        let refuse = |source: io::Error| HttpError::Tls { host: host.to_owned(), source };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| refuse(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        let config = self.tls().map_err(|e| refuse(io::Error::other(e)))?;
        let stream = TlsConnector::from(config).connect(name, io).await.map_err(refuse)?;
        Ok(Box::pin(stream))
    }
}

/// TLS by ring, so that the process-wide default provider stays nobody's business.
fn tls_config() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (usable, unusable) = roots.add_parsable_certificates(native.certs);
    if usable == 0 {
        tracing::info!(unusable, "no usable root certificates on this system: the bundled ones are used");
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    trusting(roots)
}

/// For a way in the clear: nobody is trusted.
pub(super) fn no_tls() -> Result<ClientConfig, rustls::Error> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

async fn dial(host: &str, port: u16) -> Result<TcpStream, HttpError> {
    let refuse = |source| HttpError::Connect { host: format!("{host}:{port}"), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await.map_err(refuse)? {
        match timeout(ADDRESS_PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                keep_alive(&stream).map_err(refuse)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(refuse(last))
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_FROM).with_interval(KEEPALIVE_EVERY);
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
        socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_PROBES))
    }
    #[cfg(not(target_os = "linux"))]
    socket.set_tcp_keepalive(&keepalive)
}

/// Asks the proxy for a tunnel (RFC 9110, 9.3.6).
async fn tunnel(io: &mut BoxIo, proxy: &Proxy, origin: &Origin) -> Result<(), HttpError> {
    let refuse =
        |reason: String| HttpError::Proxy { proxy: proxy.address(), host: origin.authority(), reason };
    let name = origin.address();
    let mut request = format!("CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.push_str("Proxy-Authorization: ");
        request.push_str(authorization.reveal());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    io.write_all(request.as_bytes()).await.map_err(|e| refuse(e.to_string()))?;
    io.flush().await.map_err(|e| refuse(e.to_string()))?;
    // A byte at a time: what follows the head belongs to the tunnel.
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= CONNECT_ANSWER_MAX {
            return Err(refuse("its answer does not end".to_owned()));
        }
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(refuse("it closed the connection".to_owned()));
            }
            Err(error) => return Err(refuse(error.to_string())),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.splitn(3, ' ');
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    match words.next().and_then(|status| status.parse::<u16>().ok()) {
        Some(200..300) if is_http => Ok(()),
        Some(407) => Err(refuse("it asks for a user name and password (HTTP 407)".to_owned())),
        Some(status) => Err(refuse(format!("HTTP {status} {}", words.next().unwrap_or_default()))),
        None => Err(refuse("it does not speak HTTP".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_name_their_port_only_where_it_is_unusual() {
        let origin = |url: &str| Origin::of(&Url::parse(url).unwrap()).unwrap();
        assert_eq!(origin("https://open.feishu.cn/x").authority(), "open.feishu.cn");
        assert_eq!(origin("wss://open.feishu.cn:444/x").authority(), "open.feishu.cn:444");
        assert_eq!(origin("http://[::1]:8080").authority(), "[::1]:8080");
        assert_eq!(origin("ws://a").address(), "a:80");
        assert!(Origin::of(&Url::parse("ftp://a").unwrap()).is_none());
    }

    #[test]
    fn tls_starts_without_the_system() {
        assert!(tls_config().is_ok());
    }
}
