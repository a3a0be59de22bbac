//! The keeper: follower or holder of the lease, and what a holder does all day.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    core::{
        ids::IntegrationId,
        integration::{AppCredentials, AppSummary, LiveState, Receive},
        operation::NewOperation,
        permit::{Class, Feature},
        time::Timestamp,
    },
    feishu::{
        Ask, Client,
        socket::{self, EventSink, SocketConfig, SocketState},
    },
    store::{Acquired, Store},
};

use super::{
    super::{
        deck::{Answer, Deck, Told, lock},
        retention,
        view::LiveMode,
    },
    fill::Filler,
    gap::UNPROVEN,
    intake::Intake,
    lease::{BEAT_EVERY, Follower, Held, LOOK_EVERY},
    rhythm::Rhythm,
    sink::Sink,
};

/// How often a holder looks after what is slow: marks, deafness, rows of dead authors.
const ROUND_EVERY: Duration = Duration::from_secs(30);
/// After a takeover without a release, events of the dead holder's socket may still be under way.
const SECOND_FILL_AFTER: Duration = Duration::from_secs(20);
/// How often what is past its time is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
const RIVAL_PATIENCE: Duration = Duration::from_secs(5);

/// Takes part in the live connection of one integration.
pub(super) struct Keeper {
    deck: Deck,
    integration: IntegrationId,
    mode: LiveMode,
    cancel: CancellationToken,
}

/// Why a holding ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The keeper is to stop.
    Stopped,
    /// The lease is another's, or the store is away.
    Lost,
    /// The integration has changed: begin anew with what it is now.
    Edited,
}

/// What the integration was when the holding began.
struct Facts {
    app: AppSummary,
    credentials: AppCredentials,
    receive: Receive,
}

impl Keeper {
    pub(super) const fn new(
        deck: Deck,
        integration: IntegrationId,
        mode: LiveMode,
        cancel: CancellationToken,
    ) -> Self {
        Self { deck, integration, mode, cancel }
    }

    /// Until cancelled.
    pub(super) async fn run(self) {
        let mut follower = Follower::default();
        while !self.cancel.is_cancelled() {
            match self.turn(&mut follower).await {
                Ok(Some(End::Stopped)) => return,
                Ok(Some(End::Lost)) => follower = Follower::default(),
                Ok(Some(End::Edited)) => continue,
                Ok(None) => {}
                Err(fault) => tracing::warn!(integration = %self.integration, %fault, "lease not looked at"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.cancel.cancelled() => return,
            }
        }
    }

    /// Looks at the lease once, and holds it as long as it can when it is to be had.
    async fn turn(&self, follower: &mut Follower) -> Answer<Option<End>> {
        let facts = self.facts().await?;
        if self.mode == LiveMode::NoSocket && facts.receive != Receive::Webhook {
            return Ok(None);
        }
        // A viewer never holds it; one who has become one lets go.
        let Some(store) = self.deck.keeping_or_viewer().await? else { return Ok(None) };
        let key = &facts.app.key;
        let row = store.observe(key).await.told()?;
        let now = self.deck.inner.clock.instant();
        let stale = match &row {
            Some(row) if row.holder.is_some() => match follower.saw(row.mark, now) {
                None => return Ok(None),
                stale => stale,
            },
            _ => None,
        };
        // The beat counts from before the row was written: never longer than others see it.
        let asked_at = self.deck.inner.clock.instant();
        match store.try_acquire(key, stale).await.told()? {
            Acquired::HeldBy(_) => Ok(None),
            Acquired::Ours { epoch, taken_over } => {
                let held = Arc::new(Held::new(epoch, asked_at, self.cancel.child_token()));
                tracing::info!(integration = %self.integration, epoch, taken_over, "lease taken");
                Ok(Some(self.hold(store, facts, held, taken_over).await))
            }
        }
    }

    async fn facts(&self) -> Answer<Facts> {
        let integration = self.deck.inner.store.integration(&self.integration).await.told()?;
        let app = self.deck.app_of(&self.integration).await?;
        let credentials = self.deck.inner.store.credentials(&self.integration).await.told()?;
        Ok(Facts { app, credentials, receive: integration.receive })
    }

    async fn hold(&self, store: &Store, facts: Facts, held: Arc<Held>, taken_over: bool) -> End {
        let beats =
            tokio::spawn(beat(self.deck.clone(), store.clone(), facts.app.clone(), Arc::clone(&held)));
        let end = match self.deck.client(&self.integration).await {
            Ok(client) => Holding::new(self, store, &facts, client, &held).work(taken_over).await,
            Err(fault) => {
                tracing::warn!(integration = %self.integration, %fault, "no client");
                End::Lost
            }
        };
        held.lost.cancel();
        _ = beats.await;
        if let Err(error) = store.release(&facts.app.key, held.epoch).await {
            tracing::warn!(%error, "lease not released; others take it over");
        }
        end
    }
}

/// Raises the beat until the lease is lost or given back.
async fn beat(deck: Deck, store: Store, app: AppSummary, held: Arc<Held>) {
    loop {
        let before = deck.inner.clock.instant();
        let pause = BEAT_EVERY.min(held.left(before));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = held.lost.cancelled() => return,
        }
        let begun = deck.inner.clock.instant();
        let has_stood_still = begun.saturating_duration_since(before) > pause + BEAT_EVERY;
        // Not a moment longer than it may act: the connection is to be gone before another makes its own. Who was
        // stopped meanwhile asks whether anybody has noticed.
        let patience = if has_stood_still { BEAT_EVERY } else { held.left(begun) };
        match tokio::time::timeout(patience, store.beat(&app.key, held.epoch)).await {
            Ok(Ok(true)) => held.renewed(begun),
            Ok(Ok(false)) => {
                tracing::warn!(epoch = held.epoch, "the lease is another's");
                held.lost.cancel();
            }
            Ok(Err(error)) => tracing::warn!(%error, "lease not renewed"),
            Err(_) => tracing::warn!("lease not renewed: the store does not answer"),
        }
        if !held.is_valid(deck.inner.clock.instant()) {
            held.lost.cancel();
        }
    }
}

