//! Rows of a roster file that have neither id nor email: which members they are.
//!
//! A row with a phone is the member of that name with that phone; one without is the member of that name
//! without contact data. Of several, those that are the same to the letter are paired: whichever is taken, it
//! stays as it is. What is left is told, not guessed.

use std::collections::{HashMap, HashSet};

use super::{
    MemberRow, StoreError,
    member::email_key,
    sql::{Conn, q},
};
use crate::core::ids::{MemberId, Seq};

/// What a row without id and email is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// This member.
    Is(MemberId),
    /// This member, the only one of its name: the row has nothing else to tell by.
    ByName(MemberId),
    /// A new one.
    New,
    /// One of these, or none.
    Unclear(Vec<MemberId>),
}

/// A member as far as rows are compared with it.
#[derive(Debug, Clone)]
struct Candidate {
    id: MemberId,
    phone: Option<String>,
    team: Option<String>,
    has_email: bool,
}

/// The members that rows may be, by name, and how new they are.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By place of the row.
    known: HashMap<usize, Known>,
    /// The newest change of a member that it has seen.
    pub(super) seen: Seq,
}

/// Whether only name and phone can tell who a row is.
pub(super) const fn is_keyless(row: &MemberRow) -> bool {
    row.id.is_none() && row.email.is_none()
}

/// The newest change of a member.
pub(super) async fn newest(conn: &mut Conn) -> Result<Seq, StoreError> {
    Ok(Seq(q("select coalesce(max(seq), 0) from member").must(conn).await?.int(0)?))
}

impl Plan {
    /// Looks all rows of a file up at once: how many share a name decides what it tells.
    pub(super) async fn make(conn: &mut Conn, rows: &[MemberRow]) -> Result<Self, StoreError> {
        let names: HashSet<&str> =
            rows.iter().filter(|row| is_keyless(row)).map(|row| row.name.as_str()).collect();
        if names.is_empty() {
            return Ok(Self::default());
        }
        let seen = newest(conn).await?;
        let ids: HashSet<&str> =
            rows.iter().filter_map(|row| row.id.as_ref()).map(MemberId::as_str).collect();
        let emails: HashSet<String> =
            rows.iter().filter_map(|row| row.email.as_deref()).map(email_key).collect();
        let mut members: HashMap<String, Vec<Candidate>> = HashMap::new();
        for row in q("select id, name, email_key, phone, team from member order by id").all(conn).await? {
            let (name, email) = (row.text(1)?, row.opt_text(2)?);
            // Whom another row names by id or email is not looked for by name.
            let is_taken = ids.contains(row.text(0)?) || email.is_some_and(|email| emails.contains(email));
            if names.contains(name) && !is_taken {
                members.entry(name.to_owned()).or_default().push(Candidate {
                    id: row.parse(0, "member id")?,
                    phone: row.opt_string(3)?,
                    team: row.opt_string(4)?,
                    has_email: email.is_some(),
                });
            }
        }
        Ok(Self { known: match_rows(rows, members), seen })
    }

    /// What the row at `place` of the file is, where it has neither id nor email.
    pub(super) fn get(&self, place: usize) -> Option<&Known> {
        self.known.get(&place)
    }
}

fn match_rows(rows: &[MemberRow], mut members: HashMap<String, Vec<Candidate>>) -> HashMap<usize, Known> {
    let mut by_name: HashMap<&str, Group<'_>> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        let group = by_name.entry(&row.name).or_default();
        group.rows_of_the_name += 1;
        if is_keyless(row) {
            group.rows.push((place, row));
        }
    }
    let mut known = HashMap::new();
    for (name, mut group) in by_name {
        if !group.rows.is_empty() {
            group.members = members.remove(name).unwrap_or_default();
            group.settle(&mut known);
        }
    }
    known
}

/// What rows and members are compared by. Each names a row or a member in one way, or not at all.
type RowKey = fn(&MemberRow) -> Option<Key<'_>>;
type MemberKey = fn(&Candidate) -> Option<Key<'_>>;
/// Phone and team, as far as they count.
type Key<'a> = (Option<&'a str>, Option<&'a str>);

