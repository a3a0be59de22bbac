//! What can go wrong with the simulator itself.

use std::path::PathBuf;

use crate::core::error::{Hint, Kind, Problem};

/// A failure of the simulator, not one that it plays.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// As it was asked for.
        address: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The scenario file cannot be read.
    #[error("cannot read the scenario {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The scenario is not one.
    #[error("the scenario {name} is not valid")]
    Scenario {
        /// File or name.
        name: String,
        /// Where and why.
        source: toml::de::Error,
    },
    /// The scenario contradicts itself.
    #[error("the scenario does not fit together: {0}")]
    Unfit(String),
    /// A URL cannot be set: it did not answer its challenge.
    #[error("the URL {url} is not verified: {why}")]
    Unverified {
        /// The URL.
        url: String,
        /// What was wrong with its answer.
        why: String,
    },
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// A command to the running simulator names something that is not there.
    #[error("the simulator has no {what} {name}")]
    Unknown {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

impl Problem for SimError {
    fn kind(&self) -> Kind {
        match self {
            Self::Listen { .. } | Self::Output(_) => Kind::Storage,
            Self::Read { .. } | Self::Scenario { .. } | Self::Unfit(_) => Kind::Config,
            Self::Unknown { .. } => Kind::NotFound,
            Self::Unverified { .. } => Kind::Remote,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Listen { .. } => Some("Choose a free port, or 127.0.0.1:0 for any.".to_owned()),
            Self::Scenario { .. } | Self::Unfit(_) => {
                Some("The built-in scenarios `default` and `demo` show every key.".to_owned())
            }
            _ => None,
        }
    }
}
