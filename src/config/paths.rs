//! Where larkdeck keeps its files. XDG variables are honoured.

use std::path::{Path, PathBuf};

use super::{error::ConfigError, schema::StoreSettings};

/// The folders of larkdeck. None of them need exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml`, `themes/`, the key ring.
    pub config_dir: PathBuf,
    /// The store.
    pub data_dir: PathBuf,
    /// The log.
    pub state_dir: PathBuf,
}

impl Paths {
    /// The folders of this user.
    ///
    /// # Errors
    /// [`ConfigError::Homeless`] where there is no home directory.
    pub fn of_user() -> Result<Self, ConfigError> {
        let dirs = directories::ProjectDirs::from("", "", "larkdeck").ok_or(ConfigError::Homeless)?;
        Ok(Self {
            config_dir: dirs.config_dir().to_owned(),
            data_dir: dirs.data_dir().to_owned(),
            // Systems without a state folder of their own keep the log with the data.
            state_dir: dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned(),
        })
    }

    /// The folders below one root; for tests and the demo.
    pub fn below(root: &Path) -> Self {
        Self { config_dir: root.join("config"), data_dir: root.join("data"), state_dir: root.join("state") }
    }

    /// The configuration that is read when none is named.
    pub fn config_file(&self) -> PathBuf {
        self.config_dir.join("config.toml")
    }

    /// Themes of the user's own.
    pub fn themes_dir(&self) -> PathBuf {
        self.config_dir.join("themes")
    }

    /// The key ring: the setting, else `key` beside the configuration. Not beside the store: a copied store
    /// must not carry its key along.
    pub fn key_file(&self, store: &StoreSettings) -> PathBuf {
        store.key_file.clone().unwrap_or_else(|| self.config_dir.join("key"))
    }

    /// The store's URL: the setting, else `larkdeck.db` in the data folder.
    pub fn store_url(&self, store: &StoreSettings) -> String {
        store.url.clone().unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("larkdeck.db").display()))
    }

    /// The log file.
    pub fn log_file(&self) -> PathBuf {
        self.state_dir.join("larkdeck.log")
    }
}
