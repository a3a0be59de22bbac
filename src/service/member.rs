//! Team members: import, edit, list, search.

use std::io::Read;

use crate::{
    core::{
        error::{Fault, Kind},
        ids::{IntegrationId, MemberId, Seq},
        member::{Filter, Licence, Member},
        operation::NewOperation,
        role::Right,
    },
    store::{Imported, MemberPatch, MemberRow, RosterChunk, Store, View},
};

use super::{
    deck::{Answer, Deck, Told},
    index::{IndexRow, RosterIndex},
    phone::{self, NotAPhone},
    roster,
    view::*,
};

/// Largest roster file, in bytes: some 500,000 members.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The search index of one integration, and how far it has followed the feed.
pub(super) struct Roster {
    index: RosterIndex,
    seq: Seq,
    /// Members of which the feed spoke: changed, or removed.
    touched: Vec<MemberId>,
}

impl Deck {
    /// Imports a roster file (CSV with a header row). With `dry_run` nothing is written.
    ///
    /// # Errors
    /// Usage where the file as a whole cannot be read, Refused when read-only, or the store's.
    pub async fn import_members(&self, file: impl Read + Send, dry_run: bool) -> Answer<ImportReport> {
        const OPERATION: &str = "member.import";
        let store = match dry_run {
            true => None,
            false => Some(self.gate(Right::Administer, OPERATION, "the roster").await?),
        };
        let report = match read_file(file).and_then(|bytes| roster::read(&bytes)) {
            Ok(roster) => self.import(roster, store).await,
            Err(fault) => Err(fault),
        };
        if dry_run {
            return report;
        }
        match &report {
            Ok(done) => {
                let mut row = NewOperation::ok(OPERATION, "the roster");
                row.reason = Some(format!(
                    "{} added, {} updated, {} unchanged, {} rejected",
                    done.added,
                    done.updated,
                    done.unchanged,
                    done.rejected.len()
                ));
                self.log(row).await;
            }
            Err(fault) => self.log(NewOperation::failed(OPERATION, "the roster", fault)).await,
        }
        report
    }

    /// Imports into `store`; without one it only says what would come of it.
    async fn import(&self, roster: roster::Roster, store: Option<&Store>) -> Answer<ImportReport> {
        let lines: Vec<u64> = roster.rows.iter().map(|row| row.line).collect();
        let rows = roster
            .rows
            .into_iter()
            .map(|row| {
                let id = row.id.map(MemberId::try_from).transpose();
                let id = id.map_err(|error| Fault::new(Kind::Bug, error.to_string()))?;
                let licence = row.licence;
                Ok(MemberRow {
                    id,
                    name: row.name,
                    email: row.email,
                    phone: row.phone,
                    team: row.team,
                    licence,
                })
            })
            .collect::<Answer<Vec<MemberRow>>>()?;
        let outcomes = match store {
            Some(store) => store.import_members(rows).await.told()?,
            None => self.inner.store.compare_members(rows).await.told()?,
        };
        let mut report =
            ImportReport { rejected: roster.rejected, warnings: roster.warnings, ..Default::default() };
        for (outcome, line) in outcomes.into_iter().zip(lines) {
            match outcome {
                Imported::Added(_) => report.added += 1,
                Imported::Updated(_) => report.updated += 1,
                Imported::Unchanged(_) => report.unchanged += 1,
                Imported::SameName(id) => {
                    report.unchanged += 1;
                    let reason = format!("taken for the member {id} by its name alone");
                    report.warnings.push(LineNote { line, reason });
                }
                Imported::EmailTaken(owner) => report
                    .rejected
                    .push(LineNote { line, reason: format!("the email belongs to the member {owner}") }),
                Imported::Unclear(members) => {
                    let members: Vec<&str> = members.iter().map(MemberId::as_str).collect();
                    let reason = format!(
                        "it may be the member {} or a new one: give the id or an email",
                        members.join(" or ")
                    );
                    report.rejected.push(LineNote { line, reason });
                }
            }
        }
        report.rejected.sort_by_key(|note| note.line);
        report.warnings.sort_by_key(|note| note.line);
        Ok(report)
    }

