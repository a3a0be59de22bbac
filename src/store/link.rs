//! Links between members and accounts, each change with a journal row, and their undo (G1, G18).

use std::collections::{BTreeMap, HashMap};

use super::{
    Store, StoreError, View,
    db::Tx,
    feed::ChangeKind,
    sql::{Bulk, Row, Value, q},
};
use crate::core::{
    ids::{IntegrationId, MemberId, OpenId, Seq},
    integration::Holder,
    member::{Link, LinkOrigin, Reason},
    time::Timestamp,
};

/// A change of one member's link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// Whose.
    pub member: MemberId,
    /// The account to link; `None` unlinks.
    pub open_id: Option<OpenId>,
    /// How.
    pub origin: LinkOrigin,
    /// Why there is none, for an unlink; `None`: never tried.
    pub reason: Option<Reason>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkOutcome {
    /// Done, with a journal row.
    Applied,
    /// It was so already.
    Unchanged,
    /// The account is linked to another member; that the reason says so was stored.
    TakenBy(MemberId),
    /// The member is linked to another account, and who signs in replaces no link.
    LinkedOtherwise,
    /// There is no such member.
    NoMember,
}

/// A batch of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBatch {
    /// Its id.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// Who did it.
    pub author: Holder,
    /// Members whose link it changed.
    pub changes: u64,
    /// Whether it was undone.
    pub undone: bool,
}

/// What an undo did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoReport {
    /// The batch that was undone.
    pub batch: String,
    /// Links put back to what they were before.
    pub restored: Vec<MemberId>,
    /// Links left alone: changed again since, removed, or the account is now another member's.
    pub skipped: Vec<MemberId>,
}

/// Links that one transaction changes.
const CHUNK: usize = 128;

/// A member's state at an integration, as a transaction finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    link: Option<Link>,
    reason: Option<Reason>,
}

/// What a transaction over several members starts from, and keeps up to date as it goes.
struct Board {
    states: HashMap<MemberId, State>,
    owners: HashMap<OpenId, MemberId>,
}

impl Board {
    async fn load(
        tx: &mut Tx<'_>,
        integration: &IntegrationId,
        members: impl Iterator<Item = &MemberId>,
        accounts: impl Iterator<Item = &OpenId>,
    ) -> Result<Self, StoreError> {
        let by_member = Bulk::list_after(
            1,
            "select m.id, l.open_id, l.linked_at, l.origin, l.reason from member m
                left join member_link l on l.integration_id = $1 and l.member_id = m.id where m.id in",
            "",
        );
        let by_account = Bulk::list_after(
            1,
            "select member_id, open_id from member_link where integration_id = $1 and open_id in",
            "",
        );
        let values = std::iter::once(integration.into()).chain(members.map(Value::from)).collect();
        let mut board = Self { states: HashMap::new(), owners: HashMap::new() };
        for row in by_member.all(tx, values).await? {
            let state = State { link: read_link(&row, 1)?, reason: row.opt_text(4)?.and_then(Reason::parse) };
            board.states.insert(row.parse(0, "member id")?, state);
        }
        let values = std::iter::once(integration.into()).chain(accounts.map(Value::from)).collect();
        for row in by_account.all(tx, values).await? {
            board.owners.insert(row.parse(1, "open_id")?, row.parse(0, "member id")?);
        }
        Ok(board)
    }

    /// The other member who has the account.
    fn rival(&self, member: &MemberId, account: &OpenId) -> Option<&MemberId> {
        self.owners.get(account).filter(|owner| *owner != member)
    }

    fn set(&mut self, member: &MemberId, link: Option<Link>, reason: Option<Reason>) {
        if let Some(old) = self.states.get(member).and_then(|state| state.link.as_ref()) {
            self.owners.remove(&old.open_id);
        }
        if let Some(link) = &link {
            self.owners.insert(link.open_id.clone(), member.clone());
        }
        self.states.insert(member.clone(), State { link, reason });
    }
}

fn read_link(row: &Row, column: usize) -> Result<Option<Link>, StoreError> {
    Ok(match row.opt_parse(column, "open_id")? {
        None => None,
        Some(open_id) => Some(Link {
            open_id,
            linked_at: row.at(column + 1)?,
            origin: LinkOrigin::parse(row.text(column + 2)?).unwrap_or(LinkOrigin::Manual),
        }),
    })
}

/// A batch under way: which, and whose undo it is.
#[derive(Clone, Copy)]
struct Batch<'a> {
    integration: &'a IntegrationId,
    id: &'a str,
    undo_of: Option<&'a str>,
}

