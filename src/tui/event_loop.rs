//! The loop: sleeps until something happens, lets the model change, draws when it did.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::EventStream;
use futures_util::StreamExt as _;
use ratatui::layout::{Position, Size as Cells};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
};

use super::{
    TuiError,
    clipboard::{self, Wrap},
    hangup, input,
    link::Links,
    pacer::{Cause, Pacer},
    screen::Screen,
    term::Term,
    theme::{Depth, Theme},
    view,
};
use crate::{
    app::{
        action::Action,
        effect::{Effect, EffectId, EffectSink, TerminalEffect},
        event::{CopyOutcome, Event, Size},
        keymap::Keymap,
        model::Model,
        route::route,
        update::update,
    },
    core::time::{Clock, Timestamp},
};

/// Frames a second for news from the network.
const PEER_FRAMES: u32 = 30;
/// The same over SSH.
const PEER_FRAMES_SSH: u32 = 10;
/// Events that are handled before a frame is drawn: a flood must not starve the screen.
const MAX_DRAINED: usize = 512;

/// What of the surroundings the screen depends on.
#[derive(Debug, Clone)]
pub struct TuiOptions {
    /// Colours of the terminal.
    pub depth: Depth,
    /// Frames a second at most for news from the network.
    pub peer_frames: u32,
    /// What stands between us and the clipboard; `None`: copying through the terminal is not possible.
    pub clipboard: Option<Wrap>,
    /// Whether addresses become links of the terminal (OSC 8).
    pub hyperlinks: bool,
    /// Where the person's own themes are.
    pub themes: Option<PathBuf>,
}

impl TuiOptions {
    /// As the environment has it.
    pub fn of_env(get: impl Fn(&str) -> Option<String>, themes: Option<PathBuf>) -> Self {
        let has = |name: &str| get(name).is_some_and(|value| !value.is_empty());
        let is_ssh = has("SSH_CONNECTION") || has("SSH_TTY");
        let is_dumb = get("TERM").is_some_and(|term| term == "dumb");
        Self {
            depth: Depth::of_env(&get),
            peer_frames: if is_ssh { PEER_FRAMES_SSH } else { PEER_FRAMES },
            clipboard: (!is_dumb).then(|| Wrap::of_env(&get)),
            hyperlinks: knows_links(get("TERM").as_deref().unwrap_or_default()),
            themes,
        }
    }
}

/// Whether a terminal leaves out what it does not know of OSC 8; the oldest print it.
fn knows_links(term: &str) -> bool {
    !term.is_empty() && !["dumb", "linux", "vt", "cons"].iter().any(|old| term.starts_with(old))
}

/// Why the console ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The person left.
    Quit,
    /// SIGTERM or SIGINT from outside.
    Terminated,
    /// The terminal is gone. What is left to do must be quick: the process ends by itself after 1.5 s.
    HungUp,
}

/// Runs the console until it ends, and gives the terminal back.
///
/// # Errors
/// [`TuiError`] when there is no terminal or it refuses its modes.
pub async fn run(
    model: Model,
    keymap: Arc<Keymap>,
    sink: impl EffectSink,
    events: mpsc::Receiver<Event>,
    options: TuiOptions,
    clock: Arc<dyn Clock>,
) -> Result<Ending, TuiError> {
    let signals = Signals::listen()?;
    let term = Term::enter()?;
    let tty = term.handle().map_err(|source| TuiError::Terminal { what: "watch the terminal", source })?;
    let size = term.size();
    let mut model = model;
    let theme = Theme::load(&model.theme, options.themes.as_deref(), options.depth)
        .unwrap_or_else(|_| Theme::fallback(options.depth));
    model.size = Size { columns: size.width, rows: size.height };
    let console = Console {
        pacer: Pacer::new(options.peer_frames),
        cause: Cause::Person,
        awaited: HashSet::new(),
        screen: Screen::new(size),
        drawn_rev: None,
        wake_at: None,
        ending: None,
        own_stop: false,
        out: Vec::new(),
        later: Vec::new(),
        theme,
        model,
        keymap,
        sink,
        options,
        clock,
        term,
    };
    Ok(console.run(events, hangup::watch(tty), signals).await)
}

/// Signals that the console answers.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    stop: Signal,
    resume: Signal,
}

