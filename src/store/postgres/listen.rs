//! Waking up when another process commits: LISTEN on a connection of its own.
//!
//! A wake-up carries the number that the feed has reached. The number in the store decides, and is looked at every
//! 5 s in any case: a wake-up that is lost loses nothing. Behind a pooler that gives each transaction another
//! session nobody is woken; that shows when a knock of our own does not come back.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Executor,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{PgHome, PgResult, explain};
use crate::{
    core::ids::Seq,
    store::{
        db::Db,
        sql::{Query, Text},
        watch::{POLL, look},
    },
};

/// A look at the store that takes longer: it is away.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the connection is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Between two tries to be woken: doubled each time, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Between two tries where wake-ups do not come through.
const DEAF_PAUSE: Duration = Duration::from_secs(60);

/// Follows the commits of others for as long as somebody watches.
pub(in super::super) async fn follow(db: Arc<Db>, home: Arc<PgHome>) {
    let mut ear: Option<Ear> = None;
    let (mut retry_at, mut pause) = (Instant::now(), PAUSES.0);
    let mut look_at = Instant::now();
    loop {
        if home.is_pooled() {
            // Found at any time: from then on nobody listens.
            ear = None;
            retry_at = Instant::now() + DEAF_PAUSE;
            home.is_told(false);
        }
        if ear.is_none() && Instant::now() >= retry_at {
            match Ear::open(&db, &home).await {
                Ok(Some(open)) => {
                    (ear, pause) = (Some(open), PAUSES.0);
                    home.is_told(true);
                    // What was committed before is found by looking.
                    look_at = Instant::now();
                }
                Ok(None) => {
                    tracing::info!("commits of others are not told by the database: it is asked every 5 s");
                    retry_at = Instant::now() + DEAF_PAUSE;
                    home.is_told(false);
                }
                Err(error) => {
                    tracing::warn!(reason = explain::reason(&error), "nothing wakes this process");
                    retry_at = Instant::now() + pause;
                    // A moment without it is no news, and while the database is away that is what there is to say.
                    if pause == PAUSES.1 && !home.is_out_of_reach() {
                        home.is_told(false);
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
        if Instant::now() >= look_at {
            let before = *db.head.borrow();
            if timeout(PATIENCE, look(&db)).await.is_err() {
                home.is_away();
            }
            look_at = Instant::now() + POLL;
            let head = *db.head.borrow();
            // News that was not told may be on its way; what has not come at the next look is lost.
            if let Some(open) = &mut ear
                && open.misses(before, head)
            {
                ear = None;
            }
        }
        let heard = async {
            match &mut ear {
                Some(ear) => ear.next().await,
                None => {
                    sleep_until(retry_at.min(look_at)).await;
                    Ok(None)
                }
            }
        };
        match timeout_at(look_at, heard).await {
            Ok(Ok(Some(head))) => db.announce(head),
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::warn!(reason = explain::reason(&error), "nothing wakes this process");
                ear = None;
                retry_at = Instant::now();
            }
        }
    }
}

/// Whether commits of others are told as they happen.
pub(in super::super) async fn is_told(db: &Db, home: &PgHome) -> bool {
    !home.is_pooled() && matches!(Ear::open(db, home).await, Ok(Some(_)))
}

/// The connection that is woken.
struct Ear {
    listener: PgListener,
    ping_at: Instant,
    /// The highest number that it was told.
    told: Seq,
    /// A number that was found without being told.
    found: Option<Seq>,
}

impl Ear {
    /// Listens; `None` where knocks do not come through.
    async fn open(db: &Db, home: &PgHome) -> PgResult<Option<Self>> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE * 2)
            .acquire_slow_threshold(PATIENCE * 4)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(home.options());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        if let Some(words) = home.first_words() {
            listener.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(words))).await?;
        }
        listener.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(home.listen()))).await?;
        let mut ear = Self { listener, ping_at: Instant::now() + PING_EVERY, told: Seq(0), found: None };
        let knock = crate::store::new_id("knock_");
        let knocked = async {
            let text = Text::Built(home.notify(&knock).into());
            let mut conn = db.read("listen to the store").await?;
            Query { text, values: Vec::new() }.run(&mut conn).await
        };
        if let Err(error) = knocked.await {
            return Err(explain::broken(error.to_string()));
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match timeout_at(until, ear.listener.try_recv()).await {
                Ok(Ok(Some(told))) if told.payload() == knock => return Ok(Some(ear)),
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Err(explain::broken("the connection was closed")),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(None),
            }
        }
    }

    /// The next number that is told; `None` after a ping, or a knock of somebody.
    async fn next(&mut self) -> PgResult<Option<Seq>> {
        match timeout_at(self.ping_at, self.listener.try_recv()).await {
            Ok(told) => {
                let told = told?.ok_or_else(|| explain::broken("the connection was closed"))?;
                Ok(self.take(&told))
            }
            Err(_) => {
                self.ping_at = Instant::now() + PING_EVERY;
                match timeout(PATIENCE, self.listener.execute(sqlx::raw_sql("select 1"))).await {
                    Ok(done) => done.map(|_| None),
                    Err(_) => Err(explain::broken("it does not answer")),
                }
            }
        }
    }

    fn take(&mut self, told: &PgNotification) -> Option<Seq> {
        let head = Seq(told.payload().parse().ok()?);
        self.told = self.told.max(head);
        Some(head)
    }

    /// Whether a number that was found at the last look has still not been told.
    fn misses(&mut self, before: Seq, head: Seq) -> bool {
        let is_missed = self.found.take().is_some_and(|found| self.told < found);
        if head > before && self.told < head {
            self.found = Some(head);
        }
        is_missed
    }
}
