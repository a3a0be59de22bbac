//! How a request over HTTP can fail.

use std::io;

/// How an exchange failed before an answer was there.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection: no such name, nobody listens, no route.
    #[error("cannot reach {host}: {source}")]
    Connect {
        /// Who was to be reached.
        host: String,
        /// The system's error.
        source: io::Error,
    },
    /// No connection in time.
    #[error("cannot reach {host} within {seconds} s")]
    ConnectTimeout {
        /// Who was to be reached.
        host: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} does not let us through to {host}: {reason}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// Who was to be reached.
        host: String,
        /// What it said. Foreign text.
        reason: String,
    },
    /// No secure connection: a certificate that is not trusted, a server that speaks no TLS.
    #[error("no secure connection to {host}: {source}")]
    Tls {
        /// Who was to be reached.
        host: String,
        /// What rustls said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// Who was spoken to.
        host: String,
        /// How.
        reason: String,
        /// Whether the request may have arrived.
        was_sent: bool,
    },
    /// No whole answer in time.
    #[error("{host} gave no answer within {seconds} s")]
    Timeout {
        /// Who was spoken to.
        host: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The answer is too large to be one.
    #[error("the answer of {host} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// Who was spoken to.
        host: String,
        /// What was allowed.
        limit_bytes: usize,
    },
}

impl HttpError {
    /// Whether the request may have arrived.
    pub const fn was_sent(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::ConnectTimeout { .. } | Self::Proxy { .. } | Self::Tls { .. } => {
                false
            }
            Self::Broken { was_sent, .. } => *was_sent,
            Self::Timeout { .. } | Self::TooLarge { .. } => true,
        }
    }

    /// What a person can do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Connect { .. } | Self::ConnectTimeout { .. } => {
                "Check the network, the base URL of the integration, and whether a proxy is needed (HTTPS_PROXY)."
            }
            Self::Proxy { .. } => "Check HTTPS_PROXY and NO_PROXY, and whether the proxy allows this host.",
            Self::Tls { .. } => {
                "Check the base URL and the clock; where a proxy opens TLS, name its certificate in SSL_CERT_FILE."
            }
            Self::Broken { .. } | Self::Timeout { .. } => {
                "Try again in a minute; if it stays, look at the network."
            }
            Self::TooLarge { .. } => "Check the base URL of the integration.",
        }
    }
}
