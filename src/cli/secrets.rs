//! Secrets for the command line: from a file, stdin, the environment, or a prompt that shows nothing; never argv.

use std::{
    fs::{File, OpenOptions},
    io::{IsTerminal as _, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr},
};
use tokio_util::sync::CancellationToken;

use super::{args::SecretArgs, error::CliError, output::note};
use crate::core::{error::Kind, secret::Secret};

/// Longest secret that is read, in bytes.
const MAX_BYTES: usize = 4096;

/// The three secrets of an app, as far as they were given.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) app_secret: Option<Secret>,
    pub(super) encrypt_key: Option<Secret>,
    pub(super) verification_token: Option<Secret>,
}

/// Reads the secrets that were given; does not ask for those that were not.
pub(super) fn given(
    args: &SecretArgs,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Given, CliError> {
    let files = [&args.app_secret_file, &args.encrypt_key_file, &args.verification_token_file];
    if files.iter().filter(|file| file.as_deref() == Some(Path::new("-"))).count() > 1 {
        return Err(CliError::new(Kind::Usage, "only one secret can come from stdin"));
    }
    let read = |file: &Option<std::path::PathBuf>, variable: &str| match file {
        Some(file) => from_file(file).map(Some),
        None => Ok(environment(variable).map(Secret::new).filter(|secret| !secret.is_empty())),
    };
    Ok(Given {
        app_secret: read(&args.app_secret_file, "LARKDECK_APP_SECRET")?,
        encrypt_key: read(&args.encrypt_key_file, "LARKDECK_ENCRYPT_KEY")?,
        verification_token: read(&args.verification_token_file, "LARKDECK_VERIFICATION_TOKEN")?,
    })
}

fn from_file(path: &Path) -> Result<Secret, CliError> {
    let fail = |error: std::io::Error| {
        CliError::new(Kind::Usage, format!("cannot read the secret from {}: {error}", path.display()))
    };
    let mut text = String::new();
    let limit = MAX_BYTES as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_string(&mut text).map_err(fail)?;
    } else {
        let file = File::open(path).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        if meta.is_file() && meta.permissions().mode() & 0o044 != 0 {
            note(&format!("others can read {}: chmod 600 {0}", path.display()));
        }
        file.take(limit).read_to_string(&mut text).map_err(fail)?;
    }
    let secret = checked(text);
    secret
        .map_err(|reason| CliError::new(Kind::Usage, format!("the secret from {} {reason}", path.display())))
}

fn checked(text: String) -> Result<Secret, &'static str> {
    if text.len() > MAX_BYTES {
        return Err("is longer than 4096 bytes");
    }
    let secret = Secret::new(text);
    if secret.is_empty() {
        return Err("is empty");
    }
    if secret.reveal().contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err("has a line break, a space or a control character in it");
    }
    Ok(secret)
}

/// Whether a person sits there who can be asked.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a secret on the terminal without showing it. `None`: nothing was typed.
///
/// Blocks: call it where blocking is allowed. The terminal is as before when this returns, also after `cancel`.
pub(super) fn ask(label: &str, cancel: &CancellationToken) -> Result<Option<Secret>, CliError> {
    let fail =
        |error: std::io::Error| CliError::new(Kind::Usage, format!("cannot ask for the {label}: {error}"));
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(fail)?;
    // First quiet, then the question: what is typed after it is neither shown nor thrown away.
    let quiet = Quiet::new(&tty).map_err(|error| fail(error.into()))?;
    let typed = write!(&tty, "{label}: ").map_err(fail).and_then(|()| read_typed(&tty, cancel));
    drop(quiet);
    writeln!(&tty).map_err(fail)?;
    let typed = typed?;
    if typed.is_empty() {
        return Ok(None);
    }
    checked(typed).map(Some).map_err(|reason| CliError::new(Kind::Usage, format!("the {label} {reason}")))
}

fn read_typed(mut tty: &File, cancel: &CancellationToken) -> Result<String, CliError> {
    let mut typed: Vec<u8> = Vec::new();
    let patience = rustix::time::Timespec::try_from(Duration::from_millis(200)).ok();
    loop {
        if cancel.is_cancelled() {
            return Err(CliError::Interrupted);
        }
        let ready = poll(&mut [PollFd::new(tty, PollFlags::IN)], patience.as_ref()).unwrap_or(0);
        let mut byte = [0u8; 1];
        if ready == 0 {
            continue;
        }
        if tty.read(&mut byte).unwrap_or(0) == 0 {
            return Err(CliError::Interrupted);
        }
        match byte {
            [b'\r' | b'\n' | 4] => break,
            [3] => return Err(CliError::Interrupted),
            [0x15] => typed.clear(),
            [8 | 0x7f] => {
                // The last character, which may be several bytes.
                while typed.pop().is_some_and(|b| b & 0xc0 == 0x80) {}
            }
            [byte] if typed.len() <= MAX_BYTES => typed.push(byte),
            _ => {}
        }
    }
    String::from_utf8(typed).map_err(|_| CliError::new(Kind::Usage, "what was typed is not UTF-8"))
}

/// A terminal that neither shows what is typed nor turns Ctrl-C into a signal; restored on drop.
struct Quiet<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(tty: &'a File) -> Result<Self, rustix::io::Errno> {
        let before = tcgetattr(tty)?;
        let mut quiet = before.clone();
        // Ctrl-C has to come here as a byte: a signal would end the process before the terminal is mended.
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(tty, OptionalActions::Flush, &quiet)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_file_beats_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "from-file\n").unwrap();
        let environment = |name: &str| (name != "LARKDECK_ENCRYPT_KEY").then(|| "from-env".to_owned());
        let args = SecretArgs { app_secret_file: Some(file), ..SecretArgs::default() };
        let given = given(&args, &environment).unwrap();
        assert_eq!(given.app_secret.unwrap().reveal(), "from-file");
        assert_eq!(given.verification_token.unwrap().reveal(), "from-env");
        assert!(given.encrypt_key.is_none());
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "\n", "two words", "a\nb", &"x".repeat(5000)] {
            let file = folder.path().join("secret");
            std::fs::write(&file, bad).unwrap();
            let args = SecretArgs { app_secret_file: Some(file), ..SecretArgs::default() };
            let error = given(&args, &none).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{bad:?}");
        }
        let both = SecretArgs {
            app_secret_file: Some("-".into()),
            encrypt_key_file: Some("-".into()),
            ..SecretArgs::default()
        };
        assert_eq!(given(&both, &none).unwrap_err().exit_code(), 2);
    }
}
