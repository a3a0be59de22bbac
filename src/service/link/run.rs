//! A linking under way: calls in flight, answers applied as they come, stopped where going on is useless.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    core::{
        error::{Fault, Kind, Problem},
        ids::{MemberId, OpenId},
        member::{LinkOrigin, Reason},
        operation::NewOperation,
        permit::{Class, Feature},
        role::Right,
        time::Timestamp,
    },
    feishu::{Ask, Client, FeishuError, FoundId, LookupKey},
    store::{LinkChange, LinkOutcome as Applied, Store},
};

use super::{
    super::{
        deck::{Answer, Deck, Told},
        view::*,
    },
    CHUNK, Running,
    decide::{self, Decision, Evidence},
    pace::Pace,
    plan::{Batch, Candidate, LinkPlan},
};

/// How often a call that was refused for speed is made again.
const ATTEMPTS: u32 = 4;
/// The wait after such a refusal where the platform names none.
const RATE_PAUSE: Duration = Duration::from_secs(5);
/// Calls whose answers are written at once: a few transactions a second, each well below 20 ms.
const APPLY_CALLS: usize = 4;

impl Deck {
    /// Runs a plan. What was answered is committed at once: killed at any instant and run again, it repeats
    /// the calls that were under way and nothing else. Progress is told where the channel has room.
    ///
    /// # Errors
    /// Read-only or no app. What stops a run under way is in [`LinkSummary::stopped`].
    pub async fn run_link(
        &self,
        plan: LinkPlan,
        progress: mpsc::Sender<LinkProgress>,
        cancel: CancellationToken,
    ) -> Answer<LinkSummary> {
        const OPERATION: &str = "member.link";
        let target = format!("{} members", plan.members);
        let store = self.gate(Right::Administer, OPERATION, &target).await?.clone();
        let integration = plan.integration.clone();
        let client = self.client(&integration).await?;
        let cut_short = self.cut_short(&integration).await?;
        let running = match cut_short {
            Some(running) => running,
            None => {
                let batch = self.inner.store.new_batch_id();
                Running { batch, started_at: self.shared_now().await? }
            }
        };
        self.note_running(&integration, Some(&running)).await?;
        let mut run = Run::new(self.clone(), store, client, plan, running.batch, progress);
        let done = run.drive(&cancel).await;
        // Only a run that nobody could finish is to be taken up again.
        self.note_running(&integration, None).await?;
        let summary = run.summary(done, cancel.is_cancelled());
        let mut row = match &summary.stopped {
            Some(fault) => NewOperation::failed(OPERATION, &target, fault),
            None => NewOperation::ok(OPERATION, &target),
        };
        let counts = format!("{} linked, {} not, {} calls", summary.linked, summary.unlinked, summary.calls);
        row.reason = Some(match row.reason {
            Some(reason) => format!("{counts}; {reason}"),
            None => counts,
        });
        self.log(row).await;
        Ok(summary)
    }
}

/// What a lookup task answers.
struct Looked {
    batch: Batch,
    attempt: u32,
    took: Duration,
    answer: Result<Vec<FoundId>, FeishuError>,
}

type Landed = Result<Looked, tokio::task::JoinError>;

/// A call that is to be made, not before an instant.
struct Due {
    batch: Batch,
    attempt: u32,
    not_before: Option<Timestamp>,
}

struct Run {
    deck: Deck,
    store: Store,
    client: Client,
    integration: crate::core::ids::IntegrationId,
    batch_id: String,
    started: Instant,
    /// Everybody who is to be asked about.
    asked: Vec<MemberId>,
    due: VecDeque<Due>,
    flying: JoinSet<Looked>,
    pace: Pace,
    /// Accounts that this run has given away.
    owners: HashMap<OpenId, MemberId>,
    results: Vec<LinkResult>,
    not_askable: Vec<(MemberId, Reason)>,
    calls: usize,
    linked: usize,
    members: usize,
    planned_calls: usize,
    progress: mpsc::Sender<LinkProgress>,
}

impl Run {
    fn new(
        deck: Deck,
        store: Store,
        client: Client,
        plan: LinkPlan,
        batch_id: String,
        progress: mpsc::Sender<LinkProgress>,
    ) -> Self {
        let started = deck.inner.clock.instant();
        let asked = plan.batches.iter().flat_map(|batch| &batch.members).map(|member| member.id.clone());
        Self {
            asked: asked.collect(),
            deck,
            store,
            client,
            integration: plan.integration,
            batch_id,
            started,
            members: plan.members + plan.settled.len(),
            planned_calls: plan.calls,
            due: plan.batches.into_iter().map(|batch| Due { batch, attempt: 1, not_before: None }).collect(),
            flying: JoinSet::new(),
            pace: Pace::default(),
            owners: HashMap::new(),
            results: plan.settled,
            not_askable: plan.not_askable,
            calls: 0,
            linked: 0,
            progress,
        }
    }

