//! The signals that end a command.

use tokio::signal::unix::{SignalKind, signal};

/// A signal that ends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Ctrl-C.
    Interrupt,
    /// `kill`.
    Terminate,
}

impl Ending {
    /// The exit code, as shells count it.
    pub(super) const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Waits for the first of them. A second one of the same kind ends the process where it stands.
pub(super) async fn first() -> Ending {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the system's own ending of the process stands.
        return std::future::pending().await;
    };
    let ending = tokio::select! {
        _ = interrupt.recv() => Ending::Interrupt,
        _ = terminate.recv() => Ending::Terminate,
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(i32::from(ending.exit_code()));
    });
    ending
}
