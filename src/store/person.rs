//! Names of people and bots, as the platform last told them.

use std::collections::{HashMap, HashSet};

use super::{
    Store, StoreError, View,
    db::{CHUNK_ROWS, Tx},
    feed::ChangeKind,
    sql::{Bulk, Conn, Value},
};
use crate::core::time::Timestamp;

/// A name of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// open_id, or app_id of a bot.
    pub id: String,
    /// Foreign text; `None`: the platform was asked and did not tell.
    pub name: Option<String>,
    /// When it was last asked or told.
    pub known_at: Timestamp,
}

impl Store {
    /// Remembers names; `None` remembers that the platform would not tell, and keeps a name known before.
    ///
    /// # Errors
    /// The engine's.
    pub async fn put_people(&self, people: Vec<(String, Option<String>)>) -> Result<(), StoreError> {
        for chunk in people.chunks(CHUNK_ROWS) {
            let mut tx = self.db().write("remember names").await?;
            put(&mut tx, chunk).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

impl View {
    /// What is known of these ids; unknown ones are left out.
    ///
    /// # Errors
    /// The engine's.
    pub async fn people(&self, ids: &[String]) -> Result<Vec<Person>, StoreError> {
        let mut read = self.db().read("look names up").await?;
        known(&mut read, ids.iter().map(String::as_str)).await
    }
}

async fn known(conn: &mut Conn, ids: impl Iterator<Item = &str>) -> Result<Vec<Person>, StoreError> {
    let list = Bulk::list("select id, name, known_at from person where id in", "");
    let rows = list.all(conn, ids.map(Value::from).collect()).await?;
    rows.iter()
        .map(|row| Ok(Person { id: row.string(0)?, name: row.opt_string(1)?, known_at: row.at(2)? }))
        .collect()
}

/// Remembers names inside a transaction; tells the feed of those that are new or changed.
pub(super) async fn put(tx: &mut Tx<'_>, people: &[(String, Option<String>)]) -> Result<(), StoreError> {
    if people.is_empty() {
        return Ok(());
    }
    let known = known(tx, people.iter().map(|(id, _)| id.as_str())).await?;
    let known: HashMap<&str, Option<&str>> =
        known.iter().map(|person| (person.id.as_str(), person.name.as_deref())).collect();
    let mut seen = HashSet::new();
    let (mut values, mut changed) = (Vec::new(), Vec::new());
    let now = tx.now();
    for (id, name) in people {
        let before = known.get(id.as_str());
        let is_same =
            before.is_some_and(|before| name.is_none() && before.is_some() || *before == name.as_deref());
        // Names come again with every message: only what is news is written. That a name is still unknown is
        // written again, for its time.
        if id.is_empty() || (is_same && name.is_some()) || !seen.insert(id.as_str()) {
            continue;
        }
        values.extend([id.as_str().into(), name.as_deref().into(), now.into()]);
        if !is_same && name.is_some() {
            changed.push(id.as_str());
        }
    }
    let upsert = Bulk::rows(
        "insert into person (id, name, known_at)",
        3,
        " on conflict (id) do update set name = coalesce(excluded.name, person.name), known_at = excluded.known_at",
    );
    upsert.run(tx, values).await?;
    match changed.as_slice() {
        [] => {}
        [id] => drop(tx.tell(ChangeKind::Person, id, None).await?),
        _ => drop(tx.tell(ChangeKind::Person, "", None).await?),
    }
    Ok(())
}