    /// Runs to the end, to a stop or to a cancel. The error is what stopped it.
    async fn drive(&mut self, cancel: &CancellationToken) -> Result<(), Fault> {
        let not_askable = std::mem::take(&mut self.not_askable);
        self.leave(not_askable, None).await?;
        self.tell();
        while !cancel.is_cancelled() {
            self.take_off();
            let landed = if self.flying.is_empty() {
                // Everything that is left has to wait for its time.
                let Some(wait) = self.next_wait() else { break };
                tokio::select! {
                    () = tokio::time::sleep(wait) => continue,
                    () = cancel.cancelled() => break,
                }
            } else {
                tokio::select! {
                    landed = self.flying.join_next() => landed,
                    () = cancel.cancelled() => break,
                }
            };
            let mut answered = Vec::new();
            let taken = self.take_landed(landed, &mut answered).await;
            // What was answered is kept, also when something else ends the run.
            self.apply(answered).await?;
            self.tell();
            taken?;
        }
        self.flying.abort_all();
        Ok(())
    }

    /// Takes what has landed, `first` and whatever is there besides.
    async fn take_landed(
        &mut self,
        first: Option<Landed>,
        answered: &mut Vec<(Batch, Vec<FoundId>)>,
    ) -> Answer<()> {
        let mut next = first;
        while let Some(landed) = next {
            let looked = landed.map_err(|error| Fault::new(Kind::Bug, format!("a lookup died: {error}")))?;
            self.take(looked, answered).await?;
            // The next call leaves before this one's answer is written.
            self.take_off();
            next = if answered.len() < APPLY_CALLS { self.flying.try_join_next() } else { None };
        }
        Ok(())
    }

    fn take_off(&mut self) {
        let now = self.deck.inner.clock.now();
        while self.flying.len() < self.pace.in_flight() {
            let ripe = self.due.iter().position(|due| due.not_before.is_none_or(|at| at <= now));
            let Some(Due { batch, attempt, .. }) = ripe.and_then(|at| self.due.remove(at)) else { break };
            let (client, clock) = (self.client.clone(), self.deck.inner.clock.clone());
            self.flying.spawn(async move {
                let started = clock.instant();
                let ask = Ask::new(Class::Linking, Feature::Linking);
                let answer = client.batch_get_id(ask, &batch.emails, &batch.phones).await;
                let took = clock.instant().saturating_duration_since(started);
                Looked { batch, attempt, took, answer }
            });
        }
    }

    fn next_wait(&self) -> Option<Duration> {
        let now = self.deck.inner.clock.now();
        self.due.iter().map(|due| due.not_before.map_or(Duration::ZERO, |at| at.since(now))).min()
    }

    async fn take(&mut self, looked: Looked, answered: &mut Vec<(Batch, Vec<FoundId>)>) -> Answer<()> {
        let Looked { batch, attempt, took, answer } = looked;
        let error = match answer {
            Ok(found) => {
                self.calls += 1;
                self.pace.took(took);
                answered.push((batch, found));
                return Ok(());
            }
            Err(error) => error,
        };
        match error.kind() {
            Kind::RateLimited { retry_at } if attempt < ATTEMPTS => {
                let now = self.deck.inner.clock.now();
                let not_before = Some(retry_at.unwrap_or_else(|| now.plus(RATE_PAUSE * attempt)));
                self.due.push_back(Due { batch, attempt: attempt + 1, not_before });
                Ok(())
            }
            Kind::RateLimited { .. } => self.leave_batch(&batch, Reason::RateLimited).await,
            Kind::QuotaExhausted => self.stop(batch, Some(Reason::QuotaExhausted), &error).await,
            Kind::Permission => self.stop(batch, Some(Reason::ScopeMissing), &error).await,
            _ => self.stop(batch, None, &error).await,
        }
    }

    /// Ends the run: everybody who is left gets the reason, where there is one to give.
    async fn stop(&mut self, batch: Batch, reason: Option<Reason>, error: &FeishuError) -> Answer<()> {
        self.flying.abort_all();
        // Calls that were under way are asked about again the next time.
        self.flying = JoinSet::new();
        if let Some(reason) = reason {
            self.leave_batch(&batch, reason).await?;
            for due in std::mem::take(&mut self.due) {
                self.leave_batch(&due.batch, reason).await?;
            }
        }
        Err(Fault::of(error))
    }

    async fn leave_batch(&mut self, batch: &Batch, reason: Reason) -> Answer<()> {
        self.leave(batch.members.iter().map(|member| (member.id.clone(), reason)).collect(), None).await
    }

