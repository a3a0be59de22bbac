//! One-click linking: plan, look up, apply; and the way back.

pub mod decide;
pub mod pace;
pub mod plan;
pub(super) mod run;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    core::{
        error::{Fault, Kind},
        ids::{IntegrationId, MemberId, OpenId},
        member::{LinkOrigin, Member, Reason},
        operation::NewOperation,
        role::Right,
        time::Timestamp,
    },
    store::{LinkChange, LinkOutcome as Applied},
};

use self::plan::{Candidate, LinkPlan};
use super::{
    deck::{Answer, Deck, Told},
    view::*,
};

/// Members read or written at once.
const CHUNK: usize = 500;
/// A run that was cut short longer ago is not taken up again: its answers are old.
const RESUME_WITHIN: Duration = Duration::from_secs(3600);
/// Whose the note of a running linking is: the store's, not a person's.
const OWNER: &str = "larkdeck";

/// The note of a linking under way. Found again, it is one that was cut short.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Running {
    batch: String,
    started_at: Timestamp,
}

fn note_key(integration: &IntegrationId) -> String {
    format!("linking/{integration}")
}

impl Deck {
    /// Who would be asked about, by which key, in how many calls. Spends nothing. Members that a linking
    /// cut short has already had an answer for are not asked about again, and who took the own link away is
    /// left out unless named.
    ///
    /// # Errors
    /// NotFound for a member, no app, or the store's.
    pub async fn plan_link(&self, integration: &IntegrationId, scope: LinkScope) -> Answer<LinkPlan> {
        self.app_of(integration).await?;
        let (ids, known) = match scope {
            LinkScope::Unlinked => {
                (self.unlinked(integration).await?, Known::Of(self.cut_short(integration).await?))
            }
            LinkScope::Members(ids) => (ids, Known::Nothing),
        };
        let (mut candidates, mut settled) = (Vec::new(), Vec::new());
        for chunk in ids.chunks(CHUNK) {
            for member in self.inner.store.members(integration, chunk).await.told()? {
                match known.outcome(&member) {
                    Some(outcome) => settled.push(LinkResult { member: member.id, outcome }),
                    None => candidates.push(Candidate::of(&member)),
                }
            }
        }
        Ok(LinkPlan::new(integration.clone(), candidates, settled))
    }

    async fn unlinked(&self, integration: &IntegrationId) -> Answer<Vec<MemberId>> {
        let (_, chunks) = self.inner.store.roster(integration).await.told()?;
        let mut rows: Vec<(&str, &str)> = chunks
            .iter()
            .flat_map(|chunk| chunk.rows())
            .filter(|row| !row.linked)
            .map(|row| (row.name, row.id))
            .collect();
        rows.sort_unstable();
        Ok(rows.into_iter().filter_map(|(_, id)| id.parse().ok()).collect())
    }

    /// The linking that was cut short lately, if there is one.
    async fn cut_short(&self, integration: &IntegrationId) -> Answer<Option<Running>> {
        let note = self.inner.store.get_ui(OWNER, &note_key(integration)).await.told()?;
        let running: Option<Running> = note.and_then(|note| serde_json::from_str(&note).ok());
        let now = self.shared_now().await?;
        Ok(running.filter(|run| now.since(run.started_at) < RESUME_WITHIN))
    }

    async fn note_running(&self, integration: &IntegrationId, running: Option<&Running>) -> Answer<()> {
        let note = running.map(serde_json::to_string).transpose();
        let note = note.map_err(|error| Fault::new(Kind::Bug, error.to_string()))?;
        let store = self.keeping().await?;
        store.put_ui(OWNER, &note_key(integration), note.as_deref()).await.told()
    }

    /// Takes links away. They are in the journal and can be undone.
    ///
    /// # Errors
    /// Read-only, or the store's.
    pub async fn unlink(&self, integration: &IntegrationId, members: &[MemberId]) -> Answer<LinkSummary> {
        const OPERATION: &str = "member.unlink";
        let target = match members {
            [one] => one.to_string(),
            many => format!("{} members", many.len()),
        };
        let store = self.gate(Right::Administer, OPERATION, &target).await?;
        let started = self.inner.clock.instant();
        let changes = members.iter().map(|member| LinkChange {
            member: member.clone(),
            open_id: None,
            origin: LinkOrigin::Manual,
            reason: None,
        });
        let batch = self.inner.store.new_batch_id();
        let done = store.apply_links(integration, &batch, changes.collect()).await.told();
        let outcomes = self.logged(OPERATION, &target, done).await?;
        let results: Vec<LinkResult> = members
            .iter()
            .zip(outcomes)
            .map(|(member, outcome)| LinkResult {
                member: member.clone(),
                outcome: match outcome {
                    Applied::Applied => LinkOutcome::Unlinked(Reason::NeverTried),
                    _ => LinkOutcome::Unchanged,
                },
            })
            .collect();
        Ok(LinkSummary {
            batch,
            members: members.len(),
            calls: 0,
            linked: 0,
            unlinked: results.iter().filter(|one| matches!(one.outcome, LinkOutcome::Unlinked(_))).count(),
            elapsed: self.inner.clock.instant().saturating_duration_since(started),
            results,
            stopped: None,
            cancelled: false,
        })
    }

