//! Integrations, their secrets, and the rule that one at most has War Room (R37).

use super::{
    Store, StoreError, View,
    db::{CHUNK_ROWS, Tx},
    feed::ChangeKind,
    key,
    sql::{Bulk, Conn, Row, Value, q},
};
use crate::core::{
    ids::{AppId, AppKey, IntegrationId, TenantKey},
    integration::{AppCredentials, AppSummary, ImKind, Integration, Receive},
    secret::Secret,
};

/// Names of the secrets, also in their seals.
const APP_SECRET: &str = "app_secret";
const ENCRYPT_KEY: &str = "encrypt_key";
const VERIFICATION_TOKEN: &str = "verification_token";

/// What is shown of a secret that does not open.
const DOTS: &str = "••••••••";

/// An integration that is about to be added.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    /// Unique in the store.
    pub name: String,
    /// The platform.
    pub kind: ImKind,
    /// The app, for Feishu and Lark.
    pub app: Option<AppCredentials>,
    /// How events come in.
    pub receive: Receive,
}

/// What becomes of an optional secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretPatch {
    /// It stays.
    #[default]
    Keep,
    /// It is replaced.
    Set(Secret),
    /// It is taken away.
    Clear,
}

/// Changes of an integration; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct IntegrationPatch {
    /// New name.
    pub name: Option<String>,
    /// New app and host.
    pub app: Option<AppKey>,
    /// New App Secret.
    pub app_secret: Option<Secret>,
    /// Encrypt Key.
    pub encrypt_key: SecretPatch,
    /// Verification Token.
    pub verification_token: SecretPatch,
    /// New receive mode.
    pub receive: Option<Receive>,
}

impl Store {
    /// Adds an integration.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], [`StoreError::AppTaken`], a key error, or the engine's.
    pub async fn add_integration(&self, new: NewIntegration) -> Result<Integration, StoreError> {
        let id: IntegrationId =
            super::new_id("i_").parse().map_err(|error| StoreError::data("integration id", error))?;
        let mut tx = self.db().write("add the integration").await?;
        check_free(&mut tx, &id, Some(&new.name), new.app.as_ref().map(|app| &app.key)).await?;
        let (key, now) = (new.app.as_ref().map(|app| &app.key), tx.now());
        q("insert into integration (id, name, kind, base_url, app_id, war_room, receive, created_at)
            values ($1, $2, $3, $4, $5, 0, $6, $7)")
        .bind(&id)
        .bind(new.name.as_str())
        .bind(new.kind.as_str())
        .bind(key.map(|key| &*key.base_url))
        .bind(key.map(|key| &key.app_id))
        .bind(new.receive.as_str())
        .bind(now)
        .run(&mut tx)
        .await?;
        if let Some(app) = &new.app {
            let keys = &self.inner().keys;
            key::put_secret(keys, &mut tx, &id, APP_SECRET, &app.app_secret).await?;
            if let Some(secret) = &app.encrypt_key {
                key::put_secret(keys, &mut tx, &id, ENCRYPT_KEY, secret).await?;
            }
            if let Some(secret) = &app.verification_token {
                key::put_secret(keys, &mut tx, &id, VERIFICATION_TOKEN, secret).await?;
            }
        }
        tx.tell(ChangeKind::Integration, id.as_str(), None).await?;
        tx.commit().await?;
        self.integration(&id).await
    }
}

impl View {
    /// All integrations, by name.
    ///
    /// # Errors
    /// The engine's. Secrets that cannot be opened are shown as dots, without an error.
    pub async fn integrations(&self) -> Result<Vec<Integration>, StoreError> {
        let mut read = self.db().read("list the integrations").await?;
        let rows =
            q("select id, name, kind, base_url, app_id, tenant, bot_name, bot_open_id, war_room, receive,
            created_at from integration order by name")
            .all(&mut read)
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(self.read_integration(&mut read, row).await?);
        }
        Ok(found)
    }

