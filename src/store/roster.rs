//! The whole roster at once, as little of it as an index in memory needs.
//!
//! A hundred thousand rows one by one cost more than the start of the console may take. So the engine packs
//! some thousand members into one text, and the links of an integration, which lie in the same order, are
//! merged into it here.

use super::{
    Store, StoreError,
    sql::{Conn, Query, q},
};
use crate::core::ids::{IntegrationId, Seq};

/// Between the fields of a member.
const FIELD: char = '\u{1f}';
/// After each member.
const ROW: char = '\u{1e}';

/// Members in one piece.
const PIECE: i64 = 8192;

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
    /// The members of the piece, by id.
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

impl Store {
    /// All members by id, in pieces of some thousand. With the number up to which it is current.
    ///
    /// # Errors
    /// The engine's.
    pub async fn roster(&self, integration: &IntegrationId) -> Result<(Seq, Vec<RosterChunk>), StoreError> {
        // The head goes first: whatever is newer than it in the rows is told again by the feed.
        let head = self.head().await?;
        let (texts, links) = tokio::try_join!(self.packed_members(), self.packed_links(integration))?;
        let mut linked = links.iter().flat_map(|text| text.split_terminator(ROW)).peekable();
        let chunks = texts
            .into_iter()
            .map(|text| {
                let flags = text.split_terminator(ROW).map(|row| {
                    let id = row.split_once(FIELD).map_or(row, |(id, _)| id);
                    while linked.next_if(|other| *other < id).is_some() {}
                    linked.next_if_eq(&id).is_some()
                });
                let linked = flags.collect();
                RosterChunk { text, linked }
            })
            .collect();
        Ok((head, chunks))
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
        let rows = q("select m.id, m.name, coalesce(m.email, ''), l.open_id is not null from member m
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
            for (column, end) in [(0, FIELD), (1, FIELD), (2, ROW)] {
                chunk.text.push_str(row.text(column)?);
                chunk.text.push(end);
            }
            chunk.linked.push(row.flag(3)?);
        }
        Ok((head, if chunk.is_empty() { Vec::new() } else { vec![chunk] }))
    }

    async fn packed_members(&self) -> Result<Vec<String>, StoreError> {
        let mut read = self.db().read("read the members").await?;
        let query = |after: &str| q(super::sqlite::PACK_MEMBERS).bind(after).bind(PIECE);
        packed(&mut read, query).await
    }

    async fn packed_links(&self, integration: &IntegrationId) -> Result<Vec<String>, StoreError> {
        let mut read = self.db().read("read the links").await?;
        let query = |after: &str| q(super::sqlite::PACK_LINKS).bind(after).bind(PIECE).bind(integration);
        packed(&mut read, query).await
    }
}

/// Piece after piece; each begins behind the last id of the one before.
async fn packed(conn: &mut Conn, query: impl Fn(&str) -> Query) -> Result<Vec<String>, StoreError> {
    let mut texts = Vec::new();
    let mut after = String::new();
    loop {
        let row = query(&after).must(conn).await?;
        let Some(text) = row.opt_string(0)? else { return Ok(texts) };
        after = row.string(1)?;
        texts.push(text);
        if row.int(2)? < PIECE {
            return Ok(texts);
        }
    }
}
