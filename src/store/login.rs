//! Logins by browser: states that were used, sessions, invitations, and the key that signs them all.

use super::{
    Store, StoreError, View, key,
    sql::{Row, q},
};
use crate::core::{
    ids::{AppId, IntegrationId, MemberId, OpenId},
    secret::Secret,
    time::Timestamp,
};

/// Name of the signing key among the secrets of an integration, and in its seal.
const SIGNING_KEY: &str = "signing_key";

/// A session of a browser. Its id is a hash: what the browser holds cannot be had from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// At which integration.
    pub integration: IntegrationId,
    /// The app that knows the account by its id.
    pub app_id: AppId,
    /// Who signed in.
    pub open_id: OpenId,
    /// The account's name at that time. Foreign text.
    pub name: String,
    /// The newest generation of the cookie that has come back.
    pub generation: u32,
    /// Since when it is the newest.
    pub rotated_at: Timestamp,
    /// When the person signed in.
    pub signed_in_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An invitation of a member to link by signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// At which integration.
    pub integration: IntegrationId,
    /// Who.
    pub member: MemberId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

impl Store {
    /// The key that signs what browsers are given for an integration; made on first use, sealed like every
    /// secret, the same for all processes on the store.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], a key error, or the engine's.
    pub async fn signing_key(&self, integration: &IntegrationId) -> Result<Secret, StoreError> {
        let keys = &self.inner().keys;
        let mut read = self.db().read("read the signing key").await?;
        if let Some(found) = key::get_secret(keys, &mut read, integration, SIGNING_KEY).await? {
            return Ok(found);
        }
        drop(read);
        let mut random = [0u8; 32];
        getrandom::fill(&mut random)
            .map_err(|_| StoreError::data("signing key", "the system gives no randomness"))?;
        let made = Secret::new(random.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let mut tx = self.db().write("make the signing key").await?;
        if q("select 1 from integration where id = $1").bind(integration).one(&mut tx).await?.is_none() {
            return Err(StoreError::not_found("integration", integration));
        }
        // Another process may have made it while this one waited.
        if let Some(found) = key::get_secret(keys, &mut tx, integration, SIGNING_KEY).await? {
            return Ok(found);
        }
        key::put_secret(keys, &mut tx, integration, SIGNING_KEY, &made).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Uses a login's state up; `false`: it was used before.
    ///
    /// # Errors
    /// The engine's.
    pub async fn use_login_state(&self, hash: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.db().write("use the state of a login").await?;
        let is_first =
            q("insert into login_state (state_hash, expires_at) values ($1, $2) on conflict do nothing")
                .bind(hash)
                .bind(expires_at)
                .run(&mut tx)
                .await?
                == 1;
        tx.commit().await?;
        Ok(is_first)
    }
}

impl View {
    /// Whether a login's state was used.
    ///
    /// # Errors
    /// The engine's.
    pub async fn is_login_state_used(&self, hash: &str) -> Result<bool, StoreError> {
        let mut read = self.db().read("look at the state of a login").await?;
        Ok(q("select 1 from login_state where state_hash = $1").bind(hash).one(&mut read).await?.is_some())
    }
}

impl Store {
    /// Keeps a new session.
    ///
    /// # Errors
    /// The engine's.
    pub async fn add_session(&self, hash: &str, session: &Session) -> Result<(), StoreError> {
        let mut tx = self.db().write("keep a session").await?;
        q("insert into session (id_hash, integration_id, app_id, open_id, name, generation, rotated_at,
            signed_in_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(hash)
        .bind(&session.integration)
        .bind(&session.app_id)
        .bind(&session.open_id)
        .bind(session.name.as_str())
        .bind(session.generation)
        .bind(session.rotated_at)
        .bind(session.signed_in_at)
        .bind(session.expires_at)
        .run(&mut tx)
        .await?;
        tx.commit().await
    }
}

impl View {
    /// A session that has not ended, and now as the store sees it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn session(&self, hash: &str) -> Result<Option<(Session, Timestamp)>, StoreError> {
        let mut read = self.db().read("look for a session").await?;
        let now = self.db().shared_now(&mut read).await?;
        let row = q(
            "select integration_id, app_id, open_id, name, generation, rotated_at, signed_in_at, expires_at
            from session where id_hash = $1 and expires_at > $2",
        )
        .bind(hash)
        .bind(now)
        .one(&mut read)
        .await?;
        row.as_ref().map(|row| Ok((read_session(row)?, now))).transpose()
    }
}

impl Store {
    /// The next generation of a session has come back; `false`: another request was first, or it is gone.
    ///
    /// # Errors
    /// The engine's.
    pub async fn raise_session(
        &self,
        hash: &str,
        generation: u32,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().write("rotate a session").await?;
        let now = tx.now();
        let changed = q("update session set generation = $2, rotated_at = $3, expires_at = $4
            where id_hash = $1 and generation = $2 - 1")
        .bind(hash)
        .bind(generation)
        .bind(now)
        .bind(expires_at)
        .run(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The engine's.
    pub async fn drop_session(&self, hash: &str) -> Result<(), StoreError> {
        let mut tx = self.db().write("end a session").await?;
        q("delete from session where id_hash = $1").bind(hash).run(&mut tx).await?;
        tx.commit().await
    }

    /// Keeps a new invitation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the member, or the engine's.
    pub async fn add_invitation(&self, hash: &str, invitation: &Invitation) -> Result<(), StoreError> {
        let mut tx = self.db().write("keep an invitation").await?;
        let member = &invitation.member;
        if q("select 1 from member where id = $1").bind(member).one(&mut tx).await?.is_none() {
            return Err(StoreError::not_found("member", member));
        }
        let now = tx.now();
        q("insert into invitation (id_hash, integration_id, member_id, created_at, expires_at)
            values ($1, $2, $3, $4, $5)")
        .bind(hash)
        .bind(&invitation.integration)
        .bind(member)
        .bind(now)
        .bind(invitation.expires_at)
        .run(&mut tx)
        .await?;
        tx.commit().await
    }
}

impl View {
    /// An invitation, used, ended or not.
    ///
    /// # Errors
    /// The engine's.
    pub async fn invitation(&self, hash: &str) -> Result<Option<Invitation>, StoreError> {
        let mut read = self.db().read("look for an invitation").await?;
        let row =
            q("select integration_id, member_id, expires_at, used_at from invitation where id_hash = $1")
                .bind(hash)
                .one(&mut read)
                .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Invitation {
            integration: row.parse(0, "integration id")?,
            member: row.parse(1, "member id")?,
            expires_at: row.at(2)?,
            used_at: row.opt_at(3)?,
        }))
    }
}

impl Store {
    /// Uses up every invitation of a member who is linked now.
    ///
    /// # Errors
    /// The engine's.
    pub async fn use_invitations(
        &self,
        integration: &IntegrationId,
        member: &MemberId,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().write("use an invitation").await?;
        let now = tx.now();
        q("update invitation set used_at = $3 where integration_id = $1 and member_id = $2 and used_at is null")
            .bind(integration)
            .bind(member)
            .bind(now)
            .run(&mut tx)
            .await?;
        tx.commit().await
    }

    /// Forgets states, sessions and invitations that have ended: some hundred rows a call. An invitation is
    /// remembered for a while after its end, so that its page can say what is wrong with it; `None`: this process
    /// forgets none.
    ///
    /// # Errors
    /// The engine's.
    pub async fn prune_logins(&self, invitations_before: Option<Timestamp>) -> Result<u64, StoreError> {
        let mut tx = self.db().write("forget old logins").await?;
        let now = tx.now();
        let mut gone = 0;
        for (text, before) in [
            (
                "delete from login_state where state_hash in (select state_hash from login_state
                    where expires_at < $1 order by expires_at limit 256)",
                Some(now),
            ),
            (
                "delete from session where id_hash in (select id_hash from session
                    where expires_at < $1 order by expires_at limit 256)",
                Some(now),
            ),
            (
                "delete from invitation where id_hash in (select id_hash from invitation
                    where expires_at < $1 order by expires_at limit 256)",
                invitations_before,
            ),
        ] {
            if let Some(before) = before {
                gone += q(text).bind(before).run(&mut tx).await?;
            }
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// Ends the sessions and invitations of an integration that is removed, in small steps.
    pub(super) async fn sweep_logins(&self, integration: &IntegrationId) -> Result<(), StoreError> {
        loop {
            let mut tx = self.db().write("remove the sessions of the integration").await?;
            let mut gone = 0;
            for text in [
                "delete from session where id_hash in
                    (select id_hash from session where integration_id = $1 limit 256)",
                "delete from invitation where id_hash in
                    (select id_hash from invitation where integration_id = $1 limit 256)",
            ] {
                gone += q(text).bind(integration).run(&mut tx).await?;
            }
            tx.commit().await?;
            if gone == 0 {
                return Ok(());
            }
            super::pause().await;
        }
    }
}

fn read_session(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        integration: row.parse(0, "integration id")?,
        app_id: row.parse(1, "App ID")?,
        open_id: row.parse(2, "open_id")?,
        name: row.string(3)?,
        generation: row.count(4)?,
        rotated_at: row.at(5)?,
        signed_in_at: row.at(6)?,
        expires_at: row.at(7)?,
    })
}