    async fn read_integration(&self, conn: &mut Conn, row: &Row) -> Result<Integration, StoreError> {
        let id: IntegrationId = row.parse(0, "integration id")?;
        let app_id: Option<AppId> = row.opt_parse(4, "App ID")?;
        let app = match (row.opt_text(3)?, app_id) {
            (Some(base_url), Some(app_id)) => {
                let masked = |secret: Result<Option<Secret>, StoreError>| match secret {
                    Ok(secret) => secret.map(|secret| secret.masked()),
                    Err(_) => Some(DOTS.to_owned()),
                };
                let keys = &self.inner().keys;
                Some(AppSummary {
                    key: AppKey { base_url: base_url.into(), app_id },
                    tenant: row.opt_parse(5, "tenant_key")?,
                    bot_name: row.opt_string(6)?,
                    bot_open_id: row.opt_string(7)?,
                    app_secret_masked: masked(key::get_secret(keys, conn, &id, APP_SECRET).await)
                        .unwrap_or_default(),
                    encrypt_key_masked: masked(key::get_secret(keys, conn, &id, ENCRYPT_KEY).await),
                    verification_token_masked: masked(
                        key::get_secret(keys, conn, &id, VERIFICATION_TOKEN).await,
                    ),
                })
            }
            _ => None,
        };
        Ok(Integration {
            id,
            name: row.string(1)?,
            kind: row.parse(2, "kind of integration")?,
            app,
            war_room: row.flag(8)?,
            receive: row.parse(9, "receive mode")?,
            created_at: row.at(10)?,
        })
    }

    /// One integration.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn integration(&self, id: &IntegrationId) -> Result<Integration, StoreError> {
        let mut all = self.integrations().await?.into_iter();
        all.find(|one| one.id == *id).ok_or_else(|| StoreError::not_found("integration", id))
    }

    /// The integration of that name (exact, else without regard to case) or id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn integration_by_name(&self, name: &str) -> Result<Integration, StoreError> {
        let all = self.integrations().await?;
        let folded = name.to_lowercase();
        let exact = all.iter().position(|one| one.name == name || one.id.as_str() == name);
        exact
            .or_else(|| all.iter().position(|one| one.name.to_lowercase() == folded))
            .and_then(|at| all.into_iter().nth(at))
            .ok_or_else(|| StoreError::not_found("integration", name))
    }

    /// The integration of an app.
    ///
    /// # Errors
    /// The engine's.
    pub async fn integration_of_app(&self, app: &AppKey) -> Result<Option<Integration>, StoreError> {
        let all = self.integrations().await?;
        Ok(all.into_iter().find(|one| one.app.as_ref().is_some_and(|summary| summary.key == *app)))
    }
}

impl Store {
    /// Changes an integration.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NameTaken`], [`StoreError::AppTaken`], a key error, or the
    /// engine's.
    pub async fn update_integration(
        &self,
        id: &IntegrationId,
        patch: IntegrationPatch,
    ) -> Result<Integration, StoreError> {
        let mut tx = self.db().write("change the integration").await?;
        check_free(&mut tx, id, patch.name.as_deref(), patch.app.as_ref()).await?;
        let changed =
            q("update integration set name = coalesce($2, name), base_url = coalesce($3, base_url),
            app_id = coalesce($4, app_id), receive = coalesce($5, receive),
            tenant = case when app_id <> coalesce($4, app_id) then null else tenant end,
            bot_name = case when app_id <> coalesce($4, app_id) then null else bot_name end,
            bot_open_id = case when app_id <> coalesce($4, app_id) then null else bot_open_id end
            where id = $1")
            .bind(id)
            .bind(patch.name.as_deref())
            .bind(patch.app.as_ref().map(|app| &*app.base_url))
            .bind(patch.app.as_ref().map(|app| &app.app_id))
            .bind(patch.receive.map(Receive::as_str))
            .run(&mut tx)
            .await?;
        if changed == 0 {
            return Err(StoreError::not_found("integration", id));
        }
        if let Some(secret) = &patch.app_secret {
            key::put_secret(&self.inner().keys, &mut tx, id, APP_SECRET, secret).await?;
        }
        for (column, change) in
            [(ENCRYPT_KEY, &patch.encrypt_key), (VERIFICATION_TOKEN, &patch.verification_token)]
        {
            match change {
                SecretPatch::Keep => {}
                SecretPatch::Set(secret) => {
                    key::put_secret(&self.inner().keys, &mut tx, id, column, secret).await?
                }
                SecretPatch::Clear => key::drop_secret(&mut tx, id, column).await?,
            }
        }
        tx.tell(ChangeKind::Integration, id.as_str(), None).await?;
        tx.commit().await?;
        self.integration(id).await
    }

    /// Removes an integration with its secrets, links, rooms and messages. The operation log stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn remove_integration(&self, id: &IntegrationId) -> Result<(), StoreError> {
        let mut tx = self.db().write("remove the integration").await?;
        q("delete from lease where exists (select 1 from integration i
            where i.id = $1 and i.base_url = lease.base_url and i.app_id = lease.app_id)")
        .bind(id)
        .run(&mut tx)
        .await?;
        if q("delete from integration where id = $1").bind(id).run(&mut tx).await? == 0 {
            return Err(StoreError::not_found("integration", id));
        }
        q("delete from secret where integration_id = $1").bind(id).run(&mut tx).await?;
        q("delete from press where integration_id = $1").bind(id).run(&mut tx).await?;
        tx.tell(ChangeKind::Integration, id.as_str(), None).await?;
        tx.commit().await?;
        self.sweep_links(id).await?;
        self.sweep_logins(id).await?;
        self.sweep_rooms(id).await
    }

