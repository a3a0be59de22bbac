//! What every command begins with: settings, folders, log, store.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{args::Global, error::CliError, logfile, output::Output, output::note};
use crate::{
    config::{ConfigError, Loaded, Overrides, Paths, RoomsFollowed, Sources, load, read_secret},
    core::{error::Fault, integration::Holder, retention::Retention, secret::Secret, time::SystemClock},
    service::{Access, Deck, DeckSettings, Followed, IntegrationView, KeyOrigin, Opening},
};

/// Settings and folders of this process, with the flags of every command.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The settings and where they come from.
    pub loaded: Loaded,
    /// The folders.
    pub paths: Paths,
    /// The flags of every command.
    pub global: Global,
    /// What this process is to the others on the store.
    pub what: &'static str,
    /// The password of the store's database, from a file or the environment.
    store_password: Option<Secret>,
}

impl Setup {
    /// Reads the settings from flags, environment and file.
    ///
    /// # Errors
    /// Those of [`load`].
    pub fn load(global: Global) -> Result<Self, ConfigError> {
        Self::load_with(global, Overrides::new())
    }

    /// As [`Self::load`], with the flags of one command besides.
    ///
    /// # Errors
    /// Those of [`load`].
    pub(super) fn load_with(global: Global, flags: Overrides) -> Result<Self, ConfigError> {
        let paths = Paths::of_user()?;
        let loaded = load(&Sources {
            named_file: global.config.clone(),
            default_file: paths.config_file(),
            environment: &environment,
            flags: [overrides(&global), flags].concat(),
        })?;
        let store_password = match &loaded.settings.store.password_file {
            Some(path) => Some(read_secret(path)?),
            None => environment("LARKDECK_STORE_PASSWORD").map(Secret::new),
        };
        Ok(Self { loaded, paths, global, what: "console", store_password })
    }

    /// Begins to log. A log that cannot be written stops nobody.
    ///
    /// # Errors
    /// Why there is no log.
    pub fn start_log(&self) -> std::io::Result<()> {
        logfile::start(&self.paths.log_file(), &self.loaded.settings.log, self.global.verbose)
    }

    /// Whether this process may change anything.
    pub fn access(&self) -> Access {
        if self.loaded.settings.ui.write { Access::Write } else { Access::ReadOnly }
    }

    /// Where the key ring is.
    pub fn key_origin(&self) -> KeyOrigin {
        let store = &self.loaded.settings.store;
        if let Some(text) = environment("LARKDECK_KEY").filter(|text| !text.is_empty()) {
            return KeyOrigin::Text(Secret::new(text));
        }
        match &store.key_command {
            Some(command) => KeyOrigin::Command(command.clone()),
            None => KeyOrigin::File(self.paths.key_file(store)),
        }
    }

    /// How the deck of this process is opened.
    pub fn opening(&self) -> Opening {
        let settings = &self.loaded.settings;
        let me = this_process();
        let reader = settings.ui.me.clone().unwrap_or_else(|| me.to_string());
        Opening {
            store_url: self.paths.store_url(&settings.store),
            store_password: self.store_password.clone(),
            key: self.key_origin(),
            month_limit: settings.quota.month_limit.calls(),
            quota_zone: settings.quota.zone.tz().clone(),
            me,
            reader,
            settings: DeckSettings {
                public_url: settings.server.public_url.as_ref().map(|url| url.as_str().to_owned()),
                followed: match settings.live.rooms {
                    RoomsFollowed::All => Followed::All,
                    RoomsFollowed::WarRooms => Followed::WarRooms,
                },
                deaf_after: Duration::from_secs(settings.live.deaf_after_s.into()),
                month_limit: settings.quota.month_limit.calls(),
                retention: Retention {
                    messages: settings.retention.messages_days.duration(),
                    events: settings.retention.events_days.duration(),
                    log: settings.retention.log_days.duration(),
                },
                name: settings.ui.name.clone(),
                what: self.what,
            },
            access: self.access(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// The environment of this process.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn overrides(global: &Global) -> Overrides {
    let mut flags = Overrides::new();
    if let Some(url) = &global.store {
        flags.push(("store", "url", url.clone(), "--store"));
    }
    if let Some(lang) = &global.lang {
        flags.push(("ui", "lang", lang.clone(), "--lang"));
    }
    if let Some(theme) = &global.theme {
        flags.push(("ui", "theme", theme.clone(), "--theme"));
    }
    if let Some(name) = &global.console_name {
        flags.push(("ui", "name", name.clone(), "--console-name"));
    }
    if global.read_only {
        flags.push(("ui", "write", "false".to_owned(), "--read-only"));
    }
    if global.write {
        flags.push(("ui", "write", "true".to_owned(), "--write"));
    }
    flags
}

/// This process as the other consoles see it.
pub fn this_process() -> Holder {
    let user = ["USER", "LOGNAME"].into_iter().filter_map(environment).find(|name| !name.is_empty());
    // Cron and containers leave no name in the environment.
    let uid = rustix::process::getuid().as_raw();
    let user = user.or_else(|| listed_name(uid)).unwrap_or_else(|| format!("uid{uid}"));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Holder { user, host, pid: std::process::id() }
}

/// The name of `uid` in the host's own list of users.
fn listed_name(uid: u32) -> Option<String> {
    let list = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = list.lines().map(|line| line.split(':'));
    let mut fields =
        lines.find(|fields| fields.clone().nth(2).and_then(|id| id.parse().ok()) == Some(uid))?;
    fields.next().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// What a command works with.
pub(super) struct Context {
    pub(super) setup: Setup,
    pub(super) out: Output,
    pub(super) cancel: CancellationToken,
    deck: Option<Deck>,
}

impl Context {
    pub(super) fn new(setup: Setup, cancel: CancellationToken) -> Self {
        let zone = setup.loaded.settings.ui.zone.tz().clone();
        let out = Output::stdout(setup.global.json, zone);
        for warning in &setup.loaded.warnings {
            note(&warning.to_string());
        }
        Self { setup, out, cancel, deck: None }
    }

    /// The deck, opened on first use.
    pub(super) async fn deck(&mut self) -> Result<Deck, CliError> {
        if let Some(deck) = &self.deck {
            return Ok(deck.clone());
        }
        let deck = self.setup.opening().open().await?;
        self.deck = Some(deck.clone());
        Ok(deck)
    }

    /// The same, waiting for a database that is away; `told` hears why.
    pub(super) async fn deck_once_there(&mut self, told: impl FnMut(&Fault)) -> Result<Deck, CliError> {
        let deck = self.setup.opening().open_once_there(told).await?;
        Ok(self.deck.insert(deck).clone())
    }

    /// The integration that is meant: named here, by `--integration`, or the only one.
    pub(super) async fn integration(
        &mut self,
        named: Option<&str>,
    ) -> Result<(Deck, IntegrationView), CliError> {
        let deck = self.deck().await?;
        let name = named.map(str::to_owned).or_else(|| self.setup.global.integration.clone());
        let view = deck.choose_integration(name.as_deref()).await?;
        Ok((deck, view))
    }

    /// Ends what the deck does in the background, and prints what is still held back.
    pub(super) async fn close(mut self) -> Result<(), CliError> {
        let flushed = self.out.flush();
        if let Some(deck) = self.deck.take() {
            deck.shut().await;
        }
        flushed
    }
}
