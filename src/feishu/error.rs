//! What can go wrong between larkdeck and the platform.

use std::fmt;

use crate::core::{
    error::{Hint, Kind, Problem},
    ids::AppKey,
    permit::Denied,
    time::Timestamp,
};

use super::{
    code::{Verdict, advice, verdict},
    endpoint::EndpointSpec,
    http::HttpError,
};

const IN_TROUBLE: &str = "The platform is in trouble: try again in a minute.";

/// An answer of the platform that is not success. Its texts are the platform's: foreign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The endpoint's stable name.
    pub endpoint: &'static str,
    /// What could not be done.
    pub action: &'static str,
    /// Which app asked, and where.
    pub app: AppKey,
    /// HTTP status.
    pub status: u16,
    /// The platform's code.
    pub code: i64,
    /// The platform's words.
    pub message: String,
    /// The fields it complains of: `name: why`.
    pub fields: Vec<String>,
    /// The platform's log id.
    pub log_id: Option<String>,
    /// Scopes of which any one would have been enough.
    pub missing_scopes: Vec<String>,
    /// Refused for speed: when it may go through.
    pub retry_at: Option<Timestamp>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.action)?;
        match (self.missing_scopes.as_slice(), self.message.is_empty()) {
            ([], true) => write!(f, "the platform refused")?,
            ([], false) => f.write_str(&self.message)?,
            ([one], _) => write!(f, "app lacks {one}")?,
            (many, _) => write!(f, "app lacks one of {}", many.join(", "))?,
        }
        for field in &self.fields {
            write!(f, "; {field}")?;
        }
        write!(f, " (code {}", self.code)?;
        if let Some(log_id) = &self.log_id {
            write!(f, ", log {log_id}")?;
        }
        f.write_str(")")
    }
}

/// What can go wrong between larkdeck and the platform.
#[derive(Debug, thiserror::Error)]
pub enum FeishuError {
    /// No permit: a limit, the month or the store.
    #[error("cannot {action}: {source}")]
    Denied {
        /// What could not be done.
        action: &'static str,
        /// Why there is no permit.
        source: Denied,
    },
    /// The platform answered with a code other than 0.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No answer came.
    #[error("cannot {action}: {source}")]
    Offline {
        /// What could not be done.
        action: &'static str,
        /// How the connection failed.
        source: HttpError,
    },
    /// The platform, or something in front of it, answered 5xx to the end of the retries, without a code.
    #[error("cannot {action}: the server answered HTTP {status}{}", log(.log_id))]
    ServerError {
        /// What could not be done.
        action: &'static str,
        /// HTTP status.
        status: u16,
        /// The platform's log id.
        log_id: Option<String>,
    },
    /// The answer is not what the platform speaks: a proxy's page, a wrong base URL, a cut body.
    #[error("cannot {action}: HTTP {status} from {host} is not an answer of the platform ({reason}){}", log(.log_id))]
    NotPlatform {
        /// What could not be done.
        action: &'static str,
        /// Who answered.
        host: String,
        /// HTTP status.
        status: u16,
        /// What is wrong with the body. Foreign text where it quotes it.
        reason: String,
        /// The platform's log id.
        log_id: Option<String>,
    },
    /// The base URL or a proxy's address cannot be used.
    #[error("{0}")]
    Address(String),
    /// The call cannot be made as asked: too many ids, a bad length.
    #[error("cannot {action}: {reason}")]
    Usage {
        /// What could not be done.
        action: &'static str,
        /// Why not.
        reason: String,
    },
}

fn log(log_id: &Option<String>) -> String {
    log_id.as_ref().map(|id| format!(" (log {id})")).unwrap_or_default()
}

impl FeishuError {
    pub(super) const fn usage(spec: &EndpointSpec, reason: String) -> Self {
        Self::Usage { action: spec.action, reason }
    }

    /// Whether the platform can have done what was asked although no success came back.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Offline { source, .. } => source.was_sent(),
            Self::ServerError { .. } => true,
            Self::NotPlatform { status, .. } => *status < 400 || *status >= 500,
            Self::Refused(refusal) => refusal.status >= 500 || verdict(refusal.code) == Verdict::Internal,
            Self::Denied { .. } | Self::Address(_) | Self::Usage { .. } => false,
        }
    }
}