impl Signals {
    fn listen() -> Result<Self, TuiError> {
        let on =
            |kind| signal(kind).map_err(|source| TuiError::Terminal { what: "listen for signals", source });
        Ok(Self {
            hangup: on(SignalKind::hangup())?,
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            stop: on(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            resume: on(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

struct Console<S> {
    model: Model,
    keymap: Arc<Keymap>,
    sink: S,
    options: TuiOptions,
    clock: Arc<dyn Clock>,
    term: Term,
    screen: Screen,
    theme: Theme,
    pacer: Pacer,
    /// Who caused what is being handled.
    cause: Cause,
    /// Effects whose answers a person waits for.
    awaited: HashSet<EffectId>,
    drawn_rev: Option<u64>,
    wake_at: Option<Timestamp>,
    ending: Option<Ending>,
    own_stop: bool,
    out: Vec<u8>,
    /// Events that effects of the terminal made.
    later: Vec<Event>,
}

/// What ended a sleep.
enum Woken {
    Input(Option<std::io::Result<crossterm::event::Event>>),
    News(Option<Event>),
    Wake,
    Paint,
    Stop,
    Resume,
    End(Ending),
}

impl<S: EffectSink> Console<S> {
    async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut gone: watch::Receiver<bool>,
        mut signals: Signals,
    ) -> Ending {
        let mut keys = EventStream::new();
        let mut has_news = true;
        self.take(Event::Started, Cause::Person);
        self.paint();
        loop {
            let woken = self.sleep(&mut keys, &mut events, &mut gone, &mut signals, has_news).await;
            match woken {
                Woken::Input(Some(Ok(event))) => self.take_input(event),
                // The reader ends or fails only when the terminal is gone.
                Woken::Input(_) => self.ending = Some(Ending::HungUp),
                Woken::News(Some(event)) => self.take_news(event, &mut events),
                Woken::News(None) => has_news = false,
                Woken::Wake => {
                    self.wake_at = None;
                    self.take(Event::Ticked(self.clock.now()), Cause::Peer);
                }
                Woken::Paint => {}
                // The group's SIGTSTP that a stop of our own sent comes back once.
                Woken::Stop if std::mem::take(&mut self.own_stop) => {}
                Woken::Stop => self.suspend(),
                Woken::Resume => self.resume(),
                Woken::End(ending) => self.ending = Some(ending),
            }
            if let Some(ending) = self.ending.or_else(|| self.term.is_dead().then_some(Ending::HungUp)) {
                return self.end(ending);
            }
            if self.pacer.due(Instant::now()).is_some_and(|due| due <= Instant::now()) {
                self.paint();
            }
        }
    }

    fn end(mut self, ending: Ending) -> Ending {
        if ending == Ending::HungUp {
            self.term.abandon();
            hangup::exit_soon();
        }
        ending
    }

    async fn sleep(
        &self,
        keys: &mut EventStream,
        events: &mut mpsc::Receiver<Event>,
        gone: &mut watch::Receiver<bool>,
        signals: &mut Signals,
        has_news: bool,
    ) -> Woken {
        let paint_in =
            self.pacer.due(Instant::now()).map(|due| due.saturating_duration_since(Instant::now()));
        let wake_in = self.wake_at.map(|at| at.since(self.clock.now()));
        let hung_up = async {
            // Where no thread could be made to watch, writes tell.
            if gone.wait_for(|gone| *gone).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = hung_up => Woken::End(Ending::HungUp),
            _ = signals.hangup.recv() => Woken::End(Ending::HungUp),
            _ = signals.terminate.recv() => Woken::End(Ending::Terminated),
            _ = signals.interrupt.recv() => Woken::End(Ending::Terminated),
            _ = signals.stop.recv() => Woken::Stop,
            _ = signals.resume.recv() => Woken::Resume,
            event = keys.next() => Woken::Input(event),
            () = sleep(paint_in) => Woken::Paint,
            () = sleep(wake_in) => Woken::Wake,
            event = events.recv(), if has_news => Woken::News(event),
        }
    }

    fn take_input(&mut self, event: crossterm::event::Event) {
        if let Some(event) = input::event(event) {
            if let Event::Resized(_) = event {
                // A burst of resizes ends with the size that the terminal has now.
                let size = self.term.size();
                self.resize(size);
                self.take(Event::Resized(Size { columns: size.width, rows: size.height }), Cause::Person);
            } else {
                self.take(event, Cause::Person);
            }
        }
    }

    fn resize(&mut self, size: Cells) {
        if self.screen.size() != size {
            self.screen.resize(size);
            self.drawn_rev = None;
        }
    }

    /// News, and what else has come meanwhile.
    fn take_news(&mut self, first: Event, events: &mut mpsc::Receiver<Event>) {
        self.take(first, Cause::Peer);
        for _ in 0..MAX_DRAINED {
            match events.try_recv() {
                Ok(event) => self.take(event, Cause::Peer),
                Err(_) => break,
            }
        }
    }

    fn take(&mut self, event: Event, cause: Cause) {
        // The answer to a key is as urgent as the key, and so is what it asks for in turn.
        self.cause = match &event {
            Event::Answered { id, .. } | Event::Failed { id, .. } if self.awaited.remove(id) => Cause::Person,
            _ => cause,
        };
        let now = self.clock.now();
        if self.model.now != now && !matches!(event, Event::Ticked(_)) {
            self.handle(Event::Ticked(now));
        }
        self.handle(event);
        while let Some(event) = self.later.pop() {
            self.handle(event);
        }
        if self.drawn_rev != Some(self.model.rev) {
            self.pacer.want(self.cause);
        }
    }

    fn handle(&mut self, event: Event) {
        for action in route(&self.model, &self.keymap, event) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        for effect in update(&mut self.model, action) {
            match effect {
                Effect::Terminal(effect) => self.perform(effect),
                Effect::Ask { id, ask } => {
                    if self.cause == Cause::Person {
                        self.awaited.insert(id);
                    }
                    self.sink.perform(Effect::Ask { id, ask });
                }
            }
        }
    }

    fn perform(&mut self, effect: TerminalEffect) {
        match effect {
            TerminalEffect::CopyText(text) => {
                let bytes = self.options.clipboard.and_then(|wrap| clipboard::osc52(&text, wrap));
                let outcome =
                    if bytes.is_some() { CopyOutcome::SentToTerminal } else { CopyOutcome::ShowPlain };
                _ = self.term.write(&bytes.unwrap_or_default());
                self.later.push(Event::Copied(outcome));
            }
            TerminalEffect::Bell => _ = self.term.write(b"\x07"),
            TerminalEffect::SetTitle(title) => {
                let plain: String = title.chars().filter(|c| !c.is_control()).take(200).collect();
                _ = self.term.write(format!("\x1b]2;{plain}\x07").as_bytes());
            }
            TerminalEffect::Suspend => self.suspend(),
            TerminalEffect::SetMouse(on) => _ = self.term.set_mouse(on),
            TerminalEffect::WakeAt(at) => self.wake_at = at,
            TerminalEffect::Redraw => {
                self.screen.forget();
                self.drawn_rev = None;
            }
            TerminalEffect::Quit => self.ending = Some(Ending::Quit),
        }
    }

    fn suspend(&mut self) {
        match self.term.suspend() {
            Ok(true) => {
                self.own_stop = true;
                self.redraw();
            }
            Ok(false) => _ = self.term.write(b"\x07"),
            Err(_) => self.ending = Some(Ending::HungUp),
        }
    }

    /// Continued after a stop that may have come without warning.
    fn resume(&mut self) {
        match self.term.take() {
            Ok(()) => self.redraw(),
            Err(_) => self.ending = Some(Ending::HungUp),
        }
    }

    fn redraw(&mut self) {
        let size = self.term.size();
        self.resize(size);
        self.screen.forget();
        self.drawn_rev = None;
        self.take(Event::Resized(Size { columns: size.width, rows: size.height }), Cause::Person);
    }

    /// Draws the model as it is now.
    fn paint(&mut self) {
        if self.theme.name() != self.model.theme {
            let loaded = Theme::load(&self.model.theme, self.options.themes.as_deref(), self.options.depth);
            match loaded {
                Ok(theme) => self.theme = theme,
                Err(error) => {
                    tracing::warn!(%error, "theme");
                    self.theme = Theme::fallback(self.options.depth).named(&self.model.theme);
                }
            }
        }
        self.frame();
        // What the view measured may change what is to be seen, once: rows wrapped for another width.
        if self.drawn_rev != Some(self.model.rev) {
            self.frame();
        }
        let bytes = std::mem::take(&mut self.out);
        if self.term.write(&bytes).is_err() {
            self.ending = Some(Ending::HungUp);
        }
        self.out = bytes;
        self.out.clear();
        self.pacer.painted(Instant::now());
    }

    fn frame(&mut self) {
        self.drawn_rev = Some(self.model.rev);
        let drawn = view::draw(&self.model, &self.theme, self.screen.start());
        let before = self.model.rev;
        if drawn.painted != self.model.painted {
            self.handle(Event::Painted(drawn.painted));
        }
        if self.model.rev == before {
            return self.finish(drawn.caret, drawn.links);
        }
        // Drawn for sizes that have just changed: show the frame that follows instead.
        let drawn = view::draw(&self.model, &self.theme, self.screen.start());
        self.drawn_rev = Some(self.model.rev);
        self.finish(drawn.caret, drawn.links);
    }

    fn finish(&mut self, caret: Option<Position>, mut links: Links) {
        if !self.options.hyperlinks {
            links.clear();
        }
        self.screen.finish(caret, &links, &mut self.out);
    }
}

async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) if time.is_zero() => {}
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