    /// Notes why members stay unlinked. `asked_at`: the platform has answered about them.
    async fn leave(&mut self, members: Vec<(MemberId, Reason)>, asked_at: Option<Timestamp>) -> Answer<()> {
        for chunk in members.chunks(CHUNK) {
            let reasons = chunk.iter().map(|(member, reason)| (member.clone(), *reason, asked_at)).collect();
            self.store.set_reasons(&self.integration, reasons).await.told()?;
        }
        self.results.extend(
            members
                .into_iter()
                .map(|(member, reason)| LinkResult { member, outcome: LinkOutcome::Unlinked(reason) }),
        );
        Ok(())
    }

    async fn apply(&mut self, answered: Vec<(Batch, Vec<FoundId>)>) -> Answer<()> {
        let (mut changes, mut reasons) = (Vec::new(), Vec::new());
        for (batch, found) in answered {
            let answers = Answers::new(found);
            for member in &batch.members {
                match decide::decide(&member.id, &answers.evidence(member), &self.owners) {
                    Decision::Link(open_id) => {
                        self.owners.insert(open_id.clone(), member.id.clone());
                        changes.push((member.id.clone(), open_id));
                    }
                    Decision::Leave(reason) => reasons.push((member.id.clone(), reason)),
                }
            }
        }
        let now = self.deck.inner.clock.now();
        for chunk in changes.chunks(CHUNK) {
            let wanted = chunk.iter().map(|(member, open_id)| LinkChange {
                member: member.clone(),
                open_id: Some(open_id.clone()),
                origin: LinkOrigin::OneClick,
                reason: None,
            });
            let outcomes =
                self.store.apply_links(&self.integration, &self.batch_id, wanted.collect()).await.told()?;
            for ((member, open_id), outcome) in chunk.iter().zip(outcomes) {
                let outcome = match outcome {
                    Applied::Applied => LinkOutcome::Linked(open_id.clone()),
                    Applied::TakenBy(_) => LinkOutcome::Unlinked(Reason::AlreadyLinked),
                    Applied::Unchanged | Applied::LinkedOtherwise | Applied::NoMember => {
                        LinkOutcome::Unchanged
                    }
                };
                self.linked += usize::from(matches!(outcome, LinkOutcome::Linked(_)));
                self.results.push(LinkResult { member: member.clone(), outcome });
            }
        }
        self.leave(reasons, Some(now)).await
    }

    fn tell(&self) {
        let progress = LinkProgress {
            done: self.results.len(),
            members: self.members,
            calls: self.calls,
            planned_calls: self.planned_calls,
            linked: self.linked,
        };
        // A full channel means that nobody has looked at the last figures yet.
        _ = self.progress.try_send(progress);
    }

    fn summary(self, done: Result<(), Fault>, cancelled: bool) -> LinkSummary {
        let mut results = self.results;
        // Calls that were cut off, or never made.
        let told: HashSet<MemberId> = results.iter().map(|one| one.member.clone()).collect();
        let rest = self.asked.into_iter().filter(|id| !told.contains(id));
        results.extend(rest.map(|member| LinkResult { member, outcome: LinkOutcome::Unchanged }));
        LinkSummary {
            batch: self.batch_id,
            members: self.members,
            calls: self.calls,
            linked: self.linked,
            unlinked: results.iter().filter(|one| matches!(one.outcome, LinkOutcome::Unlinked(_))).count(),
            elapsed: self.deck.inner.clock.instant().saturating_duration_since(self.started),
            results,
            stopped: done.err(),
            cancelled,
        }
    }
}

/// The answers of one call, by key.
pub(in crate::service) struct Answers {
    emails: HashMap<String, Option<OpenId>>,
    phones: HashMap<String, Option<OpenId>>,
}

impl Answers {
    pub(in crate::service) fn new(found: Vec<FoundId>) -> Self {
        let mut answers = Self { emails: HashMap::new(), phones: HashMap::new() };
        for one in found {
            match one.key {
                LookupKey::Email(email) => _ = answers.emails.insert(email.to_lowercase(), one.open_id),
                LookupKey::Mobile(phone) => _ = answers.phones.insert(phone, one.open_id),
            }
        }
        answers
    }

    pub(in crate::service) fn evidence(&self, member: &Candidate) -> Evidence {
        let of = |key: &Option<String>, answers: &HashMap<String, Option<OpenId>>| match key {
            None => decide::Answer::NotAsked,
            Some(key) => match answers.get(key) {
                Some(Some(open_id)) => decide::Answer::Account(open_id.clone()),
                _ => decide::Answer::Nobody,
            },
        };
        Evidence {
            email: of(&member.email, &self.emails),
            phone: of(&member.phone, &self.phones),
            phone_lacks_code: member.phone_lacks_code,
        }
    }
}