    /// Adds one member.
    ///
    /// # Errors
    /// Usage for a bad field, Refused for an id or email that is taken or when read-only.
    pub async fn add_member(&self, draft: MemberDraft) -> Answer<Member> {
        const OPERATION: &str = "member.add";
        let name = draft.name.trim().to_owned();
        let store = self.gate(Right::Administer, OPERATION, &name).await?;
        let done = match checked(draft) {
            Ok(row) => store.add_member(row).await.told(),
            Err(fault) => Err(fault),
        };
        let id = self.logged(OPERATION, &name, done).await?;
        self.member(None, &id).await
    }

    /// Changes a member.
    ///
    /// # Errors
    /// Usage for a bad field, NotFound, Refused for an email that is taken or when read-only.
    pub async fn edit_member(&self, id: &MemberId, edit: MemberEdit) -> Answer<Member> {
        const OPERATION: &str = "member.edit";
        let store = self.gate(Right::Administer, OPERATION, id).await?;
        let done = match patch_of(edit) {
            Ok(patch) => store.update_member(id, patch).await.told(),
            Err(fault) => Err(fault),
        };
        self.logged(OPERATION, id, done).await?;
        self.member(None, id).await
    }

    /// Removes a member and its links.
    ///
    /// # Errors
    /// NotFound, read-only, or the store's.
    pub async fn remove_member(&self, id: &MemberId) -> Answer<()> {
        const OPERATION: &str = "member.remove";
        let store = self.gate(Right::Administer, OPERATION, id).await?;
        let done = store.remove_member(id).await.told();
        self.logged(OPERATION, id, done).await?;
        self.touch_members([id.clone()]).await;
        Ok(())
    }

    /// A window of the member list with its counts. A search answers from memory.
    ///
    /// # Errors
    /// The store's.
    pub async fn members(&self, integration: MaybeIntegration<'_>, query: MemberQuery) -> Answer<MemberPage> {
        let integration = or_none(integration)?;
        let store = &self.inner.store;
        if query.search.trim().is_empty() {
            let counts = store.member_counts(&integration).await.told()?;
            let rows =
                store.list_members(&integration, query.filter, query.offset, query.limit).await.told()?;
            return Ok(MemberPage { rows, total: counts.of(query.filter), counts });
        }
        let (hits, counts) = {
            let mut rosters = self.inner.rosters.lock().await;
            let roster = match rosters.get_mut(&integration) {
                Some(roster) => {
                    roster.catch_up(store, &integration).await?;
                    roster
                }
                None => {
                    let roster = Roster::load(store, &integration).await?;
                    rosters.entry(integration.clone()).or_insert(roster)
                }
            };
            let window = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let hits =
                roster.index.search(query.filter, &query.search, window(query.offset), window(query.limit));
            (hits, roster.index.counts())
        };
        let rows = store.members(&integration, &hits.ids).await.told()?;
        Ok(MemberPage { rows, total: hits.total, counts })
    }

    /// Loads the search index, so that the first search does not wait for it.
    ///
    /// # Errors
    /// The store's.
    pub async fn warm_search(&self, integration: &IntegrationId) -> Answer<()> {
        let mut rosters = self.inner.rosters.lock().await;
        if !rosters.contains_key(integration) {
            let roster = Roster::load(&self.inner.store, integration).await?;
            rosters.insert(integration.clone(), roster);
        }
        Ok(())
    }

