//! What can be wrong with the configuration.

use std::path::PathBuf;

use crate::core::error::{Kind, Problem};

/// Why the settings could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was named, or that exists, cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no text.
    #[error("{}:{line}: this is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Line of the first byte that is wrong, from 1.
        line: usize,
    },
    /// The file is not TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// A section or a key that does not exist.
    #[error("{}:{line}: unknown {what} {name:?}{}", path.display(), nearest.as_ref().map_or_else(String::new, |name| format!(": did you mean {name:?}?")))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// `section` or `key`.
        what: &'static str,
        /// What stands there.
        name: String,
        /// The good name that is closest to it.
        nearest: Option<String>,
    },
    /// A value that a setting cannot have.
    #[error("{}:{line}: {key}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// `section.key`.
        key: String,
        /// Why not, with what is allowed.
        reason: String,
    },
    /// An environment variable with such a value.
    #[error("{variable} in the environment: {reason}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// Why not, with what is allowed.
        reason: String,
    },
    /// A flag with such a value.
    #[error("{flag}: {reason}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// Why not, with what is allowed.
        reason: String,
    },
    /// The file holds a password, and others can read it.
    #[error("{}:{line}: {key} holds a password, and others can read the file (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// `section.key`.
        key: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that is a secret, and others can read it.
    #[error("the file {} holds a password, and others can read it (mode {mode:04o})", path.display())]
    ExposedSecret {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no home directory and no XDG variable in its place.
    #[error("no home directory: larkdeck does not know where its files are")]
    Homeless,
}

impl Problem for ConfigError {
    fn kind(&self) -> Kind {
        match self {
            Self::Flag { .. } => Kind::Usage,
            _ => Kind::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, .. } => {
                format!("Check that {} exists and is yours to read.", path.display())
            }
            Self::NotText { path, .. } => {
                let path = shell_quoted(&path.display().to_string());
                format!("Save it as UTF-8. Where it is Chinese text: iconv -f GB18030 -t UTF-8 {path}")
            }
            Self::Syntax { .. } | Self::Unknown { .. } | Self::Value { .. } => {
                "docs/CONFIG.md lists every setting; config.example.toml has them all with their defaults."
                    .to_owned()
            }
            Self::Environment { variable, .. } => format!("Correct {variable}, or unset it."),
            Self::Flag { .. } => "`larkdeck --help` says what it takes.".to_owned(),
            Self::Exposed { path, .. } | Self::ExposedSecret { path, .. } => {
                format!("Run: chmod 600 {}", shell_quoted(&path.display().to_string()))
            }
            Self::Homeless => "Set HOME, or XDG_CONFIG_HOME, XDG_DATA_HOME and XDG_STATE_HOME.".to_owned(),
        })
    }
}

/// `text` as a shell reads it back.
fn shell_quoted(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-' | b'+' | b'@');
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted() {
        assert_eq!(shell_quoted("/a/b.toml"), "/a/b.toml");
        assert_eq!(shell_quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
