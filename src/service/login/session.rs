//! Sessions of the page: silent visits, rotation, the end of one; and unlinking on request.
//!
//! The cookie carries a generation that each visit raises by one. The store keeps the newest that has come
//! back. An answer that was lost costs nothing: the old cookie is good until its successor is used. After
//! that, an old cookie means that two browsers hold one session, and the session ends for both.

use std::time::Duration;

use crate::{
    core::{
        ids::IntegrationId,
        member::{LinkOrigin, Reason},
        operation::{NewOperation, OperationResult},
        role::Right,
        secret::Secret,
        time::Timestamp,
    },
    feishu::Account,
    store::{LinkChange, LinkOutcome, Session},
};

use super::{
    super::deck::{Answer, Deck, Told},
    no_randomness,
    ticket::{SessionMark, Signer},
    view::*,
};

/// Name of the cookie of a session.
pub const SESSION_COOKIE: &str = "larkdeck_session";

/// A session ends so long after its last visit …
const IDLE_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// … and so long after the person signed in, whatever happens.
const WHOLE_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Requests that were under way together carry the same cookie.
const GRACE: Duration = Duration::from_secs(10);

/// A session that a request has.
struct Held {
    signer: Signer,
    mark: SessionMark,
    session: Session,
    /// When it came, as the store sees it.
    now: Timestamp,
}

impl Deck {
    /// Opens a session for an account that was let in.
    pub(super) async fn open_session(
        &self,
        signer: &Signer,
        integration: &IntegrationId,
        account: &Account,
    ) -> Answer<NewCookie> {
        let now = self.shared_now().await?;
        let mark = signer.new_session().ok_or_else(no_randomness)?;
        let session = Session {
            integration: integration.clone(),
            app_id: self.app_of(integration).await?.key.app_id,
            open_id: account.open_id.clone(),
            name: account.name.clone(),
            generation: mark.generation,
            rotated_at: now,
            signed_in_at: now,
            expires_at: ends_at(now, now),
        };
        self.keeping().await?.add_session(&mark.hash(), &session).await.told()?;
        cookie(signer, mark, IDLE_LIFE).ok_or_else(no_randomness)
    }

    /// A visit with a session's cookie; `None`: there is no such session (any more).
    ///
    /// # Errors
    /// The store's.
    pub async fn visit(&self, integration: &IntegrationId, cookie_text: &str) -> Answer<Option<Visit>> {
        let Some(held) = self.hold_session(integration, cookie_text).await? else { return Ok(None) };
        let Held { signer, mark, session, now } = held;
        let owner = self.inner.store.member_of_account(integration, &session.open_id).await.told()?;
        let member = match owner {
            Some((member, link)) => Some((self.inner.store.member(integration, &member).await.told()?, link)),
            None => None,
        };
        let left = session.expires_at.since(now);
        // A request that came late must not put an older cookie over a newer one.
        let is_newest = mark.generation == session.generation;
        Ok(Some(Visit {
            csrf: signer.csrf(mark).ok_or_else(no_randomness)?,
            session: if is_newest { cookie(&signer, mark.next(), left) } else { None },
            account: VisitAccount {
                open_id: session.open_id,
                name: session.name,
                signed_in_at: session.signed_in_at,
            },
            member,
        }))
    }

    /// Ends the session of a cookie, on request of its page.
    ///
    /// # Errors
    /// The store's.
    pub async fn sign_out(&self, integration: &IntegrationId, cookie: &str, csrf: &str) -> Answer<FormEnd> {
        let Some(held) = self.hold_session(integration, cookie).await? else { return Ok(FormEnd::NoSession) };
        if !held.signer.is_own_form(held.mark, csrf) {
            return Ok(FormEnd::Forged);
        }
        self.keeping().await?.drop_session(&held.mark.hash()).await.told()?;
        Ok(FormEnd::Done)
    }