    /// Every member that a filter and a search show, for commands that print them all.
    ///
    /// # Errors
    /// The store's.
    pub async fn member_list(
        &self,
        integration: MaybeIntegration<'_>,
        filter: Filter,
        search: &str,
    ) -> Answer<Vec<Member>> {
        const PAGE: u64 = 2_000;
        let mut all = Vec::new();
        loop {
            let offset = u64::try_from(all.len()).unwrap_or(u64::MAX);
            let query = MemberQuery { filter, search: search.to_owned(), offset, limit: PAGE };
            let page = self.members(integration, query).await?;
            let is_last = page.rows.is_empty();
            all.extend(page.rows);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// One member with its state at the integration.
    ///
    /// # Errors
    /// NotFound or the store's.
    pub async fn member(&self, integration: MaybeIntegration<'_>, id: &MemberId) -> Answer<Member> {
        self.inner.store.member(&or_none(integration)?, id).await.told()
    }

    /// The member that `text` names: an id, an email, or a part of a name that only one has.
    ///
    /// # Errors
    /// NotFound where none has it, Usage where several have.
    pub async fn resolve_member(&self, text: &str) -> Answer<MemberId> {
        let text = text.trim();
        let mut found = self.inner.store.find_members(&or_none(None)?, text).await.told()?;
        if found.len() > 1 {
            let mut exact = found.iter().filter(|member| member.name == text);
            if let (Some(only), None) = (exact.next(), exact.next()) {
                return Ok(only.id.clone());
            }
            let names: Vec<String> =
                found.iter().take(5).map(|member| format!("{} ({})", member.name, member.id)).collect();
            let more = if found.len() > 5 { " …" } else { "" };
            let message = format!("{text:?} names several members: {}{more}", names.join(", "));
            return Err(Fault::new(Kind::Usage, message).with_hint("Use the id or the email."));
        }
        found.pop().map(|member| member.id).ok_or_else(|| {
            Fault::new(Kind::NotFound, format!("there is no member {text:?}"))
                .with_hint("Name a member by id, by email, or by a part of a name that only one has.")
        })
    }

    /// Notes members that changed or went, for the search index.
    pub(super) async fn touch_members(&self, ids: impl IntoIterator<Item = MemberId>) {
        let mut rosters = self.inner.rosters.lock().await;
        let ids: Vec<MemberId> = ids.into_iter().collect();
        for roster in rosters.values_mut() {
            roster.touched.extend(ids.iter().cloned());
        }
    }
}

impl Roster {
    async fn load(store: &View, integration: &IntegrationId) -> Answer<Self> {
        let (seq, chunks) = store.roster(integration).await.told()?;
        Ok(Self { index: RosterIndex::new(index_rows(&chunks)), seq, touched: Vec::new() })
    }

    async fn catch_up(&mut self, store: &View, integration: &IntegrationId) -> Answer<()> {
        let (seq, chunks) = store.roster_after(integration, self.seq).await.told()?;
        if !self.touched.is_empty() {
            let touched = std::mem::take(&mut self.touched);
            let alive = store.members(integration, &touched).await.told()?;
            let gone: Vec<MemberId> =
                touched.into_iter().filter(|id| !alive.iter().any(|member| member.id == *id)).collect();
            self.index.remove(&gone);
        }
        self.index.put(index_rows(&chunks));
        self.seq = seq;
        Ok(())
    }
}

fn index_rows(chunks: &[RosterChunk]) -> impl Iterator<Item = IndexRow> {
    chunks.iter().flat_map(RosterChunk::rows).filter_map(|row| {
        Some(IndexRow {
            id: row.id.parse().ok()?,
            name: row.name.to_owned(),
            email: (!row.email.is_empty()).then(|| row.email.to_owned()),
            is_linked: row.linked,
        })
    })
}

/// An id that no integration has: nobody is linked there.
fn or_none(integration: MaybeIntegration<'_>) -> Answer<IntegrationId> {
    match integration {
        Some(id) => Ok(id.clone()),
        None => "-".parse().map_err(|error| Fault::new(Kind::Bug, format!("{error}"))),
    }
}

fn read_file(file: impl Read) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut limited = file.take(MAX_FILE_BYTES + 1);
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::new(Kind::Usage, format!("cannot read the roster file: {error}")))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(
            Fault::new(Kind::Usage, "the roster file is larger than 64 MiB").with_hint("Import it in parts.")
        );
    }
    Ok(bytes)
}

