//! Which proxy stands between us and a host, by the environment's customary variables.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use url::Url;

use crate::core::secret::Secret;

use super::error::FeishuError;

/// A proxy for HTTP and for tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether the way to the proxy itself is encrypted.
    pub(super) is_secure: bool,
    /// The value of `Proxy-Authorization`.
    pub(super) authorization: Option<Secret>,
}

/// The proxies of the environment and the hosts that are reached without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Proxies {
    for_http: Option<Proxy>,
    for_https: Option<Proxy>,
    without: Vec<Exception>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    /// A name and everything below it, perhaps one port only.
    Name(String, Option<u16>),
    /// Addresses whose first bits are these.
    Net(IpAddr, u8),
}

impl Proxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; the lower-case names win.
    pub(super) fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, FeishuError> {
        let read = |name: &str| {
            let found = [name.to_ascii_lowercase(), name.to_owned()].into_iter().find_map(|name| {
                let value = var(&name)?.trim().to_owned();
                (!value.is_empty()).then_some((name, value))
            });
            found.map(|(name, value)| Proxy::parse(&name, &value)).transpose()
        };
        let for_all = read("ALL_PROXY")?;
        let without = var("no_proxy").or_else(|| var("NO_PROXY")).unwrap_or_default();
        Ok(Self {
            for_http: read("HTTP_PROXY")?.or_else(|| for_all.clone()),
            for_https: read("HTTPS_PROXY")?.or(for_all),
            without: without.split([',', ' ']).filter_map(Exception::parse).collect(),
        })
    }

    /// The proxy on the way to `host`, which has no brackets.
    pub(super) fn of(&self, is_secure: bool, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = if is_secure { &self.for_https } else { &self.for_http };
        proxy.as_ref().filter(|_| !self.without.iter().any(|exception| exception.matches(host, port)))
    }
}

impl Proxy {
    fn parse(name: &str, value: &str) -> Result<Self, FeishuError> {
        // The value may hold a password: it is never quoted.
        let refuse = |why: &str| Err(FeishuError::Address(format!("{name} cannot be used: {why}")));
        let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let Ok(url) = Url::parse(&with_scheme) else { return refuse("it is not an address") };
        let is_secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return refuse("only http and https proxies are spoken"),
        };
        let Some(host) = url.host_str() else { return refuse("it names no host") };
        let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let mut pair = decode_percent(url.username());
            pair.push(b':');
            pair.extend(decode_percent(url.password().unwrap_or_default()));
            Secret::new(format!("Basic {}", STANDARD.encode(pair)))
        });
        Ok(Self {
            host: bare(host).to_owned(),
            port: url.port().unwrap_or(if is_secure { 443 } else { 3128 }),
            is_secure,
            authorization,
        })
    }

    /// `host:port`.
    pub(super) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The proxy as reqwest wants it. The password travels beside the address and not in it: addresses
    /// stand in errors.
    pub(super) fn for_requests(&self) -> reqwest::Result<reqwest::Proxy> {
        let scheme = if self.is_secure { "https" } else { "http" };
        let proxy = reqwest::Proxy::all(format!("{scheme}://{}", self.address()))?;
        let value = self.authorization.as_ref().map(|secret| HeaderValue::from_str(secret.reveal()));
        Ok(match value {
            Some(Ok(mut value)) => {
                value.set_sensitive(true);
                proxy.custom_http_auth(value)
            }
            _ => proxy,
        })
    }
}

/// A host as sockets want it: without the brackets of an IPv6 address in a URL.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn decode_percent(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let code =
            (byte == b'%').then(|| hex(ahead.next()?)?.checked_mul(16)?.checked_add(hex(ahead.next()?)?));
        match code.flatten() {
            Some(code) => {
                out.push(code);
                bytes = ahead;
            }
            None => out.push(byte),
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Self::Everything);
        }
        if let Some((net, bits)) = text.split_once('/') {
            return Some(Self::Net(bare(net).parse().ok()?, bits.parse().ok()?));
        }
        if let Ok(address) = bare(text).parse::<IpAddr>() {
            return Some(Self::Net(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let name = name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
        Some(Self::Name(name.to_ascii_lowercase(), port))
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Name(name, only) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let is_below = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                is_below && only.is_none_or(|only| only == port)
            }
            Self::Net(net, bits) => match (host.parse(), net) {
                (Ok(IpAddr::V4(host)), IpAddr::V4(net)) => {
                    let shift = 32u32.saturating_sub(u32::from(*bits));
                    u32::from(host).checked_shr(shift) == u32::from(*net).checked_shr(shift)
                }
                (Ok(IpAddr::V6(host)), IpAddr::V6(net)) => {
                    let shift = 128u32.saturating_sub(u32::from(*bits));
                    u128::from(host).checked_shr(shift) == u128::from(*net).checked_shr(shift)
                }
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Proxies {
        Proxies::from_vars(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned()))
            .unwrap()
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        let proxies =
            proxies(&[("HTTPS_PROXY", "http://u%40x:p%3A1@proxy:8080"), ("http_proxy", "plain:3128")]);
        let secure = proxies.of(true, "open.feishu.cn", 443).unwrap();
        assert_eq!((secure.host.as_str(), secure.port), ("proxy", 8080));
        let authorization = secure.authorization.as_ref().unwrap().reveal().to_owned();
        assert_eq!(authorization, format!("Basic {}", STANDARD.encode("u@x:p:1")));
        assert_eq!(proxies.of(false, "127.0.0.1", 1).unwrap().host, "plain");
        assert!(!format!("{secure:?}").contains(&authorization));
    }

    #[test]
    fn exceptions_go_direct() {
        let no = ".feishu.cn, 10.0.0.0/8,127.0.0.1,[::1],only.test:8443";
        let proxies = proxies(&[("ALL_PROXY", "http://proxy"), ("NO_PROXY", no)]);
        for (host, port, is_proxied) in [
            ("open.feishu.cn", 443, false),
            ("feishu.cn", 443, false),
            ("notfeishu.cn", 443, true),
            ("10.9.8.7", 80, false),
            ("11.0.0.1", 80, true),
            ("127.0.0.1", 80, false),
            ("::1", 80, false),
            ("only.test", 8443, false),
            ("only.test", 443, true),
        ] {
            assert_eq!(proxies.of(true, host, port).is_some(), is_proxied, "{host}:{port}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_quoted() {
        for bad in ["socks5://user:hunter2@x", "http://user:hunter2@[", "http://"] {
            let error =
                Proxies::from_vars(|name| (name == "HTTPS_PROXY").then(|| bad.to_owned())).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(proxies(&[("HTTPS_PROXY", " "), ("NO_PROXY", "*")]), proxies(&[("no_proxy", "*")]));
    }
}
