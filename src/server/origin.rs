//! Whom a request comes from: the other end of the connection, or whom a trusted proxy names.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// Whom a request comes from. An extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The client's address.
    pub(super) address: IpAddr,
    /// Whether the client speaks TLS, to us or to the proxy.
    pub(super) is_https: bool,
}

impl Origin {
    /// The same, as a proxy that is trusted tells it. Of several addresses the last counts: that is the one
    /// the proxy itself saw, whatever the client wrote before it.
    pub(super) fn forwarded(self, headers: &HeaderMap) -> Self {
        let last = |name: &str| {
            let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
            value.rsplit(',').next().map(str::trim)
        };
        Self {
            address: last("x-forwarded-for").and_then(|text| text.parse().ok()).unwrap_or(self.address),
            is_https: last("x-forwarded-proto")
                .map_or(self.is_https, |proto| proto.eq_ignore_ascii_case("https")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_names_the_client_it_saw() {
        let direct = Origin { address: [127, 0, 0, 1].into(), is_https: false };
        let mut headers = HeaderMap::new();
        assert_eq!(direct.forwarded(&headers), direct);
        headers.append("x-forwarded-for", "6.6.6.6, 10.0.0.7".parse().unwrap());
        headers.append("x-forwarded-proto", "https".parse().unwrap());
        let told = direct.forwarded(&headers);
        assert_eq!((told.address, told.is_https), ([10, 0, 0, 7].into(), true));
        headers.append("x-forwarded-for", "unknown".parse().unwrap());
        assert_eq!(direct.forwarded(&headers).address, direct.address);
    }
}