fn some_text(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().replace('\0', "\u{fffd}")).filter(|text| !text.is_empty())
}

fn checked_name(name: &str) -> Answer<String> {
    match some_text(Some(name.to_owned())) {
        Some(name) if name.contains(['\n', '\r']) => {
            Err(Fault::new(Kind::Usage, "the name goes over several lines"))
        }
        Some(name) if name.chars().count() > roster::MAX_FIELD_CHARS => {
            Err(Fault::new(Kind::Usage, "the name is longer than 256 characters"))
        }
        Some(name) => Ok(name),
        None => Err(Fault::new(Kind::Usage, "a member needs a name")),
    }
}

fn checked_email(email: Option<String>) -> Answer<Option<String>> {
    match some_text(email) {
        Some(email) if !roster::is_email(&email) => {
            Err(Fault::new(Kind::Usage, format!("{email:?} is not an email address")))
        }
        email => Ok(email),
    }
}

fn checked_phone(phone: Option<String>) -> Answer<Option<String>> {
    match some_text(phone).as_deref().map(phone::read) {
        None => Ok(None),
        Some(Ok(phone)) => Ok(Some(phone.into_text())),
        Some(Err(NotAPhone)) => Err(Fault::new(Kind::Usage, "the phone is not a phone number")
            .with_hint("Write it with + and the country code; mainland Chinese numbers may stand bare.")),
    }
}

fn checked_licence(licence: Option<String>) -> Answer<Option<Licence>> {
    let licence = some_text(licence).as_deref().map(str::parse).transpose();
    licence.map_err(|reason| Fault::new(Kind::Usage, reason))
}

fn checked(draft: MemberDraft) -> Answer<MemberRow> {
    let id = some_text(draft.id).map(MemberId::try_from).transpose();
    Ok(MemberRow {
        id: id.map_err(|error| Fault::new(Kind::Usage, error.to_string()))?,
        name: checked_name(&draft.name)?,
        email: checked_email(draft.email)?,
        phone: checked_phone(draft.phone)?,
        team: some_text(draft.team),
        licence: checked_licence(draft.licence)?,
    })
}

fn patch_of(edit: MemberEdit) -> Answer<MemberPatch> {
    Ok(MemberPatch {
        name: edit.name.as_deref().map(checked_name).transpose()?,
        email: edit.email.map(|email| checked_email(Some(email))).transpose()?,
        phone: edit.phone.map(|phone| checked_phone(Some(phone))).transpose()?,
        team: edit.team.map(|team| some_text(Some(team))),
        licence: edit.licence.map(|licence| checked_licence(Some(licence))).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_checked_field_by_field() {
        let draft = |name: &str, email: &str, phone: &str| MemberDraft {
            name: name.into(),
            email: Some(email.into()),
            phone: Some(phone.into()),
            ..Default::default()
        };
        let row = checked(draft(" Ann ", "", "138 0000 0000")).unwrap();
        assert_eq!(
            (row.name.as_str(), row.email, row.phone.as_deref()),
            ("Ann", None, Some("+8613800000000"))
        );
        assert!(checked(draft("", "", "")).is_err());
        assert!(checked(draft("Ann", "ann", "")).is_err());
        assert!(checked(draft("Ann", "", "x")).is_err());
    }

    #[test]
    fn an_empty_text_empties_a_field() {
        let edit = MemberEdit { email: Some(String::new()), ..Default::default() };
        let patch = patch_of(edit).unwrap();
        assert_eq!((patch.name, patch.email, patch.phone), (None, Some(None), None));
    }
}
