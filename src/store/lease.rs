//! Who holds an app's live connection: a row with an epoch and a beat, and no clock in it.

use super::{
    Store, StoreError, View,
    feed::ChangeKind,
    sql::{Conn, Row, q},
};
use crate::core::{
    ids::AppKey,
    integration::{Holder, Live, LiveState},
    message::Via,
};

/// A state of the lease that a follower has watched: when it has not moved for long enough on the follower's
/// own clock, the follower takes over by naming it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseMark {
    /// Number of the holding; grows with each take-over.
    pub epoch: i64,
    /// Raised by the holder.
    pub beat: i64,
}

/// The lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// Who holds it; `None` when it was released.
    pub holder: Option<Holder>,
    /// Where it stands.
    pub mark: LeaseMark,
}

/// What came of trying to get the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours, under this epoch.
    Ours {
        /// To be named with each beat and check.
        epoch: i64,
        /// The holder before did not release it: some of its events may still come by redelivery.
        taken_over: bool,
    },
    /// Another holds it.
    HeldBy(LeaseRow),
}

fn state_text(state: &LiveState) -> Result<String, StoreError> {
    serde_json::to_string(state).map_err(|error| StoreError::data("live state", error))
}

fn read_lease(row: &Row) -> Result<LeaseRow, StoreError> {
    let holder = match row.opt_string(2)? {
        None => None,
        Some(user) => Some(Holder { user, host: row.string(3)?, pid: row.count(4)? }),
    };
    Ok(LeaseRow { holder, mark: LeaseMark { epoch: row.int(0)?, beat: row.int(1)? } })
}

async fn lease(conn: &mut Conn, app: &AppKey) -> Result<Option<LeaseRow>, StoreError> {
    let row = q("select epoch, beat, holder_user, holder_host, holder_pid from lease
        where base_url = $1 and app_id = $2")
    .bind(&*app.base_url)
    .bind(&app.app_id)
    .one(conn)
    .await?;
    row.as_ref().map(read_lease).transpose()
}

impl Store {
    /// Takes the lease where nobody holds it, or where it still stands exactly at `stale`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn try_acquire(&self, app: &AppKey, stale: Option<LeaseMark>) -> Result<Acquired, StoreError> {
        let mut tx = self.db().write("take the lease").await?;
        let before = lease(&mut tx, app).await?;
        let taken_over = match &before {
            Some(row) if row.holder.is_some() => {
                if stale != Some(row.mark) {
                    return Ok(Acquired::HeldBy(row.clone()));
                }
                true
            }
            _ => false,
        };
        // The number of the feed row is the epoch: it grows for ever, whatever becomes of the lease's row.
        let epoch = tx.tell(ChangeKind::Live, app.app_id.as_str(), None).await?.0;
        let db = tx.db();
        // A beat waits for no transaction: one that came meanwhile keeps the lease where it is.
        let mark = before.as_ref().map(|row| row.mark).unwrap_or(LeaseMark { epoch: 0, beat: 0 });
        let taken = q(
            "insert into lease (base_url, app_id, epoch, beat, holder_user, holder_host, holder_pid, state,
                since_at) values ($1, $2, $3, 0, $4, $5, $6, $7, $8)
            on conflict (base_url, app_id) do update set epoch = excluded.epoch, beat = 0,
                holder_user = excluded.holder_user, holder_host = excluded.holder_host,
                holder_pid = excluded.holder_pid, state = excluded.state, since_at = excluded.since_at
                where lease.epoch = $9 and lease.beat = $10",
        )
        .bind(&*app.base_url)
        .bind(&app.app_id)
        .bind(epoch)
        .bind(db.me.user.as_str())
        .bind(db.me.host.as_str())
        .bind(db.me.pid)
        .bind(state_text(&LiveState::Connecting)?)
        .bind(db.now())
        .bind(mark.epoch)
        .bind(mark.beat)
        .run(&mut tx)
        .await?;
        if taken == 0 {
            let row = lease(&mut tx, app).await?.ok_or_else(|| StoreError::data("lease", "it is gone"))?;
            return Ok(Acquired::HeldBy(row));
        }
        tx.commit().await?;
        Ok(Acquired::Ours { epoch, taken_over })
    }

    /// Raises the beat. `false`: the lease is no longer held under `epoch`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn beat(&self, app: &AppKey, epoch: i64) -> Result<bool, StoreError> {
        let mut touch = self.db().touch("keep the lease").await?;
        let kept = q("update lease set beat = beat + 1
            where base_url = $1 and app_id = $2 and epoch = $3 and holder_user is not null")
        .bind(&*app.base_url)
        .bind(&app.app_id)
        .bind(epoch)
        .run(&mut touch)
        .await?;
        touch.done().await?;
        Ok(kept > 0)
    }

    /// Gives the lease back if it is still held under `epoch`; its live state becomes off.
    ///
    /// # Errors
    /// The engine's.
    pub async fn release(&self, app: &AppKey, epoch: i64) -> Result<(), StoreError> {
        let mut tx = self.db().write("give the lease back").await?;
        let now = tx.db().now();
        let released =
            q("update lease set holder_user = null, holder_host = null, holder_pid = null, state = $4,
            since_at = $5 where base_url = $1 and app_id = $2 and epoch = $3 and holder_user is not null")
            .bind(&*app.base_url)
            .bind(&app.app_id)
            .bind(epoch)
            .bind(state_text(&LiveState::Off)?)
            .bind(now)
            .run(&mut tx)
            .await?;
        if released > 0 {
            tx.tell(ChangeKind::Live, app.app_id.as_str(), None).await?;
        }
        tx.commit().await
    }
}