/// Those that are the same to the letter.
const ALIKE: (RowKey, MemberKey) = (
    |row| Some((row.phone.as_deref(), row.team.as_deref())),
    |member| member.has_key().then_some((member.phone.as_deref(), member.team.as_deref())),
);
/// Rows that say nothing of a team.
const TEAMLESS: (RowKey, MemberKey) = (
    |row| row.team.is_none().then_some((row.phone.as_deref(), None)),
    |member| member.has_key().then_some((member.phone.as_deref(), None)),
);
const SAME_PHONE: (RowKey, MemberKey) = (
    |row| row.phone.as_deref().map(|phone| (Some(phone), None)),
    |member| member.phone.as_deref().map(|phone| (Some(phone), None)),
);
const BARE_IN_TEAM: (RowKey, MemberKey) = (
    |row| Some((None, row.team.as_deref())),
    |member| member.is_bare().then_some((None, member.team.as_deref())),
);
const BARE: (RowKey, MemberKey) = (|_| Some((None, None)), |member| member.is_bare().then_some((None, None)));

/// Members that a verdict names at most.
const MAX_NAMED: usize = 5;

impl Candidate {
    /// Neither phone nor email.
    const fn is_bare(&self) -> bool {
        self.phone.is_none() && !self.has_email
    }

    /// Whether a row without email can be the same to the letter.
    const fn has_key(&self) -> bool {
        self.phone.is_some() || !self.has_email
    }
}

/// The rows and members of one name of which nothing is known yet.
#[derive(Debug, Default)]
struct Group<'a> {
    rows_of_the_name: usize,
    rows: Vec<(usize, &'a MemberRow)>,
    members: Vec<Candidate>,
}

