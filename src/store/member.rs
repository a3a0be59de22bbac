//! The roster.

use std::collections::HashMap;

use super::{
    Store, StoreError, View,
    db::Tx,
    feed::ChangeKind,
    known::{self, Known, Plan},
    sql::{Bulk, Conn, Query, Row, Value, q},
};
use crate::core::{
    ids::{IntegrationId, MemberId, Seq},
    member::{Filter, Licence, Link, LinkOrigin, Member, MemberCounts, Reason},
};

/// Members that one transaction of an import touches.
const IMPORT_ROWS: usize = 400;

macro_rules! select_member {
    ($rest:literal) => {
        concat!(
            "select m.id, m.name, m.email, m.phone, m.team, l.open_id, l.linked_at, l.origin, l.reason, ",
            "l.looked_up_at, m.licence from member m left join member_link l on l.integration_id = $1 and l.member_id = m.id ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<Member, StoreError> {
    let link = match row.opt_text(5)? {
        None => None,
        Some(_) => Some(Link {
            open_id: row.parse(5, "open_id")?,
            linked_at: row.at(6)?,
            origin: LinkOrigin::parse(row.text(7)?).unwrap_or(LinkOrigin::Manual),
        }),
    };
    Ok(Member {
        id: row.parse(0, "member id")?,
        name: row.string(1)?,
        email: row.opt_string(2)?,
        phone: row.opt_string(3)?,
        team: row.opt_string(4)?,
        reason: if link.is_some() { None } else { row.opt_text(8)?.and_then(Reason::parse) },
        link,
        looked_up_at: row.opt_at(9)?,
        licence: row.opt_parse(10, "licence")?,
    })
}

/// A member as an import or a form gives it. Already checked: a name, a phone in E.164.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// Given by the source; `None`: known by email, else by name and phone, else a new member.
    pub id: Option<MemberId>,
    /// Name.
    pub name: String,
    /// Email.
    pub email: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Team.
    pub team: Option<String>,
    /// Licence, where the source tells.
    pub licence: Option<Licence>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// A new member.
    Added(MemberId),
    /// A member was changed.
    Updated(MemberId),
    /// The member was so already.
    Unchanged(MemberId),
    /// The member was so already; the row has nothing but its name to tell by, and only that one has it.
    SameName(MemberId),
    /// Its email belongs to the member named, who has another id.
    EmailTaken(MemberId),
    /// It may be one of these members, or a new one: nothing was written.
    Unclear(Vec<MemberId>),
}

/// Changes of a member; `None` stays, `Some(None)` empties.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberPatch {
    /// New name.
    pub name: Option<String>,
    /// New email.
    pub email: Option<Option<String>>,
    /// New phone, E.164.
    pub phone: Option<Option<String>>,
    /// New team.
    pub team: Option<Option<String>>,
    /// New licence.
    pub licence: Option<Option<Licence>>,
}

/// What an import compares a row with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    name: String,
    email: Option<String>,
    phone: Option<String>,
    team: Option<String>,
    licence: Option<Licence>,
}

fn pack(id: &MemberId, member: &Stored) -> String {
    super::roster::pack(id.as_str(), &member.name, member.email.as_deref().unwrap_or_default())
}

/// How addresses are compared.
pub(super) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The index in memory packs members with these two characters, which no name needs.
fn clean(text: &str) -> String {
    text.replace(['\u{1e}', '\u{1f}'], " ")
}

fn cleaned(row: MemberRow) -> MemberRow {
    MemberRow {
        id: row.id,
        name: clean(&row.name),
        email: row.email.as_deref().map(clean),
        phone: row.phone.as_deref().map(clean),
        team: row.team.as_deref().map(clean),
        licence: row.licence,
    }
}

/// The members that rows of an import may mean.
#[derive(Default)]
struct Roster {
    by_id: HashMap<MemberId, Stored>,
    by_email: HashMap<String, MemberId>,
}