    /// Takes the link of the account away, on request of the person who is signed in. One-click linking leaves
    /// the member alone from then on.
    ///
    /// # Errors
    /// Read-only, or the store's.
    pub async fn unlink_self(
        &self,
        integration: &IntegrationId,
        cookie: &str,
        csrf: &str,
    ) -> Answer<FormEnd> {
        const OPERATION: &str = "member.unlink";
        let Some(held) = self.hold_session(integration, cookie).await? else { return Ok(FormEnd::NoSession) };
        if !held.signer.is_own_form(held.mark, csrf) {
            return Ok(FormEnd::Forged);
        }
        let account = &held.session.open_id;
        let Some((member, _)) = self.inner.store.member_of_account(integration, account).await.told()? else {
            return Ok(FormEnd::Done);
        };
        let store = self.gate(Right::Administer, OPERATION, &member).await?;
        let change = LinkChange {
            member: member.clone(),
            open_id: None,
            origin: LinkOrigin::Login,
            reason: Some(Reason::OptedOut),
        };
        let done = store.apply_links(integration, &store.new_batch_id(), vec![change]).await.told();
        match done {
            Ok(outcomes) if outcomes.contains(&LinkOutcome::Applied) => {
                let mut row = NewOperation::ok(OPERATION, member.as_str());
                row.reason = Some(format!("by {} ({account}), on the page", held.session.name));
                self.log(row).await;
            }
            Ok(_) => {}
            Err(fault) => return self.logged(OPERATION, &member, Err(fault)).await,
        }
        Ok(FormEnd::Done)
    }

    /// The session of a cookie, with its generation as this request leaves it.
    async fn hold_session(&self, integration: &IntegrationId, cookie: &str) -> Answer<Option<Held>> {
        let signer = self.signer(integration).await?;
        let Some(mark) = signer.read_session(cookie) else { return Ok(None) };
        let hash = mark.hash();
        let Some((mut session, now)) = self.inner.store.session(&hash).await.told()? else { return Ok(None) };
        // Another app knows the same person by another id.
        let is_ours = session.integration == *integration
            && session.app_id == self.app_of(integration).await?.key.app_id;
        if !is_ours {
            return Ok(None);
        }
        if mark.generation == session.generation.saturating_add(1) {
            session.expires_at = ends_at(session.signed_in_at, now);
            // Where another request was first, this one is as good.
            self.keeping().await?.raise_session(&hash, mark.generation, session.expires_at).await.told()?;
            session.generation = mark.generation;
            session.rotated_at = now;
        }
        let is_late =
            mark.generation.saturating_add(1) == session.generation && now.since(session.rotated_at) <= GRACE;
        if mark.generation == session.generation || is_late {
            return Ok(Some(Held { signer, mark, session, now }));
        }
        self.end_stolen(&hash, &session).await?;
        Ok(None)
    }

    /// An old cookie has come back although its successor is in use: somebody has copied it.
    async fn end_stolen(&self, hash: &str, session: &Session) -> Answer<()> {
        self.keeping().await?.drop_session(hash).await.told()?;
        let mut row = NewOperation::ok("member.session", session.open_id.as_str());
        row.result = OperationResult::Refused;
        row.reason = Some(format!(
            "{} ({}): an old cookie came back, so the session was ended",
            session.name, session.open_id
        ));
        row.hint = Some("A browser's cookies were copied or restored. The person signs in again.".to_owned());
        self.log(row).await;
        Ok(())
    }
}

fn ends_at(signed_in_at: Timestamp, now: Timestamp) -> Timestamp {
    now.plus(IDLE_LIFE).min(signed_in_at.plus(WHOLE_LIFE))
}

fn cookie(signer: &Signer, mark: SessionMark, max_age: Duration) -> Option<NewCookie> {
    let value: Secret = signer.session_cookie(mark)?;
    Some(NewCookie { name: SESSION_COOKIE.to_owned(), value, max_age })
}