impl Problem for FeishuError {
    fn kind(&self) -> Kind {
        match self {
            Self::Denied { source, .. } => source.kind(),
            Self::Refused(refusal) => refusal.kind(),
            Self::Offline { .. } | Self::ServerError { .. } => Kind::Offline,
            Self::NotPlatform { .. } => Kind::Remote,
            Self::Address(_) => Kind::Config,
            Self::Usage { .. } => Kind::Bug,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Denied { source, .. } => source.hint(),
            Self::Refused(refusal) => refusal.hint(),
            Self::Offline { source, .. } => Some(source.advice().to_owned()),
            Self::ServerError { .. } => Some(IN_TROUBLE.to_owned()),
            Self::NotPlatform { .. } => Some(
                "Check the base URL of the integration and the proxy settings (HTTPS_PROXY, NO_PROXY)."
                    .to_owned(),
            ),
            Self::Address(_) | Self::Usage { .. } => None,
        }
    }

    fn code(&self) -> Option<i64> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }

    fn log_id(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.log_id.as_deref(),
            Self::ServerError { log_id, .. } | Self::NotPlatform { log_id, .. } => log_id.as_deref(),
            _ => None,
        }
    }

    fn missing_scopes(&self) -> &[String] {
        match self {
            Self::Refused(refusal) => &refusal.missing_scopes,
            _ => &[],
        }
    }
}

impl Refusal {
    fn kind(&self) -> Kind {
        match verdict(self.code) {
            Verdict::Limited(_) => Kind::RateLimited { retry_at: self.retry_at },
            Verdict::Exhausted => Kind::QuotaExhausted,
            Verdict::Token | Verdict::Credentials => Kind::Auth,
            // Invalid parameter, which this one endpoint says of an App ID that is none.
            Verdict::Final if self.endpoint == "auth.tenant_token" => Kind::Auth,
            Verdict::Permission => Kind::Permission,
            Verdict::NotFound => Kind::NotFound,
            Verdict::Busy | Verdict::Internal | Verdict::Final if self.status >= 500 => Kind::Offline,
            Verdict::Busy | Verdict::Internal | Verdict::Final => Kind::Remote,
        }
    }

    fn hint(&self) -> Option<Hint> {
        if let Some(scope) = self.missing_scopes.first() {
            return Some(format!(
                "Ask an admin to grant {scope}: {}/page/scope-apply?clientID={}&scopes={scope}",
                self.app.base_url, self.app.app_id
            ));
        }
        match self.kind() {
            Kind::Auth => Some(format!(
                "Check App ID and App Secret of {}. Feishu apps live on open.feishu.cn, Lark apps on \
                 open.larksuite.com: one does not know the other's.",
                self.app
            )),
            Kind::RateLimited { .. } => {
                Some("Wait, or look at the quota pane for what uses the limit.".to_owned())
            }
            Kind::QuotaExhausted => Some(
                "The month's calls are used up until the 1st: ask the tenant's admin for a larger plan."
                    .to_owned(),
            ),
            Kind::Offline => Some(advice(self.code).unwrap_or(IN_TROUBLE).to_owned()),
            _ => advice(self.code).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: i64, scopes: &[&str]) -> FeishuError {
        FeishuError::Refused(Box::new(Refusal {
            endpoint: "im.message.create",
            action: "send the message",
            app: AppKey {
                base_url: "https://open.larksuite.com".into(),
                app_id: "cli_a000000000000001".parse().unwrap(),
            },
            status: 400,
            code,
            message: "no".into(),
            fields: vec![],
            log_id: Some("2026".into()),
            missing_scopes: scopes.iter().map(|&s| s.to_owned()).collect(),
            retry_at: None,
        }))
    }

    #[test]
    fn a_missing_scope_names_the_link_of_the_right_host() {
        let error = refusal(99_991_672, &["im:message"]);
        assert_eq!(error.kind(), Kind::Permission);
        assert_eq!(
            error.to_string(),
            "cannot send the message: app lacks im:message (code 99991672, log 2026)"
        );
        assert_eq!(
            error.hint().unwrap(),
            "Ask an admin to grant im:message: https://open.larksuite.com/page/scope-apply?clientID=cli_a000000000000001&scopes=im:message"
        );
    }

    #[test]
    fn the_month_and_the_second_are_different_things() {
        assert_eq!(refusal(99_991_403, &[]).kind(), Kind::QuotaExhausted);
        assert_eq!(refusal(99_991_400, &[]).kind(), Kind::RateLimited { retry_at: None });
        assert_eq!(refusal(230_020, &[]).kind(), Kind::RateLimited { retry_at: None });
        assert_eq!(refusal(10_015, &[]).kind(), Kind::Auth);
        assert_eq!(refusal(230_110, &[]).kind(), Kind::NotFound);
    }
}