    async fn sweep_links(&self, id: &IntegrationId) -> Result<(), StoreError> {
        loop {
            let mut tx = self.db().write("remove the links of the integration").await?;
            let gone = q("delete from member_link where integration_id = $1 and member_id in
                (select member_id from member_link where integration_id = $1 limit 256)")
            .bind(id)
            .run(&mut tx)
            .await?;
            tx.commit().await?;
            if gone == 0 {
                return Ok(());
            }
            super::pause().await;
        }
    }

    /// A stop in the middle leaves rooms of no integration, which nothing lists.
    async fn sweep_rooms(&self, id: &IntegrationId) -> Result<(), StoreError> {
        let drop_reactions = Bulk::list("delete from reaction where message_id in", "");
        let drop_messages = Bulk::list("delete from message where message_id in", "");
        loop {
            let mut tx = self.db().write("remove the rooms of the integration").await?;
            let room =
                q("select chat_id from room where integration_id = $1 limit 1").bind(id).one(&mut tx).await?;
            let Some(room) = room else { return Ok(()) };
            let chat = room.string(0)?;
            let limit = i64::try_from(CHUNK_ROWS).unwrap_or(64);
            let rows = q("select message_id from message where chat_id = $1 limit $2")
                .bind(chat.as_str())
                .bind(limit)
                .all(&mut tx)
                .await?;
            let ids = rows.iter().map(|row| row.string(0).map(Value::from)).collect::<Result<Vec<_>, _>>()?;
            if ids.is_empty() {
                for text in [
                    "delete from mention where chat_id = $1",
                    "delete from room_member where chat_id = $1",
                    "delete from seam where chat_id = $1",
                    "delete from read_mark where chat_id = $1",
                    "delete from outbox where chat_id = $1",
                    "delete from room where chat_id = $1",
                ] {
                    q(text).bind(chat.as_str()).run(&mut tx).await?;
                }
            } else {
                drop_reactions.run(&mut tx, ids.clone()).await?;
                drop_messages.run(&mut tx, ids).await?;
            }
            tx.commit().await?;
            super::pause().await;
        }
    }
}

impl View {
    /// The app and its secrets in the clear.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (also for a kind without an app), [`StoreError::KeyLost`],
    /// [`StoreError::Tampered`], or the engine's.
    pub async fn credentials(&self, id: &IntegrationId) -> Result<AppCredentials, StoreError> {
        let mut read = self.db().read("read the app's credentials").await?;
        let row = q("select base_url, app_id from integration where id = $1 and app_id is not null")
            .bind(id)
            .one(&mut read)
            .await?
            .ok_or_else(|| StoreError::not_found("app of the integration", id))?;
        let keys = &self.inner().keys;
        Ok(AppCredentials {
            key: AppKey { base_url: row.text(0)?.into(), app_id: row.parse(1, "App ID")? },
            app_secret: key::get_secret(keys, &mut read, id, APP_SECRET)
                .await?
                .ok_or_else(|| StoreError::not_found("App Secret of the integration", id))?,
            encrypt_key: key::get_secret(keys, &mut read, id, ENCRYPT_KEY).await?,
            verification_token: key::get_secret(keys, &mut read, id, VERIFICATION_TOKEN).await?,
        })
    }
}

impl Store {
    /// Turns War Room on or off.
    ///
    /// # Errors
    /// [`StoreError::WarRoomHeld`] naming the integration that has it, [`StoreError::NotFound`], or the
    /// engine's.
    pub async fn set_war_room(&self, id: &IntegrationId, on: bool) -> Result<(), StoreError> {
        let mut tx = self.db().write("change War Room").await?;
        if on {
            let holder = q("select name from integration where war_room = 1 and id <> $1")
                .bind(id)
                .one(&mut tx)
                .await?;
            if let Some(row) = holder {
                return Err(StoreError::WarRoomHeld { by: row.string(0)? });
            }
        }
        if q("update integration set war_room = $2 where id = $1").bind(id).bind(on).run(&mut tx).await? == 0
        {
            return Err(StoreError::not_found("integration", id));
        }
        tx.tell(ChangeKind::Integration, id.as_str(), None).await?;
        tx.commit().await
    }

