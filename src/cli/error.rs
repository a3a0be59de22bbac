//! What a command can end with, and the exit code of it.

use std::io;

use crate::core::{
    error::{Fault, Kind, Problem},
    text::SafeText,
};

/// Why a command did not end well.
#[derive(Debug)]
pub enum CliError {
    /// Something failed; shown on stderr.
    Fault(Fault),
    /// What could be done was done and printed; the note on stderr says what remains.
    Partial(String),
    /// Nobody reads stdout any more: the command ends quietly.
    Closed,
    /// Ctrl-C at a prompt.
    Interrupted,
}

impl CliError {
    /// A fault of larkdeck's own making.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self::Fault(Fault::new(kind, message))
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Fault(fault) => Self::Fault(fault.with_hint(hint)),
            other => other,
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Fault(fault) => exit_code(fault.kind),
            Self::Partial(_) => 7,
            Self::Closed => 0,
            Self::Interrupted => 130,
        }
    }

    /// Writes it for a person.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Self::Fault(fault) => write_fault(out, fault),
            Self::Partial(note) => writeln!(out, "larkdeck: {}", SafeText::line(note)),
            Self::Closed | Self::Interrupted => Ok(()),
        }
    }
}

impl<P: Problem> From<P> for CliError {
    fn from(problem: P) -> Self {
        Self::Fault(Fault::of(&problem))
    }
}

/// The exit code of a kind of failure.
pub const fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Remote | Kind::Storage | Kind::Bug => 1,
        Kind::Usage => 2,
        Kind::Config => 3,
        Kind::Auth | Kind::Permission => 4,
        Kind::RateLimited { .. } | Kind::QuotaExhausted => 5,
        Kind::NotFound => 6,
        Kind::Partial => 7,
        Kind::Offline => 8,
        Kind::Refused => 9,
    }
}

fn write_fault(out: &mut dyn io::Write, fault: &Fault) -> io::Result<()> {
    let mut facts = Vec::new();
    if let Some(code) = fault.code.filter(|code| !fault.message.contains(&code.to_string())) {
        facts.push(format!("code {code}"));
    }
    if let Some(log_id) = fault.log_id.as_ref().filter(|id| !fault.message.contains(id.as_str())) {
        facts.push(format!("log id {log_id}"));
    }
    let scopes = fault.missing_scopes.join(" or ");
    if !scopes.is_empty() && !fault.message.contains(scopes.as_str()) {
        facts.push(format!("missing scope {scopes}"));
    }
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    writeln!(out, "larkdeck: {}{}", SafeText::line(&fault.message), SafeText::line(&facts))?;
    if let Some(hint) = &fault.hint {
        for line in SafeText::block(hint).as_str().lines() {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_promised_codes() {
        let codes = [
            (Kind::Remote, 1),
            (Kind::Usage, 2),
            (Kind::Config, 3),
            (Kind::Auth, 4),
            (Kind::Permission, 4),
            (Kind::RateLimited { retry_at: None }, 5),
            (Kind::QuotaExhausted, 5),
            (Kind::NotFound, 6),
            (Kind::Partial, 7),
            (Kind::Offline, 8),
            (Kind::Refused, 9),
        ];
        for (kind, code) in codes {
            assert_eq!(exit_code(kind), code, "{kind:?}");
        }
    }

    #[test]
    fn errors_are_safe_and_complete() {
        let mut fault =
            Fault::new(Kind::Permission, "cannot send to \u{1b}[2Jops").with_hint("Grant it.\nThen retry.");
        fault.code = Some(99991672);
        fault.log_id = Some("2026x".into());
        fault.missing_scopes = vec!["im:message".into(), "im:message:send_as_bot".into()];
        let mut out = Vec::new();
        CliError::Fault(fault).write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "larkdeck: cannot send to ␛[2Jops (code 99991672, log id 2026x, missing scope im:message or \
             im:message:send_as_bot)\n  Grant it.\n  Then retry.\n"
        );
    }
}
