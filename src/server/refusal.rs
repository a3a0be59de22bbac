//! Why a request to the Message Card Request URL is refused.

use crate::feishu::event::EventError;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $reason:literal $status:literal;)*) => {
        /// Why a request is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// All of them.
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable word, as metrics, the log and the answer have it.
            pub(super) const fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)* }
            }

            /// The status of the answer.
            pub(super) const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

refusals! {
    /// No integration with an app has this id.
    UnknownIntegration "unknown_integration" 404;
    /// Not JSON by its head.
    ContentType "content_type" 415;
    /// Larger than any event is.
    TooLarge "too_large" 413;
    /// The body did not come in time.
    TooSlow "too_slow" 408;
    /// The body broke off.
    Truncated "truncated" 400;
    /// No JSON, or no event.
    Malformed "malformed" 400;
    /// An Encrypt Key is set, and it is in the clear; or the other way round.
    Encryption "encryption" 401;
    /// It does not open with the Encrypt Key.
    Undecipherable "undecipherable" 401;
    /// There is no signature where one has to be.
    SignatureMissing "signature_missing" 401;
    /// The signature is not of these bytes by this key.
    SignatureWrong "signature_wrong" 401;
    /// The Verification Token is another.
    Token "token" 401;
    /// It could not be committed in time: the platform sends it again.
    StoreAway "store_away" 503;
}

impl Refusal {
    /// The refusal of what does not prove genuine or cannot be read.
    pub(super) const fn of(error: &EventError) -> Self {
        match error {
            EventError::Malformed(_) | EventError::Incomplete { .. } => Self::Malformed,
            EventError::Undecipherable => Self::Undecipherable,
            EventError::Encryption(_) => Self::Encryption,
            EventError::Signature(what) => match what.as_bytes() {
                b"missing" => Self::SignatureMissing,
                _ => Self::SignatureWrong,
            },
            EventError::Token => Self::Token,
        }
    }

    /// Whether the keys of larkdeck and of the platform may differ: then whoever set them up should know.
    pub(super) const fn may_be_setup(self) -> bool {
        matches!(
            self,
            Self::Encryption
                | Self::Undecipherable
                | Self::SignatureMissing
                | Self::SignatureWrong
                | Self::Token
        )
    }
}