/// A lease that is held, and the socket under it.
struct Holding<'a> {
    keeper: &'a Keeper,
    /// To be written to for as long as the lease is held.
    store: &'a Store,
    facts: &'a Facts,
    client: Client,
    held: &'a Arc<Held>,
    sink: Arc<Sink>,
    filler: Filler,
    told: Option<LiveState>,
    /// When what is past its time was forgotten last, and the task that may still do it.
    forgot: Option<(Instant, JoinHandle<()>)>,
    /// When the last connection gave its last sign of life, on the platform's clock.
    signed_at: Option<Timestamp>,
}

/// A running socket.
struct Socket {
    state: watch::Receiver<SocketState>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl<'a> Holding<'a> {
    fn new(
        keeper: &'a Keeper,
        store: &'a Store,
        facts: &'a Facts,
        client: Client,
        held: &'a Arc<Held>,
    ) -> Self {
        let deck = &keeper.deck;
        let sink = Arc::new(Sink {
            deck: deck.clone(),
            integration: keeper.integration.clone(),
            app: facts.app.clone(),
            held: Arc::clone(held),
            rhythm: Rhythm::new(deck.inner.clock.instant(), deck.inner.settings.deaf_after).into(),
            heard_at: Default::default(),
            intake: Intake::new(deck.clone(), keeper.integration.clone(), facts.app.clone()),
        });
        let filler = Filler::new(Arc::clone(&sink), client.clone());
        Self { keeper, store, facts, client, held, sink, filler, told: None, forgot: None, signed_at: None }
    }

    fn deck(&self) -> &'a Deck {
        &self.keeper.deck
    }

    async fn work(mut self, taken_over: bool) -> End {
        let deck = self.deck();
        match deck.rooms(&self.keeper.integration).await {
            Ok(rooms) => self.sink.intake.knows(&rooms),
            Err(fault) => tracing::warn!(%fault, "rooms not read"),
        }
        self.settle_orphans().await;
        if self.facts.receive == Receive::Webhook {
            return self.keep_without_socket().await;
        }
        self.tell(LiveState::Connecting).await;
        self.look_for_rivals().await;
        let mut socket = self.open();
        let mut edited = deck.inner.edited.subscribe();
        let mut round = tokio::time::interval(ROUND_EVERY);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        round.reset();
        let mut second_fill = taken_over.then(|| Box::pin(tokio::time::sleep(SECOND_FILL_AFTER)));
        let mut connected: Option<Timestamp> = None;
        let end = loop {
            tokio::select! {
                () = self.held.lost.cancelled() => {
                    break if self.keeper.cancel.is_cancelled() { End::Stopped } else { End::Lost };
                }
                changed = socket.state.changed() => {
                    if changed.is_err() {
                        // The socket's task is gone: make another.
                        socket = self.open();
                        continue;
                    }
                    let state = socket.state.borrow_and_update().clone();
                    self.follow_state(state, &mut connected).await;
                }
                () = async { match second_fill.as_mut() { Some(at) => at.await, None => std::future::pending().await } } => {
                    second_fill = None;
                    self.filler.start(self.platform_now(), None);
                }
                () = tokio::time::sleep(self.until_suspicious()) => {
                    if self.is_deaf("the connection stood but brought no events; it is made anew").await {
                        socket.close().await;
                        connected = None;
                        socket = self.open();
                    }
                }
                _ = round.tick() => {
                    self.settle_orphans().await;
                    self.deck().forget_old_logins().await;
                    self.forget_the_past();
                    let state = socket.state.borrow().clone();
                    self.advance(&state).await;
                    self.filler.look_at_silence().await;
                    if self.is_edited().await { break End::Edited; }
                }
                Ok(()) = edited.changed() => {
                    if self.is_edited().await { break End::Edited; }
                }
            }
        };
        let last = socket.state.borrow().clone();
        socket.close().await;
        self.filler.stop().await;
        self.advance(&last).await;
        end
    }

