//! Identifiers, one type each. A value is always short, printable ASCII: safe to show and to log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Longest identifier that is accepted, in bytes. The platform's are under 64.
const MAX_BYTES: usize = 128;

/// Why a string is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {reason}")]
pub struct InvalidId {
    what: &'static str,
    reason: &'static str,
}

fn check(what: &'static str, prefix: &'static str, value: &str) -> Result<(), InvalidId> {
    let refuse = |reason| Err(InvalidId { what, reason });
    if value.is_empty() {
        return refuse("it is empty");
    }
    if value.len() > MAX_BYTES {
        return refuse("it is longer than 128 bytes");
    }
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse("it has a space, a control or a non-ASCII character");
    }
    if !value.starts_with(prefix) {
        return refuse("it does not begin with the prefix of its kind");
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// The identifier as the platform writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(value: &str) -> Result<Self, InvalidId> {
                check($what, $prefix, value).map(|()| Self(value.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(value: String) -> Result<Self, InvalidId> {
                check($what, $prefix, &value).map(|()| Self(value.into_boxed_str()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.try_into().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(/// A person or a bot as one app knows it (`ou_…`).
    OpenId, "open_id", "");
id!(/// A chat (`oc_…`).
    ChatId, "chat_id", "");
id!(/// A message (`om_…`).
    MessageId, "message_id", "");
id!(/// A thread inside a chat (`omt_…`).
    ThreadId, "thread_id", "");
id!(/// A custom app (`cli_…`).
    AppId, "App ID", "cli_");
id!(/// A tenant, the platform's word for an organisation.
    TenantKey, "tenant_key", "");
id!(/// An integration of this store. Made once, never changed; part of its URLs and of its sealed secrets.
    IntegrationId, "integration id", "");
id!(/// A team member of this store.
    MemberId, "member id", "");

/// The order in which the store learned of something. Starts at 1; 0 is "before everything".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The app on its platform: what rate limits, the lease and the long connection hang on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppKey {
    /// Scheme, host and port of the open platform, without a trailing slash.
    pub base_url: Box<str>,
    /// The app there.
    pub app_id: AppId,
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.app_id, self.base_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_what_they_were_given() {
        let id: ChatId = "oc_1".parse().unwrap();
        assert_eq!(id.to_string(), "oc_1");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"oc_1\"");
        assert_eq!(serde_json::from_str::<ChatId>("\"oc_1\"").unwrap(), id);
    }

    #[test]
    fn ids_refuse_what_could_harm_a_terminal() {
        for bad in ["", "a b", "a\u{1b}[2J", "中", &"x".repeat(129)] {
            assert!(bad.parse::<ChatId>().is_err(), "{bad:?}");
        }
        assert!("xyz_1".parse::<AppId>().is_err());
    }
}