    /// Undoes a linking or an unlinking, the latest when `batch` is `None`.
    ///
    /// # Errors
    /// NotFound where there is nothing to undo, read-only, or the store's.
    pub async fn undo_link(&self, integration: &IntegrationId, batch: Option<&str>) -> Answer<Undone> {
        const OPERATION: &str = "member.link.undo";
        let store = self.gate(Right::Administer, OPERATION, batch.unwrap_or("the latest linking")).await?;
        match store.undo_links(integration, batch).await.told() {
            Ok(report) => {
                let mut row = NewOperation::ok(OPERATION, &report.batch);
                row.reason =
                    Some(format!("{} put back, {} left alone", report.restored.len(), report.skipped.len()));
                self.log(row).await;
                Ok(Undone { batch: report.batch, restored: report.restored, skipped: report.skipped })
            }
            Err(fault) => self.logged(OPERATION, batch.unwrap_or("the latest linking"), Err(fault)).await,
        }
    }

    /// Links members to accounts that are known otherwise: they signed in, or an admin says so (R45).
    ///
    /// # Errors
    /// Read-only, or the store's. A member whose account is another's stays as it is.
    pub async fn link_accounts(
        &self,
        integration: &IntegrationId,
        accounts: Vec<(MemberId, OpenId)>,
        origin: LinkOrigin,
    ) -> Answer<usize> {
        const OPERATION: &str = "member.link";
        let target = format!("{} members", accounts.len());
        let store = self.gate(Right::Administer, OPERATION, &target).await?;
        let batch = self.inner.store.new_batch_id();
        let changes = accounts
            .into_iter()
            .map(|(member, open_id)| LinkChange { member, open_id: Some(open_id), origin, reason: None })
            .collect();
        let done = store.apply_links(integration, &batch, changes).await.told();
        let outcomes = self.logged(OPERATION, &target, done).await?;
        Ok(outcomes.iter().filter(|outcome| matches!(outcome, Applied::Applied)).count())
    }
}

/// What need not be asked about.
enum Known {
    /// Everybody was named: all but those who are linked are asked about.
    Nothing,
    /// Nobody was named. The run that was cut short, if there is one, has its answers.
    Of(Option<Running>),
}

impl Known {
    /// What is known of a member without asking.
    fn outcome(&self, member: &Member) -> Option<LinkOutcome> {
        if member.link.is_some() {
            return Some(LinkOutcome::Unchanged);
        }
        let Self::Of(cut_short) = self else { return None };
        let reason = member.reason?;
        let is_answer = match (reason, member.looked_up_at, cut_short) {
            (Reason::OptedOut, ..) => true,
            (
                Reason::NotFound | Reason::ConflictTwoPeople | Reason::AlreadyLinked,
                Some(at),
                Some(running),
            ) => at >= running.started_at,
            _ => false,
        };
        is_answer.then_some(LinkOutcome::Unlinked(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_of_the_cut_run_are_taken_over() {
        let member = |reason, at: Option<i64>| Member {
            id: "m1".parse().unwrap(),
            name: "Ann".into(),
            email: None,
            phone: None,
            team: None,
            licence: None,
            link: None,
            reason,
            looked_up_at: at.map(Timestamp::from_ms),
        };
        let run = Running { batch: "b".into(), started_at: Timestamp::from_ms(100) };
        let resumed = Known::Of(Some(run));
        let outcome = |known: &Known, reason, at| known.outcome(&member(reason, at));
        let left = |reason| Some(LinkOutcome::Unlinked(reason));
        assert_eq!(outcome(&resumed, Some(Reason::NotFound), Some(100)), left(Reason::NotFound));
        assert_eq!(outcome(&resumed, Some(Reason::NotFound), Some(99)), None);
        assert_eq!(outcome(&resumed, Some(Reason::RateLimited), Some(100)), None);
        assert_eq!(outcome(&resumed, None, None), None);
        assert_eq!(outcome(&Known::Of(None), Some(Reason::NotFound), Some(100)), None);
        // Who wanted out is asked about by name alone.
        assert_eq!(outcome(&Known::Of(None), Some(Reason::OptedOut), None), left(Reason::OptedOut));
        assert_eq!(outcome(&Known::Nothing, Some(Reason::OptedOut), None), None);
    }
}