    /// Webhook only: the lease is held, so that one process alone repairs and looks after things.
    async fn keep_without_socket(&mut self) -> End {
        self.tell(LiveState::Off).await;
        self.filler.start(self.platform_now(), None);
        let mut edited = self.deck().inner.edited.subscribe();
        let mut last_event = None;
        loop {
            tokio::select! {
                () = self.held.lost.cancelled() => {
                    return if self.keeper.cancel.is_cancelled() { End::Stopped } else { End::Lost };
                }
                () = tokio::time::sleep(ROUND_EVERY) => {
                    self.settle_orphans().await;
                    self.deck().forget_old_logins().await;
                    self.forget_the_past();
                    self.hear_of_events(&mut last_event).await;
                    self.filler.look_at_silence().await;
                    let deaf = "no events came by webhook though there were some: does the platform still reach \
                                the Message Card Request URL?";
                    if self.is_deaf(deaf).await {
                        self.filler.start(self.platform_now(), None);
                    }
                }
                Ok(()) = edited.changed() => {}
            }
            if self.is_edited().await {
                return End::Edited;
            }
        }
    }

    /// The webhook's events may come in by any gateway: the store knows of the last one.
    async fn hear_of_events(&self, last: &mut Option<Timestamp>) {
        let deck = self.deck();
        match deck.inner.store.live(&self.facts.app.key).await {
            Ok(live) if live.last_event_at != *last => {
                *last = live.last_event_at;
                lock(&self.sink.rhythm).event(deck.inner.clock.instant());
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "last event not looked at"),
        }
    }

    fn open(&self) -> Socket {
        let (sender, state) = watch::channel(SocketState::Connecting);
        let cancel = self.held.lost.child_token();
        let sink: Arc<dyn EventSink> = Arc::clone(&self.sink) as Arc<dyn EventSink>;
        let config = SocketConfig::new(self.client.clone());
        let task = tokio::spawn(socket::run(config, sink, sender, cancel.clone()));
        Socket { state, cancel, task }
    }

    async fn follow_state(&mut self, state: SocketState, connected: &mut Option<Timestamp>) {
        let live = match state {
            SocketState::Connecting => LiveState::Connecting,
            SocketState::Live { since, last_frame_at, .. } => {
                let skew = *lock(&self.sink.intake.skew);
                let platform = |at: Timestamp| Timestamp::from_ms(skew.platform_ms(at.ms()));
                if *connected != Some(since) {
                    *connected = Some(since);
                    let heard_at = lock(&self.sink.heard_at).map(platform);
                    self.filler.start(platform(since), self.signed_at.max(heard_at));
                }
                self.signed_at = Some(platform(last_frame_at));
                LiveState::Live
            }
            SocketState::Reconnecting { retry_at, reason, .. } => {
                *connected = None;
                LiveState::Reconnecting { retry_at, reason }
            }
            SocketState::Refused { retry_at, reason } => {
                *connected = None;
                LiveState::Refused { retry_at, reason }
            }
        };
        self.tell(live).await;
    }

    /// Tells every console; a state that is the same is told once.
    async fn tell(&mut self, state: LiveState) {
        if self.told.as_ref() == Some(&state) {
            return;
        }
        if let LiveState::Refused { reason, .. } = &state {
            let mut row = NewOperation::ok("live.connect", self.facts.app.key.to_string());
            row.result = crate::core::operation::OperationResult::Failed;
            row.reason = Some(reason.clone());
            self.deck().log(row).await;
        }
        match self.store.set_live(&self.facts.app.key, self.held.epoch, state.clone()).await {
            Ok(true) => self.told = Some(state),
            Ok(false) => self.held.lost.cancel(),
            Err(error) => tracing::warn!(%error, "live state not told"),
        }
    }