impl View {
    /// The lease as it stands; `None` when nobody ever held it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn observe(&self, app: &AppKey) -> Result<Option<LeaseRow>, StoreError> {
        let mut read = self.db().read("watch the lease").await?;
        lease(&mut read, app).await
    }

    /// Whether the lease is still held under `epoch`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn check_epoch(&self, app: &AppKey, epoch: i64) -> Result<bool, StoreError> {
        let row = self.observe(app).await?;
        Ok(row.is_some_and(|row| row.holder.is_some() && row.mark.epoch == epoch))
    }
}

impl Store {
    /// Tells everybody the state of the connection held under `epoch`; `false` when it is no longer held.
    /// `since_at` is set to now when the state's word changes.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_live(&self, app: &AppKey, epoch: i64, state: LiveState) -> Result<bool, StoreError> {
        let mut tx = self.db().write("tell the live state").await?;
        let text = state_text(&state)?;
        let row = q("select state from lease
            where base_url = $1 and app_id = $2 and epoch = $3 and holder_user is not null")
        .bind(&*app.base_url)
        .bind(&app.app_id)
        .bind(epoch)
        .one(&mut tx)
        .await?;
        let Some(row) = row else { return Ok(false) };
        if row.text(0)? == text {
            return Ok(true);
        }
        let is_same_word = read_state(row.text(0)?)?.as_str() == state.as_str();
        let since = (!is_same_word).then(|| tx.db().now());
        q("update lease set state = $3, since_at = coalesce($4, since_at) where base_url = $1 and app_id = $2")
            .bind(&*app.base_url)
            .bind(&app.app_id)
            .bind(text)
            .bind(since)
            .run(&mut tx)
            .await?;
        tx.tell(ChangeKind::Live, app.app_id.as_str(), None).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl View {
    /// The live connection as its holder last told it; off where nobody holds it. `last_event_*` are of the
    /// last commit of an event of this app, by whatever way.
    ///
    /// # Errors
    /// The engine's.
    pub async fn live(&self, app: &AppKey) -> Result<Live, StoreError> {
        let mut read = self.db().read("look at the live state").await?;
        let row =
            q("select epoch, beat, holder_user, holder_host, holder_pid, state, since_at, last_event_at,
            last_event_via from lease where base_url = $1 and app_id = $2")
            .bind(&*app.base_url)
            .bind(&app.app_id)
            .one(&mut read)
            .await?;
        let Some(row) = row else { return Ok(Live::default()) };
        let holder = read_lease(&row)?.holder;
        let state = if holder.is_some() { read_state(row.text(5)?)? } else { LiveState::Off };
        Ok(Live {
            state,
            holder,
            since_at: row.opt_at(6)?,
            last_event_at: row.opt_at(7)?,
            last_event_via: row.opt_text(8)?.and_then(Via::parse),
        })
    }
}

fn read_state(text: &str) -> Result<LiveState, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::data("live state", error))
}
