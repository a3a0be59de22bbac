//! The console's screen: owns the terminal, turns keys into events and the model into cells.
//!
//! [`run`] is the loop. It sleeps until something happens, lets `app` decide, and draws when the model
//! changed: keys at once, news from the network at a capped rate. An idle console writes nothing.

pub mod canvas;
pub mod clipboard;
pub mod encode;
pub mod event_loop;
mod glyph;
pub mod hangup;
pub mod input;
pub mod link;
pub mod pacer;
pub mod picture;
pub mod screen;
pub mod shift;
pub mod term;
pub mod theme;
pub mod view;
pub mod widget;

pub use event_loop::{Ending, TuiOptions, run};

use crate::core::error::{Kind, Problem};

/// What can go wrong with the terminal.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Standard input or output is no terminal.
    #[error("the console needs a terminal, and {0} is none")]
    NoTerminal(&'static str),
    /// The terminal refused something.
    #[error("cannot {what}")]
    Terminal {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A theme file is wrong.
    #[error(transparent)]
    Theme(#[from] theme::ThemeError),
}

impl Problem for TuiError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoTerminal(_) => Kind::Usage,
            Self::Terminal { .. } => Kind::Storage,
            Self::Theme(_) => Kind::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoTerminal(_) => {
                Some("Run it in a terminal; for scripts there are the commands: larkdeck --help.".to_owned())
            }
            Self::Theme(error) => error.hint(),
            Self::Terminal { .. } => None,
        }
    }
}

#[cfg(test)]
mod console_test;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod snapshot;
