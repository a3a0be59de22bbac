//! The way in for what is pushed to the Message Card Request URL: proved with the integration's own keys, then
//! put where the long connection puts its events.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    core::{
        error::{Kind, Problem as _},
        ids::IntegrationId,
        integration::{AppCredentials, AppSummary},
        message::Via,
        operation::{NewOperation, OperationResult},
    },
    feishu::event::{EventError, EventKeys, Incoming, Opened, Signed},
};

use super::{
    deck::{Answer, Deck, Told, lock},
    live::intake::Intake,
};

/// How long keys that were replaced are still taken: the platform's console and larkdeck are not edited in the
/// same instant, and what was refused meanwhile comes again after 15 s and after 5 min.
const GRACE: Duration = Duration::from_secs(10 * 60);
/// A request that the known keys do not prove has the store looked at for newer ones, at most this often.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The way in of one integration.
pub struct Door {
    deck: Deck,
    integration: IntegrationId,
    locks: Mutex<Arc<Locks>>,
    looked_at: Mutex<Instant>,
}

/// What a request is proved with, and where it goes.
struct Locks {
    credentials: AppCredentials,
    app: AppSummary,
    keys: EventKeys,
    /// The keys before these, and until when they are taken.
    before: Option<(EventKeys, Instant)>,
    intake: Arc<Intake>,
}

impl Deck {
    /// The way in of an integration that has an app.
    ///
    /// # Errors
    /// NotFound, Usage where it has no app, or the store's.
    pub async fn door(&self, id: &IntegrationId) -> Answer<Arc<Door>> {
        if let Some(door) = lock(&self.inner.doors).get(id) {
            return Ok(Arc::clone(door));
        }
        let locks = self.locks(id, None).await?;
        let door = Door {
            deck: self.clone(),
            integration: id.clone(),
            locks: Mutex::new(Arc::new(locks)),
            looked_at: Mutex::new(self.inner.clock.instant()),
        };
        // Whoever was faster keeps theirs.
        Ok(Arc::clone(lock(&self.inner.doors).entry(id.clone()).or_insert_with(|| Arc::new(door))))
    }

    /// Takes in what has changed of the integrations; doors of those that are gone are shut.
    ///
    /// # Errors
    /// The store's.
    pub async fn renew_doors(&self) -> Answer<()> {
        let doors: Vec<Arc<Door>> = lock(&self.inner.doors).values().cloned().collect();
        for door in doors {
            match door.renew().await {
                Err(fault) if matches!(fault.kind, Kind::NotFound | Kind::Usage) => {
                    lock(&self.inner.doors).remove(&door.integration);
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn locks(&self, id: &IntegrationId, known: Option<&Locks>) -> Answer<Locks> {
        let app = self.app_of(id).await?;
        let credentials = self.inner.store.credentials(id).await.told()?;
        let now = self.inner.clock.instant();
        let keys = EventKeys::new(credentials.encrypt_key.clone(), credentials.verification_token.clone());
        let before = known.and_then(|known| match known.has_keys_of(&credentials) {
            true => known.before.clone(),
            false => Some((known.keys.clone(), now + GRACE)),
        });
        let intake = match known {
            Some(known) if known.app == app => Arc::clone(&known.intake),
            _ => Arc::new(Intake::new(self.clone(), id.clone(), app.clone())),
        };
        Ok(Locks { credentials, app, keys, before, intake })
    }
}

impl Deck {
    /// Writes to the operation log that events are refused which may well be the platform's: then the keys here
    /// and there differ. `silent`: so many more were refused since this was last written.
    pub async fn log_refused_events(&self, id: &IntegrationId, reason: &'static str, silent: u64) {
        let name = self.inner.store.integration(id).await.map(|it| it.name);
        let mut row = NewOperation::ok("event.refuse", name.unwrap_or_else(|_| id.to_string()));
        row.result = OperationResult::Refused;
        row.reason = Some(match silent {
            0 => reason.to_owned(),
            more => format!("{reason} (and {more} more)"),
        });
        row.hint = Some(
            "Compare Encrypt Key and Verification Token with Events & Callbacks, Encryption Strategy, in the \
             developer console. If they are the same, somebody else calls the URL."
                .to_owned(),
        );
        self.log(row).await;
    }
}

impl Locks {
    fn has_keys_of(&self, other: &AppCredentials) -> bool {
        self.credentials.encrypt_key == other.encrypt_key
            && self.credentials.verification_token == other.verification_token
    }

    fn open(&self, now: Instant, signed: Signed<'_>, body: &[u8]) -> Result<Opened, EventError> {
        let refused = match self.keys.open(signed, body) {
            Err(error) if error.kind() == Kind::Auth => error,
            other => return other,
        };
        match &self.before {
            Some((keys, until)) if now < *until => keys.open(signed, body).map_err(|_| refused),
            _ => Err(refused),
        }
    }
}

impl Door {
    fn locks(&self) -> Arc<Locks> {
        Arc::clone(&lock(&self.locks))
    }

    /// Verifies, decrypts and reads the raw body of a request. A signature is checked before anything is
    /// decrypted or read, so that a refusal is cheap. `None`: it is genuine, and lacks what it must have.
    ///
    /// # Errors
    /// [`EventError`].
    pub async fn open(&self, signed: Signed<'_>, body: &[u8]) -> Result<Option<Opened>, EventError> {
        match self.try_open(signed, body).await {
            Ok(opened) => Ok(Some(opened)),
            Err(error @ EventError::Incomplete { .. }) => {
                tracing::warn!(integration = %self.integration, %error, "event not understood");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn try_open(&self, signed: Signed<'_>, body: &[u8]) -> Result<Opened, EventError> {
        let locks = self.locks();
        let refused = match locks.open(self.deck.inner.clock.instant(), signed, body) {
            Err(error) if error.kind() == Kind::Auth => error,
            other => return other,
        };
        // The keys may have been changed a moment ago, by a process whose word has not come yet.
        if !self.may_look_again() {
            return Err(refused);
        }
        match self.renew().await {
            Ok(()) if !self.locks().has_keys_of(&locks.credentials) => {
                self.locks().open(self.deck.inner.clock.instant(), signed, body)
            }
            Ok(()) => Err(refused),
            Err(fault) => {
                tracing::warn!(integration = %self.integration, %fault, "keys not looked at");
                Err(refused)
            }
        }
    }

    fn may_look_again(&self) -> bool {
        let now = self.deck.inner.clock.instant();
        let mut looked_at = lock(&self.looked_at);
        let is_due = now.saturating_duration_since(*looked_at) >= LOOK_AGAIN_AFTER;
        if is_due {
            *looked_at = now;
        }
        is_due
    }

    async fn renew(&self) -> Answer<()> {
        let known = self.locks();
        let locks = self.deck.locks(&self.integration, Some(&known)).await?;
        *lock(&self.locks) = Arc::new(locks);
        Ok(())
    }

    /// Commits what a request brought. For callbacks, the answer that the person who pressed gets.
    ///
    /// # Errors
    /// The store's: the platform has to send it again.
    pub async fn take(&self, incoming: Incoming) -> Answer<Option<Value>> {
        self.locks().intake.take(incoming, Via::Webhook).await
    }
}