    /// Somebody outside larkdeck who is connected gets part of the events (A18): that is said.
    async fn look_for_rivals(&self) {
        let ask = Ask::new(Class::Fill, Feature::Live).within(RIVAL_PATIENCE);
        let counted = tokio::time::timeout(RIVAL_PATIENCE, self.client.connection_count(ask)).await;
        if let Ok(Ok(Some(count @ 1..))) = counted {
            let mut row = NewOperation::ok("live.rivals", self.facts.app.key.to_string());
            row.result = crate::core::operation::OperationResult::Failed;
            row.reason = Some(format!(
                "{count} other connection(s) of this app are open: the platform gives each event to only one of them"
            ));
            row.hint = Some("Stop the other program, or give larkdeck an app of its own.".to_owned());
            // Right after a takeover the dead holder's socket can still be counted: a remark, not a refusal.
            self.deck().log(row).await;
        }
    }

    async fn settle_orphans(&self) {
        match self.store.orphan_outgoing().await {
            Ok(rows) => {
                for row in rows {
                    let chat = &row.outgoing.chat_id;
                    if let Err(error) = self.store.reconcile_outgoing(chat).await {
                        tracing::warn!(%chat, %error, "outbox not reconciled");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "outbox not looked through"),
        }
    }

    /// Begins to forget what is older than its time, beside everything else. Ends with the holding.
    fn forget_the_past(&mut self) {
        let now = self.deck().inner.clock.instant();
        if let Some((at, task)) = &self.forgot
            && (now.saturating_duration_since(*at) < FORGET_EVERY || !task.is_finished())
        {
            return;
        }
        let (deck, store, integration) =
            (self.deck().clone(), self.store.clone(), self.keeper.integration.clone());
        let (held, platform_now) = (Arc::clone(self.held), self.platform_now());
        let task = tokio::spawn(async move {
            let may_go_on = || held.is_valid(deck.inner.clock.instant());
            let forget = async {
                let before = deck.inner.settings.retention.cutoffs(platform_now, deck.shared_now().await?);
                retention::forget(&store, &integration, before.by(deck.role().await?), may_go_on).await
            };
            match forget.await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(%integration, rows, "forgot what was past its time"),
                Err(fault) => tracing::warn!(%fault, "old rows not forgotten"),
            }
        });
        self.forgot = Some((now, task));
    }

    fn platform_now(&self) -> Timestamp {
        let now = self.deck().inner.clock.now();
        Timestamp::from_ms(lock(&self.sink.intake.skew).platform_ms(now.ms()))
    }

    /// An unbroken connection proves everything up to its last event. Other signs of life prove nothing: a deaf
    /// connection gives them too.
    async fn advance(&self, state: &SocketState) {
        let (SocketState::Live { since, .. }, Some(filled_to), Some(heard_at)) =
            (state, self.filler.filled_to(), *lock(&self.sink.heard_at))
        else {
            return;
        };
        let skew = *lock(&self.sink.intake.skew);
        if filled_to.ms() < skew.platform_ms(since.ms()) {
            return;
        }
        let to = Timestamp::from_ms(skew.platform_ms(heard_at.ms())).minus(UNPROVEN);
        let held = (&self.facts.app.key, self.held.epoch);
        if to > filled_to
            && let Err(error) =
                self.store.advance_complete(&self.keeper.integration, held, filled_to, to).await
        {
            tracing::warn!(%error, "rooms not marked");
        }
    }

    /// Whether to begin anew: the integration has changed, or this process may no longer hold anything.
    async fn is_edited(&self) -> bool {
        if matches!(self.deck().keeping_or_viewer().await, Ok(None)) {
            return true;
        }
        match self.keeper.facts().await {
            Ok(now) => now.credentials != self.facts.credentials || now.receive != self.facts.receive,
            Err(fault) => fault.kind == crate::core::error::Kind::NotFound,
        }
    }

    fn until_suspicious(&self) -> Duration {
        lock(&self.sink.rhythm).suspicious_at().saturating_duration_since(self.deck().inner.clock.instant())
    }

    /// One listing of the most active room tells whether events are missing (G5).
    async fn is_deaf(&self, words: &str) -> bool {
        if !lock(&self.sink.rhythm).is_suspicious(self.deck().inner.clock.instant()) {
            return false;
        }
        let is_deaf = self.filler.finds_unknown().await;
        if is_deaf {
            let mut row = NewOperation::ok("live.deaf", self.facts.app.key.to_string());
            row.result = crate::core::operation::OperationResult::Failed;
            row.reason = Some(words.to_owned());
            self.deck().log(row).await;
        }
        is_deaf
    }
}

impl Socket {
    async fn close(self) {
        self.cancel.cancel();
        _ = self.task.await;
    }
}
