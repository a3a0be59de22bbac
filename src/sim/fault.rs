//! What goes wrong on purpose.

use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// What a fault does to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FaultKind {
    /// The answer takes longer.
    Slow {
        /// By so much.
        ms: u64,
    },
    /// No answer at all; the connection stays open.
    Hang,
    /// The connection closes before the call is looked at.
    Drop,
    /// The call is carried out, and the connection closes before the answer.
    LoseAnswer,
    /// The call is carried out, and the connection closes in the middle of the answer.
    CutAnswer,
    /// The call is carried out, and half of its JSON comes as if it were all; of a push, half of each frame.
    HalfJson,
    /// A web page of a proxy instead of JSON.
    Html {
        /// Its HTTP status.
        status: u16,
    },
    /// A gateway's failure with a JSON body.
    Status {
        /// Its HTTP status.
        status: u16,
    },
    /// A refusal with this code.
    Code {
        /// HTTP status.
        status: u16,
        /// The platform's code.
        code: i64,
    },
    /// A refusal with this code in these words.
    Says {
        /// HTTP status.
        status: u16,
        /// The platform's code.
        code: i64,
        /// Its text.
        msg: String,
    },
    /// The rate limit is hit.
    TooFast {
        /// Seconds to wait, in `x-ogw-ratelimit-reset`.
        reset_s: u64,
        /// HTTP status; none: 429. Some endpoints answer 400.
        status: Option<u16>,
    },
    /// All tokens become invalid, then the call is looked at.
    RevokeToken,
    /// A push comes twice. (Of the others, `slow`, `drop`, `lose_answer` and `half_json` strike pushes too.)
    Repeat,
    /// A push is held back until another one has been answered.
    Overtaken,
    /// The long connection is refused at its handshake.
    RefuseHandshake {
        /// `Handshake-Status`.
        status: u16,
        /// `Handshake-Autherrcode`.
        auth_code: Option<i64>,
    },
}

/// A fault: what, where, how often.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Endpoint it happens to, as the counters name them; `*`: every one; a `*` at the end: all that begin so.
    /// Pushes are named `push.EVENT_TYPE`, and only a name that begins with `push.` strikes them.
    pub on: String,
    /// Share of the calls, 0 to 1.
    pub share: f64,
    /// How many times at most; none: for ever.
    pub times: Option<u32>,
    /// Begins so many seconds after the start.
    pub after_s: f64,
    /// Lasts so many seconds; none: for ever.
    pub for_s: Option<f64>,
}

impl Default for Fault {
    fn default() -> Self {
        Self::on("*", FaultKind::Drop)
    }
}

impl Fault {
    /// `kind`, on every call of an endpoint, for ever.
    pub fn on(endpoint: impl Into<String>, kind: FaultKind) -> Self {
        Self { kind, on: endpoint.into(), share: 1.0, times: None, after_s: 0.0, for_s: None }
    }

    /// The same, but so many times only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same, but on so large a share of the calls.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    fn fits(&self, endpoint: &str, running_s: f64) -> bool {
        let here = match self.on.strip_suffix('*') {
            Some(prefix) => endpoint.starts_with(prefix),
            None => self.on == endpoint,
        };
        here && self.times != Some(0)
            && running_s >= self.after_s
            && self.for_s.is_none_or(|lasts| running_s < self.after_s + lasts)
    }
}

/// The first fault that strikes the push `name`.
pub(super) fn strike_push(
    faults: &mut [Fault],
    name: &str,
    running_s: f64,
    dice: &mut Dice,
) -> Option<FaultKind> {
    strike_of(faults.iter_mut().filter(|fault| fault.on.starts_with("push.")), name, running_s, dice)
}

/// The first fault that strikes a call of `endpoint`, `running_s` seconds after the start.
pub(super) fn strike(
    faults: &mut [Fault],
    endpoint: &str,
    running_s: f64,
    dice: &mut Dice,
) -> Option<FaultKind> {
    strike_of(faults.iter_mut(), endpoint, running_s, dice)
}

fn strike_of<'a>(
    faults: impl Iterator<Item = &'a mut Fault>,
    endpoint: &str,
    running_s: f64,
    dice: &mut Dice,
) -> Option<FaultKind> {
    for fault in faults {
        if fault.fits(endpoint, running_s) && (fault.share >= 1.0 || dice.happens(fault.share)) {
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            return Some(fault.kind.clone());
        }
    }
    None
}