    /// Remembers what the platform has told about the app; `None` leaves what is known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn set_app_facts(
        &self,
        id: &IntegrationId,
        tenant: Option<&TenantKey>,
        bot_name: Option<&str>,
        bot_open_id: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().write("remember the app's name").await?;
        let row = q("select app_id, coalesce(tenant = coalesce($2, tenant), $2 is null)
                and coalesce(bot_name = coalesce($3, bot_name), $3 is null)
                and coalesce(bot_open_id = coalesce($4, bot_open_id), $4 is null)
            from integration where id = $1")
        .bind(id)
        .bind(tenant)
        .bind(bot_name)
        .bind(bot_open_id)
        .one(&mut tx)
        .await?
        .ok_or_else(|| StoreError::not_found("integration", id))?;
        if row.flag(1)? {
            return Ok(());
        }
        q("update integration set tenant = coalesce($2, tenant), bot_name = coalesce($3, bot_name),
            bot_open_id = coalesce($4, bot_open_id) where id = $1")
        .bind(id)
        .bind(tenant)
        .bind(bot_name)
        .bind(bot_open_id)
        .run(&mut tx)
        .await?;
        if let (Some(app_id), Some(name)) = (row.opt_string(0)?, bot_name) {
            let mut names = vec![(app_id, Some(name.to_owned()))];
            names.extend(bot_open_id.map(|id| (id.to_owned(), Some(name.to_owned()))));
            super::person::put(&mut tx, &names).await?;
        }
        tx.tell(ChangeKind::Integration, id.as_str(), None).await?;
        tx.commit().await
    }
}

impl View {
    /// The integrations that use an app id, on whatever host.
    ///
    /// # Errors
    /// The engine's.
    pub async fn integrations_of_app_id(&self, app_id: &AppId) -> Result<Vec<Integration>, StoreError> {
        let all = self.integrations().await?;
        Ok(all.into_iter().filter(|one| one.app.as_ref().is_some_and(|app| app.app_id() == app_id)).collect())
    }
}

/// Refuses a name or an app that another integration has, by name.
async fn check_free(
    tx: &mut Tx<'_>,
    id: &IntegrationId,
    name: Option<&str>,
    app: Option<&AppKey>,
) -> Result<(), StoreError> {
    if let Some(name) = name {
        let other =
            q("select 1 from integration where name = $1 and id <> $2").bind(name).bind(id).one(tx).await?;
        if other.is_some() {
            return Err(StoreError::NameTaken { name: name.to_owned() });
        }
    }
    if let Some(app) = app {
        let other = q("select name from integration where base_url = $1 and app_id = $2 and id <> $3")
            .bind(&*app.base_url)
            .bind(&app.app_id)
            .bind(id)
            .one(tx)
            .await?;
        if let Some(row) = other {
            return Err(StoreError::AppTaken { app: app.to_string(), by: row.string(0)? });
        }
    }
    Ok(())
}
