//! The roster in memory, so that search answers while a person types: names and emails in lower case,
//! each behind a mask of the letters it has.

use std::collections::HashMap;

use crate::core::{
    ids::MemberId,
    member::{Filter, MemberCounts},
};

/// What the index knows of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// The member.
    pub id: MemberId,
    /// Name.
    pub name: String,
    /// Email.
    pub email: Option<String>,
    /// Linked to the integration that the index is of.
    pub is_linked: bool,
}

#[derive(Debug)]
struct Row {
    id: MemberId,
    /// `name`, U+0001, `email`, in lower case. No query holds the separator, so no hit spans both.
    text: Box<str>,
    mask: u64,
    is_linked: bool,
}

/// Between name and email. Dropped from queries.
const SEPARATOR: char = '\u{1}';

/// The roster of one integration, ordered by name.
#[derive(Debug, Default)]
pub struct RosterIndex {
    rows: Vec<Row>,
    /// Position of each member in `rows`.
    places: HashMap<MemberId, u32>,
    linked: u64,
    /// The last query and its hits: typing on searches among them only.
    last: Option<Searched>,
}

#[derive(Debug)]
struct Searched {
    filter: Filter,
    terms: Vec<String>,
    hits: Vec<u32>,
}

/// A window of a search's hits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// The members of the window, in order.
    pub ids: Vec<MemberId>,
    /// How many there are in all.
    pub total: u64,
}

impl RosterIndex {
    /// Builds the index of a roster.
    pub fn new(rows: impl IntoIterator<Item = IndexRow>) -> Self {
        let mut rows: Vec<Row> = rows.into_iter().map(Row::new).collect();
        rows.sort_by(Row::order);
        let mut index = Self { rows, ..Self::default() };
        index.renumber();
        index
    }

    /// How many members each filter shows.
    pub fn counts(&self) -> MemberCounts {
        MemberCounts { all: u64::try_from(self.rows.len()).unwrap_or(u64::MAX), linked: self.linked }
    }

    /// Takes in members that are new or have changed. A change of the link alone is cheap.
    pub fn put(&mut self, rows: impl IntoIterator<Item = IndexRow>) {
        let mut moved: HashMap<MemberId, Row> = HashMap::new();
        for row in rows.into_iter().map(Row::new) {
            self.last = None;
            match self.places.get(&row.id).and_then(|at| self.rows.get_mut(place(*at))) {
                Some(old) if old.text == row.text => {
                    self.linked += u64::from(row.is_linked);
                    self.linked -= u64::from(old.is_linked);
                    old.is_linked = row.is_linked;
                }
                _ => _ = moved.insert(row.id.clone(), row),
            }
        }
        if !moved.is_empty() {
            self.rows.retain(|row| !moved.contains_key(&row.id));
            self.rows.extend(moved.into_values());
            self.rows.sort_by(Row::order);
            self.renumber();
        }
    }

    /// Forgets members.
    pub fn remove(&mut self, ids: &[MemberId]) {
        if ids.iter().any(|id| self.places.contains_key(id)) {
            self.rows.retain(|row| !ids.contains(&row.id));
            self.renumber();
        }
    }

    /// The members whose name or email holds every word of `search`, without regard to case. A member
    /// counts when each word is found in the one or the other.
    pub fn search(&mut self, filter: Filter, search: &str, offset: usize, limit: usize) -> Hits {
        let terms = terms(search);
        let is_same = self.last.as_ref().is_some_and(|last| last.filter == filter && last.terms == terms);
        if !is_same {
            let hits = self.matches(filter, &terms);
            self.last = Some(Searched { filter, terms, hits });
        }
        let hits = self.last.as_ref().map(|last| last.hits.as_slice()).unwrap_or_default();
        let window = hits.iter().skip(offset).take(limit);
        Hits {
            ids: window.filter_map(|at| self.rows.get(place(*at))).map(|row| row.id.clone()).collect(),
            total: u64::try_from(hits.len()).unwrap_or(u64::MAX),
        }
    }

    fn matches(&self, filter: Filter, terms: &[String]) -> Vec<u32> {
        let mask = terms.iter().fold(0, |mask, term| mask | letters(term));
        let is_hit = |row: &Row| {
            row.mask & mask == mask
                && filter_shows(filter, row.is_linked)
                && terms.iter().all(|term| row.text.contains(term.as_str()))
        };
        match &self.last {
            Some(last) if last.filter == filter && narrows(&last.terms, terms) => {
                last.hits.iter().copied().filter(|at| self.rows.get(place(*at)).is_some_and(is_hit)).collect()
            }
            _ => self.rows.iter().zip(0u32..).filter(|(row, _)| is_hit(row)).map(|(_, at)| at).collect(),
        }
    }

    fn renumber(&mut self) {
        self.last = None;
        self.places = self.rows.iter().zip(0u32..).map(|(row, at)| (row.id.clone(), at)).collect();
        self.linked = self.rows.iter().map(|row| u64::from(row.is_linked)).sum();
    }
}

impl Row {
    fn new(row: IndexRow) -> Self {
        let mut text = row.name.to_lowercase();
        if let Some(email) = &row.email {
            text.push(SEPARATOR);
            text.push_str(&email.to_lowercase());
        }
        Self { mask: letters(&text), text: text.into_boxed_str(), id: row.id, is_linked: row.is_linked }
    }

    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text).then_with(|| self.id.cmp(&other.id))
    }
}

fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

const fn filter_shows(filter: Filter, is_linked: bool) -> bool {
    match filter {
        Filter::All => true,
        Filter::Linked => is_linked,
        Filter::Unlinked => !is_linked,
    }
}

/// The words of a query, in lower case.
fn terms(search: &str) -> Vec<String> {
    search
        .split(|c: char| c.is_whitespace() || c == SEPARATOR)
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Whether every hit of `new` is a hit of `old`: each old word is part of a new one.
fn narrows(old: &[String], new: &[String]) -> bool {
    old.iter().all(|old| new.iter().any(|new| new.contains(old.as_str())))
}

/// One bit for each letter and digit that occurs, the rest of Unicode spread over what is left. The bits of
/// a part are always among the bits of the whole.
fn letters(text: &str) -> u64 {
    text.chars().fold(0, |mask, c| mask | 1 << bit(c))
}

fn bit(c: char) -> u32 {
    match c {
        'a'..='z' => u32::from(c) - u32::from('a'),
        '0'..='9' => 26 + u32::from(c) - u32::from('0'),
        '.' | '-' | '_' | '@' => 36,
        _ => 37 + u32::from(c).wrapping_mul(0x9e37_79b1) % 27,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(id: &str, name: &str, email: Option<&str>, is_linked: bool) -> IndexRow {
        IndexRow { id: id.parse().unwrap(), name: name.into(), email: email.map(Into::into), is_linked }
    }

    fn ids(hits: &Hits) -> Vec<&str> {
        hits.ids.iter().map(MemberId::as_str).collect()
    }

    fn sample() -> RosterIndex {
        RosterIndex::new([
            row("m1", "王芳", Some("wang.fang@ex.test"), true),
            row("m2", "Ann Wang", Some("ann@ex.test"), false),
            row("m3", "Bob", None, false),
            row("m4", "Éric", Some("ERIC@ex.test"), true),
        ])
    }

    #[test]
    fn name_or_email_in_any_script() {
        let mut index = sample();
        assert_eq!(ids(&index.search(Filter::All, "wang", 0, 10)), ["m2", "m1"]);
        assert_eq!(ids(&index.search(Filter::All, "WANG ann", 0, 10)), ["m2"]);
        assert_eq!(ids(&index.search(Filter::All, "芳", 0, 10)), ["m1"]);
        assert_eq!(ids(&index.search(Filter::Unlinked, "ex.test", 0, 10)), ["m2"]);
        assert_eq!(ids(&index.search(Filter::All, "éric eric@", 0, 10)), ["m4"]);
        assert_eq!(index.search(Filter::All, "bob ex", 0, 10).total, 0);
        assert_eq!(index.search(Filter::All, "", 1, 2).ids.len(), 2);
    }

    #[test]
    fn changes_are_followed() {
        let mut index = sample();
        assert_eq!(index.search(Filter::Linked, "", 0, 10).total, 2);
        index.put([row("m3", "Bob", None, true)]);
        assert_eq!(index.search(Filter::Linked, "b", 0, 10).total, 1);
        assert_eq!(index.counts(), MemberCounts { all: 4, linked: 3 });
        index.put([row("m3", "Zed", Some("zed@ex.test"), true)]);
        assert_eq!(ids(&index.search(Filter::All, "zed", 0, 10)), ["m3"]);
        index.remove(&["m1".parse().unwrap()]);
        assert_eq!(index.counts(), MemberCounts { all: 3, linked: 2 });
        assert_eq!(index.search(Filter::All, "fang", 0, 10).total, 0);
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            names in proptest::collection::vec(("[a-cA-C王李 ]{0,6}", proptest::option::of("[a-c@.]{0,6}"), any::<bool>()), 0..30),
            queries in proptest::collection::vec("[a-cA-C王李 @]{0,3}", 1..6),
        ) {
            let rows: Vec<IndexRow> = names
                .iter()
                .enumerate()
                .map(|(at, (name, email, linked))| row(&format!("m{at}"), name, email.as_deref(), *linked))
                .collect();
            let mut index = RosterIndex::new(rows.clone());
            let mut query = String::new();
            for more in queries {
                query.push_str(&more);
                for filter in [Filter::All, Filter::Linked, Filter::Unlinked] {
                    let mut naive: Vec<MemberId> = rows
                        .iter()
                        .filter(|row| filter_shows(filter, row.is_linked))
                        .filter(|row| query.split_whitespace().map(str::to_lowercase).all(|word| {
                            row.name.to_lowercase().contains(&word)
                                || row.email.as_ref().is_some_and(|email| email.to_lowercase().contains(&word))
                        }))
                        .map(|row| row.id.clone())
                        .collect();
                    let hits = index.search(filter, &query, 0, usize::MAX);
                    let mut found = hits.ids.clone();
                    prop_assert_eq!(hits.total, u64::try_from(found.len()).unwrap());
                    found.sort();
                    naive.sort();
                    prop_assert_eq!(found, naive, "{:?}", query);
                }
            }
        }
    }
}