impl Roster {
    async fn load<'a>(
        conn: &mut Conn,
        rows: impl Iterator<Item = &'a MemberRow> + Clone,
    ) -> Result<Self, StoreError> {
        let by_id = Bulk::list("select id, name, email, phone, team, licence from member where id in", "");
        let by_email =
            Bulk::list("select id, name, email, phone, team, licence from member where email_key in", "");
        let ids = rows.clone().filter_map(|row| row.id.as_ref()).map(Value::from).collect();
        let emails =
            rows.filter_map(|row| row.email.as_deref()).map(|email| email_key(email).into()).collect();
        let mut found = by_id.all(conn, ids).await?;
        found.extend(by_email.all(conn, emails).await?);
        let mut roster = Self::default();
        for row in &found {
            let id = row.parse(0, "member id")?;
            let member = Stored {
                name: row.string(1)?,
                email: row.opt_string(2)?,
                phone: row.opt_string(3)?,
                team: row.opt_string(4)?,
                licence: row.opt_parse(5, "licence")?,
            };
            roster.put(id, member);
        }
        Ok(roster)
    }

    fn put(&mut self, id: MemberId, member: Stored) {
        if let Some(old) = self.by_id.get(&id).and_then(|old| old.email.as_deref()) {
            self.by_email.remove(&email_key(old));
        }
        if let Some(email) = &member.email {
            self.by_email.insert(email_key(email), id.clone());
        }
        self.by_id.insert(id, member);
    }

    /// What becomes of a row, and what the member is then.
    fn take(&mut self, row: &MemberRow) -> Result<(Imported, Option<Stored>), StoreError> {
        let owner = row.email.as_deref().and_then(|email| self.by_email.get(&email_key(email))).cloned();
        let id = match (&row.id, owner) {
            (Some(id), Some(owner)) if *id != owner => return Ok((Imported::EmailTaken(owner), None)),
            (Some(id), _) => id.clone(),
            (None, Some(owner)) => owner,
            (None, None) => new_member_id()?,
        };
        let Some(old) = self.by_id.get(&id).cloned() else {
            let member = Stored {
                name: row.name.clone(),
                email: row.email.clone(),
                phone: row.phone.clone(),
                team: row.team.clone(),
                licence: row.licence,
            };
            self.put(id.clone(), member.clone());
            return Ok((Imported::Added(id), Some(member)));
        };
        let member = Stored {
            name: row.name.clone(),
            email: row.email.clone().or_else(|| old.email.clone()),
            phone: row.phone.clone().or_else(|| old.phone.clone()),
            team: row.team.clone().or_else(|| old.team.clone()),
            licence: row.licence.or(old.licence),
        };
        if member == old {
            return Ok((Imported::Unchanged(id), None));
        }
        self.put(id.clone(), member.clone());
        Ok((Imported::Updated(id), Some(member)))
    }
}

fn new_member_id() -> Result<MemberId, StoreError> {
    super::new_id("m_").parse().map_err(|error| StoreError::data("member id", error))
}

impl Store {
    /// Adds and updates members by id, else by email (without regard to case), else by name and phone; absent
    /// fields of a row empty nothing. In chunks, each one transaction. Answers in the order of `rows`.
    ///
    /// # Errors
    /// The engine's: chunks before it are done.
    pub async fn import_members(&self, rows: Vec<MemberRow>) -> Result<Vec<Imported>, StoreError> {
        let rows: Vec<MemberRow> = rows.into_iter().map(cleaned).collect();
        let mut plan = self.plan(&rows).await?;
        let mut answers = Vec::with_capacity(rows.len());
        while let Some(left) = rows.get(answers.len()..).filter(|left| !left.is_empty()) {
            let start = answers.len();
            let chunk = left.get(..IMPORT_ROWS).unwrap_or(left);
            if start > 0 {
                super::pause().await;
            }
            let mut tx = self.db().write("import members").await?;
            let by_name = chunk.iter().any(known::is_keyless);
            if by_name && known::newest(&mut tx).await? != plan.seen {
                // Somebody else has changed members meanwhile: a row may be one of them.
                drop(tx);
                plan = self.plan(&rows).await?;
                continue;
            }
            let (done, writes) = take_chunk(&mut tx, &plan, start, chunk).await?;
            plan.seen = write_chunk(&mut tx, writes).await?.unwrap_or(plan.seen);
            tx.commit().await?;
            answers.extend(done);
        }
        Ok(answers)
    }
}

impl View {
    /// What [`Store::import_members`] would answer.
    ///
    /// # Errors
    /// The engine's.
    pub async fn compare_members(&self, rows: Vec<MemberRow>) -> Result<Vec<Imported>, StoreError> {
        let rows: Vec<MemberRow> = rows.into_iter().map(cleaned).collect();
        let plan = self.plan(&rows).await?;
        let mut answers = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(IMPORT_ROWS) {
            let mut read = self.db().read("compare the members").await?;
            answers.extend(take_chunk(&mut read, &plan, answers.len(), chunk).await?.0);
        }
        Ok(answers)
    }

    async fn plan(&self, rows: &[MemberRow]) -> Result<Plan, StoreError> {
        let mut read = self.db().read("compare the members").await?;
        Plan::make(&mut read, rows).await
    }
}

