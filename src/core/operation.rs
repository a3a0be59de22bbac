//! The operation log: who did what to what, and what came of it (B12).

use serde::{Deserialize, Serialize};

use super::{error::Fault, ids::Seq, integration::Holder, time::Timestamp};

/// What came of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationResult {
    /// Done.
    Ok,
    /// Tried and failed.
    Failed,
    /// Not tried: a rule forbids it.
    Refused,
}

impl OperationResult {
    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// An operation that is about to be written to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOperation {
    /// Stable dotted verb: `member.link`, `room.send`, `integration.add` …
    pub operation: &'static str,
    /// What it was done to: an id or a name. Foreign text.
    pub target: String,
    /// What came of it.
    pub result: OperationResult,
    /// The platform's code.
    pub code: Option<i64>,
    /// The platform's log id.
    pub log_id: Option<String>,
    /// Why, in a sentence. Foreign text.
    pub reason: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl NewOperation {
    /// An operation that went well.
    pub fn ok(operation: &'static str, target: impl Into<String>) -> Self {
        Self {
            operation,
            target: target.into(),
            result: OperationResult::Ok,
            code: None,
            log_id: None,
            reason: None,
            hint: None,
        }
    }

    /// An operation that failed, or was refused where the fault says so.
    pub fn failed(operation: &'static str, target: impl Into<String>, fault: &Fault) -> Self {
        let refused = matches!(fault.kind, super::error::Kind::Refused);
        Self {
            result: if refused { OperationResult::Refused } else { OperationResult::Failed },
            code: fault.code,
            log_id: fault.log_id.clone(),
            reason: Some(fault.message.clone()),
            hint: fault.hint.clone(),
            ..Self::ok(operation, target)
        }
    }
}

/// A row of the operation log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Number in the feed.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub author: Holder,
    /// Stable dotted verb.
    pub operation: String,
    /// What it was done to.
    pub target: String,
    /// What came of it.
    pub result: OperationResult,
    /// The platform's code.
    pub code: Option<i64>,
    /// The platform's log id.
    pub log_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}
