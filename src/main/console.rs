//! The console: the deck below, the screen above, the runtime between them.

use std::sync::Arc;

use larkdeck::{
    app::{
        event::Size,
        keymap::Keymap,
        model::{Access, Model, Start},
    },
    cli::{Setup, error::CliError},
    core::{
        error::Fault,
        ids::IntegrationId,
        time::{Clock, SystemClock},
    },
    runtime::Runtime,
    service::{self, Deck},
    tui::{self, Ending, TuiOptions},
};
use tokio::sync::mpsc;

/// Events that may wait for the screen. What comes from the network is gathered before it gets here.
const EVENTS: usize = 1024;
/// SIGTERM, as a shell counts it.
const TERMINATED: u8 = 143;

/// Opens the console on the configured store and runs it until it ends. Returns the exit code.
pub(crate) async fn run(setup: Setup) -> Result<u8, CliError> {
    // Ctrl-C is still the shell's: it ends the wait.
    let waits = |fault: &Fault| {
        let text = format!("{fault}; the console opens once it answers, Ctrl-C ends");
        larkdeck::cli::output::note(&text);
    };
    let deck = setup.opening().open_once_there(waits).await?;
    let integration = match setup.global.integration.as_deref() {
        Some(name) => Some(deck.integration(name).await?.integration.id),
        None => None,
    };
    on_deck(&setup, deck, integration).await
}

/// Runs the console on an open deck.
pub(crate) async fn on_deck(
    setup: &Setup,
    deck: Deck,
    integration: Option<IntegrationId>,
) -> Result<u8, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (keymap, warnings) = Keymap::with_overrides(&setup.loaded.settings.keys);
    let keymap = Arc::new(keymap);
    let warnings = setup.loaded.warnings.iter().map(ToString::to_string).chain(warnings);
    for warning in warnings {
        tracing::warn!("{warning}");
        // The terminal is still the shell's: this stays above the console.
        CliError::new(larkdeck::core::error::Kind::Config, format!("warning: {warning}"))
            .write(&mut std::io::stderr())
            .unwrap_or(());
    }
    let themes_dir = setup.paths.themes_dir();
    let ui = &setup.loaded.settings.ui;
    let start = Start {
        now: clock.now(),
        zone: ui.zone.tz().clone(),
        lang: setup.loaded.lang,
        theme: ui.theme.as_str().to_owned(),
        themes: tui::theme::names(Some(&themes_dir)),
        glyphs: ui.glyphs,
        size: Size { columns: 80, rows: 24 },
        mouse: ui.mouse,
        bell: setup.loaded.settings.notify.bell,
        access: match deck.access() {
            service::Access::Write => Access::Write,
            // Whoever typed --read-only meant it; what the configuration says can be lifted.
            service::Access::ReadOnly => Access::ReadOnly { can_lift: !setup.global.read_only },
        },
        role: deck.role().await?,
        me: deck.me().clone(),
        keymap: keymap.clone(),
        session: Runtime::last_session(&deck).await,
        integration,
    };
    let (sender, events) = mpsc::channel(EVENTS);
    let runtime = Runtime::start(deck, sender);
    let mut options = TuiOptions::of_env(|name| std::env::var(name).ok(), Some(themes_dir));
    options.hyperlinks &= ui.hyperlinks;
    let ended = tui::run(Model::new(start), keymap, runtime.clone(), events, options, clock).await;
    runtime.stop().await;
    match ended {
        Ok(Ending::Quit | Ending::HungUp) => Ok(0),
        Ok(Ending::Terminated) => Ok(TERMINATED),
        Err(error) => Err(Fault::of(&error).into()),
    }
}
