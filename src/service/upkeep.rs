//! What is done to a store as a whole: made, brought up to date, checked, copied.

use super::deck::{Answer, Told};
use crate::{
    core::{
        error::{Fault, Kind},
        permit_rows::RowsClock,
        time::Timestamp,
    },
    ledger::{
        BootClock as _, MachineClock,
        audit::{Wrong, audit},
        report::Now,
    },
    store::{CopiedTable, Finding, Store, StoreOptions, StoreUrl, TableSum, key::KeyRing, permit},
};

use super::open::Opening;

/// A store that was made or brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreMigrated {
    /// Where it is, without a password.
    pub place: String,
    /// Version of its schema before; 0: there was none.
    pub from: i64,
    /// Version now.
    pub to: i64,
}

/// What a check of a store brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreChecked {
    /// Where it is, without a password.
    pub place: String,
    /// Every table, read to the last row.
    pub tables: Vec<SumView>,
    /// What is wrong, and what to do about it; empty is good.
    pub findings: Vec<FindingView>,
    /// Whether a process is woken by what others commit; otherwise it looks every 5 s.
    pub is_told: bool,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumView {
    /// Its name.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
    /// A hash over all of them, the same on every engine.
    pub sha256: String,
}

/// Something that is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingView {
    /// Short name of the rule that is broken.
    pub rule: &'static str,
    /// Of which row, where it is about one.
    pub key: String,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// A table that was copied, and whether what arrived is what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyView {
    /// What was read.
    pub from: SumView,
    /// What is there now, read again.
    pub to: SumView,
}

impl CopyView {
    /// Whether it is the same on both sides.
    pub fn is_same(&self) -> bool {
        self.from == self.to
    }
}

fn sum(sum: TableSum) -> SumView {
    SumView { table: sum.table, rows: sum.rows, sha256: sum.sha256 }
}

fn finding(finding: Finding) -> FindingView {
    FindingView { rule: finding.rule, key: finding.key, text: finding.text, fix: finding.fix }
}

fn wrong(wrong: Wrong) -> FindingView {
    FindingView { rule: wrong.rule, key: wrong.key, text: wrong.text, fix: wrong.fix }
}

fn copied(table: &CopiedTable) -> CopyView {
    CopyView { from: sum(table.from.clone()), to: sum(table.to.clone()) }
}

impl Opening {
    /// A store's URL, with the password where it has none.
    pub(super) fn url(&self, text: &str) -> Answer<StoreUrl> {
        Ok(text.parse::<StoreUrl>().told()?.with_password(self.store_password.clone()))
    }

    async fn store_at(&self, text: &str) -> Answer<Store> {
        let url = self.url(text)?;
        let keys = KeyRing::load(self.key.clone().source(), Some(&url)).told()?;
        let options = StoreOptions { url, create: false, me: self.me.clone(), name: None };
        Store::open(options, keys, self.clock.clone()).await.told()
    }

    /// Makes the store.
    ///
    /// # Errors
    /// Refused where there is one already, or the engine's.
    pub async fn init_store(self) -> Answer<StoreMigrated> {
        let url = self.url(&self.store_url)?;
        let found = Store::version_at(&url, &self.me, &self.clock).await.told()?;
        if found > 0 {
            let text = format!("there is a store at {url} already (schema version {found})");
            return Err(Fault::new(Kind::Refused, text)
                .with_hint("Use it as it is, or name another one with --store."));
        }
        self.migrated(url).await
    }

    /// Brings the store's schema up to date; makes none.
    ///
    /// # Errors
    /// Those of [`Opening::open`] where there is none, Refused, or the engine's.
    pub async fn migrate_store(self) -> Answer<StoreMigrated> {
        let url = self.url(&self.store_url)?;
        if Store::version_at(&url, &self.me, &self.clock).await.told()? == 0 {
            return Err(Fault::new(Kind::Config, format!("there is no store at {url}"))
                .with_hint("Make one with `larkdeck store init`."));
        }
        self.migrated(url).await
    }

    async fn migrated(&self, url: StoreUrl) -> Answer<StoreMigrated> {
        let from = Store::migrate(&url, self.me.clone(), self.clock.clone()).await.told()?;
        let to = Store::version_at(&url, &self.me, &self.clock).await.told()?;
        Ok(StoreMigrated { place: url.to_string(), from, to })
    }

    /// Reads every row of the store, and says what is wrong.
    ///
    /// # Errors
    /// The store's, where it cannot be read.
    pub async fn check_store(self) -> Answer<StoreChecked> {
        let store = self.store_at(&self.store_url).await?;
        let checked = store.check().await.told();
        store.close().await;
        let checked = checked?;
        let url = self.url(&self.store_url)?;
        let (sums, ledger) = self.checked_ledger(&url).await;
        Ok(StoreChecked {
            place: url.to_string(),
            tables: checked.tables.into_iter().chain(sums).map(sum).collect(),
            findings: checked.findings.into_iter().map(finding).chain(ledger).collect(),
            is_told: checked.is_told,
        })
    }

    async fn checked_ledger(&self, url: &StoreUrl) -> (Vec<TableSum>, Vec<FindingView>) {
        match permit::read_all(url).await {
            Ok((sums, rows)) => {
                let found = audit(&rows, self.ledger_now(rows.clock));
                (sums, found.into_iter().map(wrong).collect())
            }
            Err(error) => {
                let fix = "Look at the store: its disk and permissions, or its database.";
                let text = error.to_string();
                (Vec::new(), vec![FindingView { rule: "permit_read", key: String::new(), text, fix }])
            }
        }
    }

    /// The time of the ledger's rows: the database's, or of a file the machine's.
    fn ledger_now(&self, clock: Option<RowsClock>) -> Now {
        match clock {
            Some(clock) => Now {
                wall: Timestamp::from_ms(clock.now_us.div_euclid(1000)),
                us: clock.now_us,
                tag: clock.tag.unwrap_or(0),
            },
            None => {
                let boot = MachineClock::new();
                Now { wall: self.clock.now(), us: boot.now_us(), tag: boot.boot_tag() }
            }
        }
    }

    /// Copies the store `from` into the empty store `to`, which is made where there is none, and reads it back.
    /// `told` hears of each table.
    ///
    /// # Errors
    /// Refused where `to` holds anything, or those of either store: then `to` is not to be used.
    pub async fn copy_store(
        self,
        from: &str,
        to: &str,
        mut told: impl FnMut(&CopyView),
    ) -> Answer<Vec<CopyView>> {
        let (source, target) = (self.url(from)?, self.url(to)?);
        if source == target {
            return Err(Fault::new(Kind::Usage, format!("{source} cannot be copied onto itself"))
                .with_hint("Name two different stores."));
        }
        let reads = self.store_at(from).await?;
        Store::migrate(&target, self.me.clone(), self.clock.clone()).await.told()?;
        let writes = self.store_at(to).await?;
        let done = reads.copy_to(&writes, |table| told(&copied(table))).await.told();
        writes.close().await;
        reads.close().await;
        let mut done = done?;
        let counts = permit::carry(&source, &target).await.told()?;
        counts.iter().for_each(|table| told(&copied(table)));
        done.extend(counts);
        Ok(done.iter().map(copied).collect())
    }
}