impl Store {
    /// Adds one member.
    ///
    /// # Errors
    /// [`StoreError::MemberTaken`] or the engine's.
    pub async fn add_member(&self, row: MemberRow) -> Result<MemberId, StoreError> {
        let row = cleaned(row);
        let mut tx = self.db().write("add the member").await?;
        let mut roster = Roster::load(&mut tx, std::iter::once(&row)).await?;
        let taken = |what, value: Option<&str>| {
            Err(StoreError::MemberTaken { what, value: value.unwrap_or_default().to_owned() })
        };
        match roster.take(&row)? {
            (Imported::Added(id), Some(member)) => {
                write_chunk(&mut tx, vec![(id.clone(), member, true)]).await?;
                tx.commit().await?;
                Ok(id)
            }
            _ if row.id.as_ref().is_some_and(|id| roster.by_id.contains_key(id)) => {
                taken("id", row.id.as_ref().map(MemberId::as_str))
            }
            _ => taken("email", row.email.as_deref()),
        }
    }

    /// Changes a member. A new email or phone forgets why it could not be linked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::MemberTaken`], or the engine's.
    pub async fn update_member(&self, id: &MemberId, patch: MemberPatch) -> Result<(), StoreError> {
        let mut tx = self.db().write("change the member").await?;
        let row = q("select name, email, phone, team, licence from member where id = $1")
            .bind(id)
            .one(&mut tx)
            .await?
            .ok_or_else(|| StoreError::not_found("member", id))?;
        let patched = |new: Option<Option<String>>, column| match new {
            Some(value) => Ok::<_, StoreError>(value.as_deref().map(clean)),
            None => row.opt_string(column),
        };
        let member = Stored {
            name: patch.name.as_deref().map_or_else(|| row.string(0), |name| Ok(clean(name)))?,
            email: patched(patch.email, 1)?,
            phone: patched(patch.phone, 2)?,
            team: patched(patch.team, 3)?,
            licence: match patch.licence {
                Some(licence) => licence,
                None => row.opt_parse(4, "licence")?,
            },
        };
        if let Some(email) = &member.email {
            let owner = q("select id from member where email_key = $1 and id <> $2")
                .bind(email_key(email))
                .bind(id)
                .one(&mut tx)
                .await?;
            if owner.is_some() {
                return Err(StoreError::MemberTaken { what: "email", value: email.clone() });
            }
        }
        write_chunk(&mut tx, vec![(id.clone(), member, false)]).await?;
        tx.commit().await
    }

    /// Removes a member with its links; the journal keeps them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn remove_member(&self, id: &MemberId) -> Result<(), StoreError> {
        let mut tx = self.db().write("remove the member").await?;
        if q("delete from member where id = $1").bind(id).run(&mut tx).await? == 0 {
            return Err(StoreError::not_found("member", id));
        }
        q("delete from member_link where member_id = $1").bind(id).run(&mut tx).await?;
        tx.tell(ChangeKind::Member, id.as_str(), None).await?;
        tx.commit().await
    }
}

