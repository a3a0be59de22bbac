//! The whole roster at once, as little of it as an index in memory needs.
//!
//! A hundred thousand rows one by one cost more than the start of the console may take. So each member
//! carries a packed text, the engine strings them together, and the links of an integration, which lie in the
//! same order, are merged in here.

use super::{
    StoreError, View,
    sql::{Dialect, Query, q},
};
use crate::core::ids::{IntegrationId, Seq};

/// Between the fields of a member.
const FIELD: char = '\u{1f}';
/// After each member.
const ROW: char = '\u{1e}';

/// A piece of the roster, packed.
#[derive(Debug, Clone, Default)]
pub struct RosterChunk {
    text: String,
    /// For each member of the text, in order.
    linked: Vec<bool>,
}

/// A member of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RosterRow<'a> {
    /// The member's id.
    pub id: &'a str,
    /// Foreign text.
    pub name: &'a str,
    /// Empty where there is none.
    pub email: &'a str,
    /// Whether the member is linked at the integration asked for.
    pub linked: bool,
}

impl RosterChunk {
    /// The members of the piece.
    pub fn rows(&self) -> impl Iterator<Item = RosterRow<'_>> {
        self.text.split_terminator(ROW).zip(&self.linked).map(|(row, linked)| {
            let (id, rest) = row.split_once(FIELD).unwrap_or((row, ""));
            let (name, email) = rest.split_once(FIELD).unwrap_or((rest, ""));
            RosterRow { id, name, email, linked: *linked }
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.linked.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.linked.is_empty()
    }
}

/// Whether each member of `text` is among `linked`, which is sorted.
fn flags(text: &str, linked: &[&str]) -> Vec<bool> {
    let (mut at, mut last) = (0, "");
    text.split_terminator(ROW)
        .map(|row| {
            let id = row.split_once(FIELD).map_or(row, |(id, _)| id);
            if id < last {
                return linked.binary_search(&id).is_ok();
            }
            last = id;
            while linked.get(at).is_some_and(|other| *other < id) {
                at += 1;
            }
            linked.get(at) == Some(&id)
        })
        .collect()
}

impl View {
    /// All members, in one piece or more. With the number up to which it is current.
    ///
    /// # Errors
    /// The engine's.
    pub async fn roster(&self, integration: &IntegrationId) -> Result<(Seq, Vec<RosterChunk>), StoreError> {
        // The head goes first: whatever is newer than it in the rows is told again by the feed.
        let head = self.head().await?;
        let (pack_members, pack_links) = match self.db().dialect() {
            Dialect::Sqlite => (super::sqlite::PACK_MEMBERS, super::sqlite::PACK_LINKS),
            Dialect::Postgres => (super::postgres::PACK_MEMBERS, super::postgres::PACK_LINKS),
        };
        let members = self.packed(q(pack_members));
        let links = self.packed(q(pack_links).bind(integration));
        let (text, links) = tokio::try_join!(members, links)?;
        let mut linked: Vec<&str> = links.split_terminator(ROW).collect();
        // The engine reads both in the order of their ids, without having promised it.
        if !linked.is_sorted() {
            linked.sort_unstable();
        }
        let flags = flags(&text, &linked);
        Ok((head, vec![RosterChunk { text, linked: flags }]))
    }

    /// The members changed or linked otherwise after `after`; removed ones are in the feed by their id.
    ///
    /// # Errors
    /// The engine's.
    pub async fn roster_after(
        &self,
        integration: &IntegrationId,
        after: Seq,
    ) -> Result<(Seq, Vec<RosterChunk>), StoreError> {
        let head = self.head().await?;
        let mut read = self.db().read("read the members").await?;
        let rows = q("select m.packed, l.open_id is not null from member m
            left join member_link l on l.integration_id = $1 and l.member_id = m.id
            where m.id in (select id from member where seq > $2
                union select member_id from member_link where seq > $2 and integration_id = $1)
            order by m.id")
        .bind(integration)
        .bind(after)
        .all(&mut read)
        .await?;
        let mut chunk = RosterChunk::default();
        for row in &rows {
            chunk.text.push_str(row.text(0)?);
            chunk.linked.push(row.flag(1)?);
        }
        Ok((head, if chunk.is_empty() { Vec::new() } else { vec![chunk] }))
    }

    async fn packed(&self, query: Query) -> Result<String, StoreError> {
        let mut read = self.db().read("read the members").await?;
        query.must(&mut read).await?.string(0)
    }
}

/// What the index keeps of a member.
pub(super) fn pack(id: &str, name: &str, email: &str) -> String {
    format!("{id}{FIELD}{name}{FIELD}{email}{ROW}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_whatever_order_members_come() {
        let text = ["m_1", "m_3", "m_2", "m_9", "m_4"].map(|id| pack(id, "n", "")).concat();
        assert_eq!(flags(&text, &["m_0", "m_2", "m_3", "m_4"]), [false, true, true, false, true]);
    }
}
