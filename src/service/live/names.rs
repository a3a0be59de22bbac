//! Names of people who write but are not known yet: looked up in batches, out of the way of everything else.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::{
    core::{
        error::{Kind, Problem},
        ids::{IntegrationId, OpenId},
        permit::{Class, Feature},
    },
    feishu::Ask,
};

use super::super::deck::{Answer, Deck, Told, lock};

/// People of one call.
const BATCH: usize = 50;
/// How long ids are gathered before a call.
const GATHER: Duration = Duration::from_millis(300);
/// A name is good for so long.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// After "would not tell", it is asked again so much later.
const UNTOLD_FOR: Duration = Duration::from_secs(24 * 3600);
/// Longest wait for a permit; names are the last to get one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ids that wait for their names, by integration.
pub(in super::super) type Wanted = HashMap<IntegrationId, HashSet<String>>;

impl Deck {
    /// Asks for the names of these ids some time soon, where they are not known. Read-only deck or not: it
    /// changes nothing of the tenant.
    pub(in super::super) fn want_names(
        &self,
        integration: &IntegrationId,
        ids: impl IntoIterator<Item = String>,
    ) {
        let mut ids = ids.into_iter().filter(|id| id.starts_with("ou_")).peekable();
        if ids.peek().is_none() {
            return;
        }
        let is_first = {
            let mut wanted = lock(&self.inner.wanted_names);
            let waiting = wanted.entry(integration.clone()).or_default();
            let is_first = waiting.is_empty();
            waiting.extend(ids);
            is_first
        };
        if is_first && !self.inner.closing.is_cancelled() {
            let (deck, integration) = (self.clone(), integration.clone());
            self.inner.tasks.spawn(async move {
                let closing = deck.inner.closing.clone();
                closing.run_until_cancelled(deck.look_up_names(&integration)).await;
            });
        }
    }

    /// The names that are known of these ids: open_id or app_id, and the name. Foreign text.
    ///
    /// # Errors
    /// The store's.
    pub async fn names(&self, ids: &[String]) -> Answer<Vec<(String, String)>> {
        let known = self.inner.store.people(ids).await.told()?;
        Ok(known.into_iter().filter_map(|person| Some((person.id, person.name?))).collect())
    }

    async fn look_up_names(&self, integration: &IntegrationId) {
        tokio::time::sleep(GATHER).await;
        let ids: Vec<String> =
            lock(&self.inner.wanted_names).remove(integration).unwrap_or_default().into_iter().collect();
        if let Err(fault) = self.try_names(integration, ids).await {
            tracing::warn!(%integration, %fault, "names not looked up");
        }
    }

    async fn try_names(&self, integration: &IntegrationId, mut ids: Vec<String>) -> Answer<()> {
        let now = self.shared_now().await?;
        let known = self.inner.store.people(&ids).await.told()?;
        let is_fresh = |id: &String| {
            known.iter().find(|person| person.id == *id).is_some_and(|person| {
                let good_for = if person.name.is_some() { KNOWN_FOR } else { UNTOLD_FOR };
                now.since(person.known_at) < good_for
            })
        };
        ids.retain(|id| !is_fresh(id));
        let people: Vec<OpenId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        if people.is_empty() {
            return Ok(());
        }
        let Some(store) = self.keeping_or_viewer().await? else { return Ok(()) };
        let client = self.client(integration).await?;
        let ask = Ask::new(Class::Decoration, Feature::People).within(PATIENCE);
        for batch in people.chunks(BATCH) {
            let found = match client.users(ask, batch).await {
                Ok(found) => found,
                // Without the scope the answer stays the same until somebody grants it: ask again in a day.
                Err(error) if matches!(error.kind(), Kind::Permission | Kind::NotFound | Kind::Remote) => {
                    tracing::warn!(%error, "names not told");
                    Vec::new()
                }
                Err(error) => return Err(error).told(),
            };
            let told: HashMap<String, String> = found
                .into_iter()
                .filter(|person| !person.name.is_empty())
                .map(|person| (person.open_id.to_string(), person.name))
                .collect();
            let rows = batch.iter().map(|id| (id.to_string(), told.get(id.as_str()).cloned())).collect();
            store.put_people(rows).await.told()?;
        }
        Ok(())
    }
}
