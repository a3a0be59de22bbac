//! What every error of the program can answer, whatever layer it comes from.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The kind of a failure. Retry policy, exit code and colour follow from it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The command line or a form field is wrong.
    Usage,
    /// Configuration, key file, or no integration yet.
    Config,
    /// The platform refuses the credentials.
    Auth,
    /// A scope or a right is missing.
    Permission,
    /// Too fast; worth trying again at the instant, where it is known.
    RateLimited {
        /// When a retry may go through.
        retry_at: Option<Timestamp>,
    },
    /// The month's calls are used up; retrying is useless.
    QuotaExhausted,
    /// The thing named does not exist.
    NotFound,
    /// Refused by a rule of larkdeck: read-only, held elsewhere, name taken.
    Refused,
    /// Done in part.
    Partial,
    /// No answer, or 5xx to the end of the retries.
    Offline,
    /// The platform answered with another error.
    Remote,
    /// The store failed.
    Storage,
    /// A mistake of larkdeck itself.
    Bug,
}

/// What to do next, for the person who reads the error.
pub type Hint = String;

/// An error of any layer.
pub trait Problem: std::error::Error {
    /// Its kind.
    fn kind(&self) -> Kind;
    /// What to do next.
    fn hint(&self) -> Option<Hint> {
        None
    }
    /// The platform's numeric code.
    fn code(&self) -> Option<i64> {
        None
    }
    /// The platform's log id of the request.
    fn log_id(&self) -> Option<&str> {
        None
    }
    /// Whether it failed only because the store is out of reach for a while: the same goes well once it is back.
    fn is_store_away(&self) -> bool {
        false
    }
    /// Scopes of which any one would have been enough.
    fn missing_scopes(&self) -> &[String] {
        &[]
    }
}

/// An error written down: what a screen, an operation log and a JSON line keep of it.
/// Texts may quote the platform: they are foreign until they are a `SafeText`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its kind.
    pub kind: Kind,
    /// What failed, on what, and why, with causes.
    pub message: String,
    /// What to do next.
    pub hint: Option<Hint>,
    /// The platform's numeric code.
    pub code: Option<i64>,
    /// The platform's log id.
    pub log_id: Option<String>,
    /// Scopes of which any one would have been enough.
    pub missing_scopes: Vec<String>,
    /// The store is out of reach for a while, and nothing else is wrong.
    #[serde(skip)]
    pub is_store_away: bool,
}

impl Fault {
    /// Writes `problem` down with the texts of its causes that it does not already contain.
    pub fn of(problem: &dyn Problem) -> Self {
        let mut message = problem.to_string();
        let mut cause = problem.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self {
            kind: problem.kind(),
            message,
            hint: problem.hint(),
            code: problem.code(),
            log_id: problem.log_id().map(str::to_owned),
            missing_scopes: problem.missing_scopes().to_vec(),
            is_store_away: problem.is_store_away(),
        }
    }

    /// A fault of larkdeck's own making, without a remote side.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            code: None,
            log_id: None,
            missing_scopes: Vec::new(),
            is_store_away: false,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Problem for Fault {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn hint(&self) -> Option<Hint> {
        self.hint.clone()
    }
    fn code(&self) -> Option<i64> {
        self.code
    }
    fn log_id(&self) -> Option<&str> {
        self.log_id.as_deref()
    }
    fn missing_scopes(&self) -> &[String] {
        &self.missing_scopes
    }
    fn is_store_away(&self) -> bool {
        self.is_store_away
    }
}