impl Store {
    /// Applies changes under a batch id of the caller's ([`View::new_batch_id`]); in chunks, each one
    /// transaction. Repeating the call changes nothing more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, or the engine's: chunks before it are done.
    pub async fn apply_links(
        &self,
        integration: &IntegrationId,
        batch: &str,
        changes: Vec<LinkChange>,
    ) -> Result<Vec<LinkOutcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(changes.len());
        let batch = Batch { integration, id: batch, undo_of: None };
        for (number, chunk) in changes.chunks(CHUNK).enumerate() {
            if number > 0 {
                super::pause().await;
            }
            let mut tx = self.db().write("store the links").await?;
            if q("select 1 from integration where id = $1").bind(integration).one(&mut tx).await?.is_none() {
                return Err(StoreError::not_found("integration", integration));
            }
            let accounts = chunk.iter().filter_map(|change| change.open_id.as_ref());
            let members = chunk.iter().map(|change| &change.member);
            let mut board = Board::load(&mut tx, integration, members, accounts).await?;
            let mut writes = Writes::default();
            let now = tx.now();
            for change in chunk {
                outcomes.push(apply_one(&mut board, &mut writes, change, now));
            }
            write(&mut tx, batch, writes).await?;
            tx.commit().await?;
        }
        Ok(outcomes)
    }
}

impl View {
    /// A new id for [`Store::apply_links`].
    pub fn new_batch_id(&self) -> String {
        super::new_id("b_")
    }
}

