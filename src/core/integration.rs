//! Integrations: the connection of one app of an IM platform to this store.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    ids::{AppId, AppKey, IntegrationId, TenantKey},
    secret::Secret,
    time::Timestamp,
};

/// The IM platform of an integration. Only Feishu and Lark are spoken; the others take part in the rule
/// that one integration at most has War Room (R37).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImKind {
    /// Feishu, mainland China.
    Feishu,
    /// Lark, international.
    Lark,
    /// Dingtalk.
    Dingtalk,
    /// Slack.
    Slack,
    /// WeCom.
    Wecom,
}

impl ImKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Feishu, Self::Lark, Self::Dingtalk, Self::Slack, Self::Wecom];

    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feishu => "feishu",
            Self::Lark => "lark",
            Self::Dingtalk => "dingtalk",
            Self::Slack => "slack",
            Self::Wecom => "wecom",
        }
    }

    /// As people write it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Feishu => "Feishu",
            Self::Lark => "Lark",
            Self::Dingtalk => "Dingtalk",
            Self::Slack => "Slack",
            Self::Wecom => "WeCom",
        }
    }

    /// The open platform's base URL where larkdeck speaks it (`feishu/auth`, read 2026-05).
    pub const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::Feishu => Some("https://open.feishu.cn"),
            Self::Lark => Some("https://open.larksuite.com"),
            _ => None,
        }
    }
}

impl fmt::Display for ImKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ImKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            format!("{text:?} is not a kind of integration: feishu, lark, dingtalk, slack or wecom")
        })
    }
}

/// How events come in. A setting of the integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receive {
    /// The long connection alone.
    #[default]
    LongConnection,
    /// The Message Card Request URL alone.
    Webhook,
    /// Both at once.
    Both,
}

impl Receive {
    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LongConnection => "long_connection",
            Self::Webhook => "webhook",
            Self::Both => "both",
        }
    }
}

impl FromStr for Receive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::LongConnection, Self::Webhook, Self::Both]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a receive mode: long_connection, webhook or both"))
    }
}

/// An app and its address; present for Feishu and Lark only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCredentials {
    /// The app.
    pub key: AppKey,
    /// App Secret.
    pub app_secret: Secret,
    /// Encrypt Key; without one, events come in the clear and unsigned.
    pub encrypt_key: Option<Secret>,
    /// Verification Token.
    pub verification_token: Option<Secret>,
}

/// An integration as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    /// Never changes.
    pub id: IntegrationId,
    /// Unique in the store.
    pub name: String,
    /// The platform.
    pub kind: ImKind,
    /// Where larkdeck speaks the platform: the app.
    pub app: Option<AppSummary>,
    /// Whether War Room is on. At most one integration of the store has it (R37).
    pub war_room: bool,
    /// How events come in.
    pub receive: Receive,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What of an app is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSummary {
    /// The app.
    pub key: AppKey,
    /// The tenant, once the platform has told it.
    pub tenant: Option<TenantKey>,
    /// The app's own name on the platform, once it has told it. Foreign text.
    pub bot_name: Option<String>,
    /// The bot's own open_id, once known: how its own messages and mentions of it are recognised.
    pub bot_open_id: Option<String>,
    /// How the App Secret may be shown.
    pub app_secret_masked: String,
    /// How the Encrypt Key may be shown; `None` where there is none.
    pub encrypt_key_masked: Option<String>,
    /// How the Verification Token may be shown; `None` where there is none.
    pub verification_token_masked: Option<String>,
}

impl AppSummary {
    /// The app's id.
    pub const fn app_id(&self) -> &AppId {
        &self.key.app_id
    }
}

/// The three URLs of an integration (R20).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationUrls {
    /// Desktop and Mobile Homepage (R22).
    pub web_config_url: String,
    /// Redirect URL of the Security Settings (R29).
    pub redirect_url: String,
    /// Subscription Method of events and of callbacks (R23, R26).
    pub message_card_request_url: String,
}

impl IntegrationUrls {
    /// The URLs of integration `id` below `public_url`, which may carry a path prefix.
    pub fn new(public_url: &str, id: &IntegrationId) -> Self {
        let base = public_url.trim_end_matches('/');
        Self {
            web_config_url: format!("{base}/i/{id}/"),
            redirect_url: format!("{base}/i/{id}/redirect"),
            message_card_request_url: format!("{base}/i/{id}/event"),
        }
    }
}

/// A process that uses the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// OS user, or the configured name.
    pub user: String,
    /// Host name.
    pub host: String,
    /// Process id there.
    pub pid: u32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// State of an integration's live connection, as its holder last told the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum LiveState {
    /// Nobody holds it.
    Off,
    /// The holder is connecting.
    Connecting,
    /// Connected.
    Live,
    /// Lost; the next attempt is at the instant.
    Reconnecting {
        /// When the holder tries again.
        retry_at: Timestamp,
        /// What went wrong. Foreign text.
        reason: String,
    },
    /// The platform refuses it for good; tried again slowly.
    Refused {
        /// When the holder tries again.
        retry_at: Timestamp,
        /// What the platform said. Foreign text.
        reason: String,
    },
}

impl LiveState {
    /// The stable word of the state, as JSON and the store write it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Refused { .. } => "refused",
        }
    }
}

/// The live connection as every console sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Its state.
    pub state: LiveState,
    /// Who holds it.
    pub holder: Option<Holder>,
    /// When the state began.
    pub since_at: Option<Timestamp>,
    /// When the last event was committed.
    pub last_event_at: Option<Timestamp>,
    /// Which way it came.
    pub last_event_via: Option<super::message::Via>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            state: LiveState::Off,
            holder: None,
            since_at: None,
            last_event_at: None,
            last_event_via: None,
        }
    }
}