impl View {
    /// The members of these ids with their state at `integration`, in the order asked; missing ones are left
    /// out.
    ///
    /// # Errors
    /// The engine's.
    pub async fn members(
        &self,
        integration: &IntegrationId,
        ids: &[MemberId],
    ) -> Result<Vec<Member>, StoreError> {
        let mut read_conn = self.db().read("read members").await?;
        let list = Bulk::list_after(1, select_member!("where m.id in"), "");
        let values = std::iter::once(integration.into()).chain(ids.iter().map(Value::from)).collect();
        let mut found = HashMap::with_capacity(ids.len());
        for row in list.all(&mut read_conn, values).await? {
            let member = read(&row)?;
            found.insert(member.id.clone(), member);
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// One member.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn member(&self, integration: &IntegrationId, id: &MemberId) -> Result<Member, StoreError> {
        let mut found = self.members(integration, std::slice::from_ref(id)).await?;
        found.pop().ok_or_else(|| StoreError::not_found("member", id))
    }

    /// A page of the roster, by name and id.
    ///
    /// # Errors
    /// The engine's.
    pub async fn list_members(
        &self,
        integration: &IntegrationId,
        filter: Filter,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<Member>, StoreError> {
        let mut read_conn = self.db().read("list the members").await?;
        let query: Query = match filter {
            Filter::All => q(select_member!("order by m.name, m.id limit $2 offset $3")),
            Filter::Linked => {
                q(select_member!("where l.open_id is not null order by m.name, m.id limit $2 offset $3"))
            }
            Filter::Unlinked => {
                q(select_member!("where l.open_id is null order by m.name, m.id limit $2 offset $3"))
            }
        };
        let rows = query
            .bind(integration)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(i64::try_from(offset).unwrap_or(i64::MAX))
            .all(&mut read_conn)
            .await?;
        rows.iter().map(read).collect()
    }

    /// How many members each filter shows.
    ///
    /// # Errors
    /// The engine's.
    pub async fn member_counts(&self, integration: &IntegrationId) -> Result<MemberCounts, StoreError> {
        let mut read_conn = self.db().read("count the members").await?;
        let row = q("select (select count(*) from member),
            (select count(*) from member_link where integration_id = $1 and open_id is not null)")
        .bind(integration)
        .must(&mut read_conn)
        .await?;
        let count = |column| Ok::<_, StoreError>(u64::try_from(row.int(column)?).unwrap_or(0));
        Ok(MemberCounts { all: count(0)?, linked: count(1)? })
    }
}

/// Members that are to be written: whether each is new.
type Writes = Vec<(MemberId, Stored, bool)>;

/// What becomes of the rows of a chunk, which begins at the row `start` of the file.
async fn take_chunk(
    conn: &mut Conn,
    plan: &Plan,
    start: usize,
    chunk: &[MemberRow],
) -> Result<(Vec<Imported>, Writes), StoreError> {
    let rows: Vec<(MemberRow, Option<&Known>)> = (start..)
        .zip(chunk)
        .map(|(place, row)| {
            let known = plan.get(place);
            let id = match known {
                Some(Known::Is(id) | Known::ByName(id)) => Some(id.clone()),
                _ => row.id.clone(),
            };
            (MemberRow { id, ..row.clone() }, known)
        })
        .collect();
    let mut roster = Roster::load(conn, rows.iter().map(|(row, _)| row)).await?;
    let mut answers = Vec::with_capacity(rows.len());
    let mut writes = Vec::new();
    for (row, known) in &rows {
        if let Some(Known::Unclear(members)) = known {
            answers.push(Imported::Unclear(members.clone()));
            continue;
        }
        let (answer, member) = roster.take(row)?;
        match (&answer, member) {
            (Imported::Added(id), Some(member)) => writes.push((id.clone(), member, true)),
            (Imported::Updated(id), Some(member)) => writes.push((id.clone(), member, false)),
            _ => {}
        }
        answers.push(match (answer, known) {
            (Imported::Unchanged(id), Some(Known::ByName(_))) => Imported::SameName(id),
            (answer, _) => answer,
        });
    }
    Ok((answers, writes))
}

/// Writes members, new and changed ones, under one number of the feed, which it answers.
async fn write_chunk(tx: &mut Tx<'_>, members: Writes) -> Result<Option<Seq>, StoreError> {
    let Some((first, _, _)) = members.first() else { return Ok(None) };
    let key = if members.len() == 1 { first.as_str() } else { "" };
    let seq = tx.tell(ChangeKind::Member, key, None).await?;
    let insert = Bulk::rows(
        "insert into member (id, name, email, email_key, phone, team, created_at, seq, packed,
            licence)",
        10,
        "",
    );
    let now = tx.now();
    let mut values = Vec::new();
    // Changed ones first: they may free an address that a new one has.
    for (id, member, is_new) in &members {
        if *is_new {
            values.extend([
                id.into(),
                member.name.as_str().into(),
                member.email.as_deref().into(),
                member.email.as_deref().map(email_key).into(),
                member.phone.as_deref().into(),
                member.team.as_deref().into(),
                now.into(),
                seq.into(),
                pack(id, member).into(),
                member.licence.map(Licence::as_str).into(),
            ]);
        } else {
            update(tx, id, member, seq).await?;
        }
    }
    insert.run(tx, values).await?;
    Ok(Some(seq))
}

async fn update(tx: &mut Tx<'_>, id: &MemberId, member: &Stored, seq: Seq) -> Result<(), StoreError> {
    // New contact data may link: the old reason says nothing any more, unless it is the member's own will.
    q("update member_link set reason = null, looked_up_at = null, seq = $4 where member_id = $1
        and open_id is null and reason is not null and reason <> $5 and exists (select 1 from member m where m.id = $1
        and (coalesce(m.email_key, '') <> coalesce($2, '') or coalesce(m.phone, '') <> coalesce($3, '')))")
    .bind(id)
    .bind(member.email.as_deref().map(email_key))
    .bind(member.phone.as_deref())
    .bind(seq)
    .bind(Reason::OptedOut.code())
    .run(tx)
    .await?;
    q("update member set name = $2, email = $3, email_key = $4, phone = $5, team = $6, seq = $7, packed = $8,
        licence = $9 where id = $1")
    .bind(id)
    .bind(member.name.as_str())
    .bind(member.email.as_deref())
    .bind(member.email.as_deref().map(email_key))
    .bind(member.phone.as_deref())
    .bind(member.team.as_deref())
    .bind(seq)
    .bind(pack(id, member))
    .bind(member.licence.map(Licence::as_str))
    .run(tx)
    .await?;
    Ok(())
}