impl Store {
    /// Remembers why members are not linked, and when the platform was asked. Linked members are left alone.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_reasons(
        &self,
        integration: &IntegrationId,
        reasons: Vec<(MemberId, Reason, Option<Timestamp>)>,
    ) -> Result<(), StoreError> {
        let upsert = Bulk::rows(
            "insert into member_link (integration_id, member_id, reason, looked_up_at, seq)",
            5,
            " on conflict (integration_id, member_id) do update set reason = excluded.reason,
                looked_up_at = coalesce(excluded.looked_up_at, member_link.looked_up_at), seq = excluded.seq
                where member_link.open_id is null",
        );
        for (number, chunk) in reasons.chunks(CHUNK).enumerate() {
            if number > 0 {
                super::pause().await;
            }
            let mut tx = self.db().write("remember why members are not linked").await?;
            let members = chunk.iter().map(|(member, _, _)| member);
            let board = Board::load(&mut tx, integration, members, std::iter::empty()).await?;
            let known: Vec<_> = chunk
                .iter()
                .filter(|(member, _, _)| board.states.get(member).is_some_and(|state| state.link.is_none()))
                .collect();
            let touched: Vec<MemberId> = known.iter().map(|(member, _, _)| member.clone()).collect();
            let Some(seq) = tell_links(&mut tx, &touched).await? else { continue };
            // The last word on each: a statement may not write a row twice.
            let last: BTreeMap<_, _> =
                known.iter().map(|(member, reason, at)| (member, (reason, at))).collect();
            let values = last.into_iter().flat_map(|(member, (reason, at))| {
                [integration.into(), member.into(), reason.code().into(), (*at).into(), seq.into()]
            });
            upsert.run(&mut tx, values.collect()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Puts the links of a batch back to what they were before; the latest batch that is not undone where
    /// `batch` is `None`. The undo is a batch of its own in the journal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's: what was put back before it stays so, and a repeated undo
    /// goes on with the rest.
    pub async fn undo_links(
        &self,
        integration: &IntegrationId,
        batch: Option<&str>,
    ) -> Result<UndoReport, StoreError> {
        let undone = self.batch_to_undo(integration, batch).await?;
        let id = self.new_batch_id();
        let mut report = UndoReport { batch: undone.clone(), restored: Vec::new(), skipped: Vec::new() };
        loop {
            let mut tx = self.db().write("undo the links").await?;
            let limit = i64::try_from(CHUNK).unwrap_or(64);
            // Backwards: a batch may have changed a member twice.
            let rows = q("select id, member_id, before_open_id, before_linked_at, before_origin, after_open_id
                from link_journal where integration_id = $1 and batch = $2 and undone = 0 order by id desc limit $3")
            .bind(integration)
            .bind(undone.as_str())
            .bind(limit)
            .all(&mut tx)
            .await?;
            if rows.is_empty() {
                return Ok(report);
            }
            let batch = Batch { integration, id: &id, undo_of: Some(&undone) };
            undo_chunk(&mut tx, batch, &rows, &mut report).await?;
            tx.commit().await?;
            super::pause().await;
        }
    }
}

impl View {
    async fn batch_to_undo(
        &self,
        integration: &IntegrationId,
        batch: Option<&str>,
    ) -> Result<String, StoreError> {
        let mut read = self.db().read("find the batch of links").await?;
        let query = match batch {
            Some(batch) => {
                q("select batch from link_journal where integration_id = $1 and batch = $2 and undone = 0
                limit 1")
                .bind(integration)
                .bind(batch)
            }
            None => q(
                "select batch from link_journal where integration_id = $1 and undone = 0 and undo_of is null
                order by id desc limit 1",
            )
            .bind(integration),
        };
        let row = query.one(&mut read).await?;
        row.ok_or_else(|| StoreError::not_found("batch of links to undo", batch.unwrap_or("")))?.string(0)
    }

    /// The batches of the journal, newest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn link_batches(
        &self,
        integration: &IntegrationId,
        limit: u32,
    ) -> Result<Vec<LinkBatch>, StoreError> {
        let mut read = self.db().read("read the journal of links").await?;
        let rows = q("select batch, min(at), min(author_user), min(author_host), min(author_pid), count(*), min(undone)
            from link_journal where integration_id = $1 group by batch order by max(id) desc limit $2")
        .bind(integration)
        .bind(limit)
        .all(&mut read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(LinkBatch {
                    id: row.string(0)?,
                    at: row.at(1)?,
                    author: Holder { user: row.string(2)?, host: row.string(3)?, pid: row.count(4)? },
                    changes: u64::try_from(row.int(5)?).unwrap_or(0),
                    undone: row.flag(6)?,
                })
            })
            .collect()
    }

    /// Who has an account.
    ///
    /// # Errors
    /// The engine's.
    pub async fn member_of_account(
        &self,
        integration: &IntegrationId,
        open_id: &OpenId,
    ) -> Result<Option<(MemberId, Link)>, StoreError> {
        let mut read = self.db().read("look at a link").await?;
        let row = q("select member_id, open_id, linked_at, origin from member_link
            where integration_id = $1 and open_id = $2")
        .bind(integration)
        .bind(open_id)
        .one(&mut read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        read_link(&row, 1)?.map(|link| Ok((row.parse(0, "member id")?, link))).transpose()
    }
}

/// What a transaction is going to write.
#[derive(Default)]
struct Writes {
    /// The state that each touched member ends in.
    states: BTreeMap<MemberId, State>,
    /// Each change of a link: whose, before, after.
    journal: Vec<(MemberId, Option<Link>, Option<Link>)>,
}

impl Writes {
    fn change(&mut self, board: &mut Board, member: &MemberId, after: State) {
        let before = board.states.get(member).and_then(|state| state.link.clone());
        if before != after.link {
            self.journal.push((member.clone(), before, after.link.clone()));
        }
        self.states.insert(member.clone(), after.clone());
        board.set(member, after.link, after.reason);
    }
}

fn apply_one(board: &mut Board, writes: &mut Writes, change: &LinkChange, now: Timestamp) -> LinkOutcome {
    let member = &change.member;
    let Some(before) = board.states.get(member).cloned() else { return LinkOutcome::NoMember };
    match &change.open_id {
        Some(account) if before.link.as_ref().is_some_and(|link| link.open_id == *account) => {
            return LinkOutcome::Unchanged;
        }
        // Looked at inside the transaction: of two people who sign in for one member the first is linked.
        Some(_) if change.origin == LinkOrigin::Login && before.link.is_some() => {
            return LinkOutcome::LinkedOtherwise;
        }
        Some(account) => {
            if let Some(rival) = board.rival(member, account).cloned() {
                if before.link.is_none() && before.reason != Some(Reason::AlreadyLinked) {
                    let reason = Some(Reason::AlreadyLinked);
                    writes.change(board, member, State { link: None, reason });
                }
                return LinkOutcome::TakenBy(rival);
            }
            let link = Link { open_id: account.clone(), linked_at: now, origin: change.origin };
            writes.change(board, member, State { link: Some(link), reason: None });
        }
        None if before.link.is_none() => return LinkOutcome::Unchanged,
        None => writes.change(board, member, State { link: None, reason: change.reason }),
    }
    LinkOutcome::Applied
}

async fn undo_chunk(
    tx: &mut Tx<'_>,
    batch: Batch<'_>,
    rows: &[Row],
    report: &mut UndoReport,
) -> Result<(), StoreError> {
    let mut steps = Vec::with_capacity(rows.len());
    for row in rows {
        let after: Option<OpenId> = row.opt_parse(5, "open_id")?;
        steps.push((row.int(0)?, row.parse::<MemberId>(1, "member id")?, read_link(row, 2)?, after));
    }
    let members = steps.iter().map(|(_, member, _, _)| member);
    let accounts = steps.iter().filter_map(|(_, _, before, _)| before.as_ref()).map(|link| &link.open_id);
    let mut board = Board::load(tx, batch.integration, members, accounts).await?;
    let mut writes = Writes::default();
    let mark = Bulk::list("update link_journal set undone = 1 where id in", "");
    mark.run(tx, steps.iter().map(|(id, _, _, _)| (*id).into()).collect()).await?;
    for (_, member, before, after) in steps {
        let now = board.states.get(&member);
        let is_as_left =
            now.is_some_and(|state| state.link.as_ref().map(|link| &link.open_id) == after.as_ref());
        let is_free = before.as_ref().is_none_or(|link| board.rival(&member, &link.open_id).is_none());
        if !is_as_left || !is_free {
            report.skipped.push(member);
            continue;
        }
        let link = before.map(|link| Link { origin: LinkOrigin::Manual, ..link });
        writes.change(&mut board, &member, State { link, reason: None });
        report.restored.push(member);
    }
    write(tx, batch, writes).await
}

/// Writes states and journal with a few statements, and one row of the feed.
async fn write(tx: &mut Tx<'_>, batch: Batch<'_>, writes: Writes) -> Result<(), StoreError> {
    let touched: Vec<MemberId> = writes.states.keys().cloned().collect();
    let Some(seq) = tell_links(tx, &touched).await? else { return Ok(()) };
    // Accounts may change hands inside the batch: all are let go of first.
    let free = Bulk::list_after(
        1,
        "update member_link set open_id = null where integration_id = $1 and member_id in",
        "",
    );
    let changing =
        writes.journal.iter().filter(|(_, before, _)| before.is_some()).map(|(member, _, _)| member.into());
    free.run(tx, std::iter::once(batch.integration.into()).chain(changing).collect()).await?;
    let upsert = Bulk::rows(
        "insert into member_link (integration_id, member_id, open_id, linked_at, origin, reason, seq)",
        7,
        " on conflict (integration_id, member_id) do update set open_id = excluded.open_id,
            linked_at = excluded.linked_at, origin = excluded.origin, reason = excluded.reason, seq = excluded.seq",
    );
    let values = writes.states.iter().flat_map(|(member, state)| {
        let [open_id, linked_at, origin] = link_values(state.link.as_ref());
        let reason = state.reason.map(Reason::code).into();
        [batch.integration.into(), member.into(), open_id, linked_at, origin, reason, seq.into()]
    });
    upsert.run(tx, values.collect()).await?;
    write_journal(tx, batch, &writes.journal).await
}

fn link_values(link: Option<&Link>) -> [Value; 3] {
    [
        link.map(|link| &link.open_id).into(),
        link.map(|link| link.linked_at).into(),
        link.map(|link| link.origin.as_str()).into(),
    ]
}

async fn write_journal(
    tx: &mut Tx<'_>,
    batch: Batch<'_>,
    changes: &[(MemberId, Option<Link>, Option<Link>)],
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let insert = Bulk::rows(
        "insert into link_journal (id, batch, undo_of, integration_id, member_id, at, author_user, author_host,
            author_pid, before_open_id, before_linked_at, before_origin, after_open_id, after_linked_at,
            after_origin, undone)",
        16,
        "",
    );
    let first = tx.take_numbers(changes.len()).await?;
    let (me, now) = (&tx.db().me, tx.now());
    let mut values = Vec::with_capacity(changes.len() * 16);
    for (id, (member, before, after)) in (first.0..).zip(changes) {
        values.extend([
            id.into(),
            batch.id.into(),
            batch.undo_of.into(),
            batch.integration.into(),
            member.into(),
            now.into(),
            me.user.as_str().into(),
            me.host.as_str().into(),
            me.pid.into(),
        ]);
        values.extend(link_values(before.as_ref()));
        values.extend(link_values(after.as_ref()));
        values.push(Value::Int(0));
    }
    insert.run(tx, values).await?;
    Ok(())
}

/// One row of the feed for all that were touched; its number goes to each of them.
async fn tell_links(tx: &mut Tx<'_>, touched: &[MemberId]) -> Result<Option<Seq>, StoreError> {
    let key = match touched {
        [] => return Ok(None),
        [one] => one.as_str(),
        _ => "",
    };
    tx.tell(ChangeKind::Link, key, None).await.map(Some)
}