impl Group<'_> {
    fn settle(mut self, known: &mut HashMap<usize, Known>) {
        let is_one_to_one = self.rows_of_the_name == 1 && self.members.len() == 1;
        // An email that the row does not tell makes a member the less likely.
        self.members.sort_by_key(|member| member.has_email);
        // First who is the same to the letter, so that no other row takes that member.
        self.pair(known, ALIKE);
        self.pair(known, TEAMLESS);
        self.same(known, SAME_PHONE);
        self.same(known, BARE_IN_TEAM);
        self.same(known, BARE);
        for (place, row) in self.rows {
            let agrees = |member: &Candidate| {
                row.phone.is_none()
                    && (row.team.is_none() || member.team.is_none() || row.team == member.team)
            };
            let verdict = match self.members.first() {
                Some(member) if is_one_to_one && agrees(member) => Known::ByName(member.id.clone()),
                _ => Known::New,
            };
            known.insert(place, verdict);
        }
    }

    /// Pairs rows and members of the same key one by one. Such a row changes nothing, so that it does not
    /// matter which of them it is.
    fn pair(&mut self, known: &mut HashMap<usize, Known>, (row_key, member_key): (RowKey, MemberKey)) {
        let mut free: HashMap<Key<'_>, Vec<&Candidate>> = HashMap::new();
        for member in self.members.iter().rev() {
            if let Some(key) = member_key(member) {
                free.entry(key).or_default().push(member);
            }
        }
        let mut gone = HashSet::new();
        self.rows.retain(|(place, row)| {
            let found = row_key(row).and_then(|key| free.get_mut(&key)?.pop());
            if let Some(member) = found {
                known.insert(*place, Known::Is(member.id.clone()));
                gone.insert(member.id.clone());
            }
            found.is_none()
        });
        self.members.retain(|member| !gone.contains(&member.id));
    }

    /// Takes a row for the member of its key where there is one of each; where there are several, says so.
    fn same(&mut self, known: &mut HashMap<usize, Known>, (row_key, member_key): (RowKey, MemberKey)) {
        let mut members: HashMap<Key<'_>, Vec<MemberId>> = HashMap::new();
        for member in &self.members {
            if let Some(key) = member_key(member) {
                members.entry(key).or_default().push(member.id.clone());
            }
        }
        let mut rows: HashMap<Key<'_>, usize> = HashMap::new();
        for key in self.rows.iter().filter_map(|(_, row)| row_key(row)) {
            *rows.entry(key).or_default() += 1;
        }
        let mut gone = HashSet::new();
        self.rows.retain(|(place, row)| {
            let Some(key) = row_key(row) else { return true };
            let Some(fitting) = members.get(&key) else { return true };
            let verdict = match fitting.as_slice() {
                [only] if rows.get(&key) == Some(&1) => {
                    gone.insert(only.clone());
                    Known::Is(only.clone())
                }
                several => Known::Unclear(several.iter().take(MAX_NAMED).cloned().collect()),
            };
            known.insert(*place, verdict);
            false
        });
        drop(members);
        self.members.retain(|member| !gone.contains(&member.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(phone: Option<&str>, team: Option<&str>) -> MemberRow {
        MemberRow {
            id: None,
            name: "Bob".to_owned(),
            email: None,
            phone: phone.map(str::to_owned),
            team: team.map(str::to_owned),
            licence: None,
        }
    }

    fn member(id: &str, phone: Option<&str>, team: Option<&str>) -> Candidate {
        Candidate {
            id: id.parse().unwrap(),
            phone: phone.map(str::to_owned),
            team: team.map(str::to_owned),
            has_email: false,
        }
    }

    fn verdicts(rows: &[MemberRow], members: Vec<Candidate>) -> Vec<Known> {
        let known = match_rows(rows, HashMap::from([("Bob".to_owned(), members)]));
        (0..rows.len()).map(|place| known[&place].clone()).collect()
    }

    fn is(id: &str) -> Known {
        Known::Is(id.parse().unwrap())
    }

    #[test]
    fn rows_that_are_the_same_to_the_letter_are_paired() {
        let rows = [row(None, None), row(None, None), row(Some("+1"), None), row(None, Some("SRE"))];
        let members = vec![
            member("m_1", None, Some("SRE")),
            member("m_2", None, None),
            member("m_3", None, None),
            member("m_4", Some("+1"), Some("DBA")),
        ];
        assert_eq!(verdicts(&rows, members), [is("m_2"), is("m_3"), is("m_4"), is("m_1")]);
        assert_eq!(verdicts(&rows, Vec::new()), [const { Known::New }; 4]);
    }

    #[test]
    fn the_only_one_is_known_by_phone_or_name() {
        let moved = [row(Some("+1"), Some("DBA"))];
        assert_eq!(verdicts(&moved, vec![member("m_1", Some("+1"), Some("SRE"))]), [is("m_1")]);
        assert_eq!(verdicts(&moved, vec![member("m_1", None, Some("SRE"))]), [is("m_1")], "got a phone");
        assert_eq!(verdicts(&moved, vec![member("m_1", Some("+2"), Some("DBA"))]), [Known::New]);
        let bare = [row(None, Some("DBA"))];
        assert_eq!(verdicts(&bare, vec![member("m_1", None, Some("SRE"))]), [is("m_1")]);
    }

    #[test]
    fn what_several_may_be_is_told_and_not_guessed() {
        let two = || vec![member("m_1", None, Some("SRE")), member("m_2", None, Some("DBA"))];
        let unclear = Known::Unclear(vec!["m_1".parse().unwrap(), "m_2".parse().unwrap()]);
        assert_eq!(verdicts(&[row(None, Some("Web"))], two()), [unclear]);
        assert_eq!(verdicts(&[row(Some("+1"), Some("DBA"))], two()), [is("m_2")], "its team tells");
        let one = || vec![member("m_1", Some("+1"), Some("SRE"))];
        let rows = [row(Some("+1"), Some("DBA")), row(Some("+1"), Some("Web"))];
        let unclear = Known::Unclear(vec!["m_1".parse().unwrap()]);
        assert_eq!(verdicts(&rows, one()), [unclear.clone(), unclear]);
        // Somebody who is the same to the letter leaves the other a new one.
        let rows = [row(Some("+1"), Some("DBA")), row(Some("+1"), Some("SRE"))];
        assert_eq!(verdicts(&rows, one()), [Known::New, is("m_1")]);
    }

    #[test]
    fn who_has_got_contact_data_since_is_known_by_the_name_alone() {
        let by_name = || Known::ByName("m_1".parse().unwrap());
        let mut mailed = member("m_1", None, Some("SRE"));
        mailed.has_email = true;
        assert_eq!(verdicts(&[row(None, None)], vec![mailed.clone()]), [by_name()]);
        assert_eq!(verdicts(&[row(None, None)], vec![member("m_1", Some("+1"), None)]), [by_name()]);
        assert_eq!(verdicts(&[row(None, Some("DBA"))], vec![mailed.clone()]), [Known::New]);
        assert_eq!(verdicts(&[row(Some("+1"), None)], vec![mailed.clone()]), [Known::New]);
        let twice = [row(None, None), row(None, None)];
        assert_eq!(verdicts(&twice, vec![mailed]), [const { Known::New }; 2]);
    }

    #[test]
    fn many_of_one_name_do_not_take_long() {
        let rows = vec![row(None, None); 100_000];
        let members = (0..100_000).map(|n| member(&format!("m_{n}"), None, None)).collect();
        assert!(verdicts(&rows, members).iter().all(|one| matches!(one, Known::Is(_))));
    }
}
