//! Pane 2: linked users.

use tui_input::Input;

use super::Load;
use crate::{
    app::event::MemberQuery,
    core::{
        ids::MemberId,
        member::{Filter, Member, MemberCounts},
        text::SafeText,
    },
};

/// Pane 2. Holds a window of the rows that the query finds, never all.
#[derive(Debug, Clone, Default)]
pub struct Users {
    /// How far the rows are.
    pub load: Load,
    /// The filter.
    pub filter: Filter,
    /// What is searched for: part of name or email.
    pub search: Input,
    /// The search field has the keys.
    pub is_searching: bool,
    /// How many each filter shows.
    pub counts: MemberCounts,
    /// The rows found, from `offset` on.
    pub rows: Vec<UserRow>,
    /// Number of the first of `rows` among those found.
    pub offset: u64,
    /// How many are found.
    pub total: u64,
    /// Number of the first row on screen.
    pub top: u64,
    /// Number of the selected row.
    pub cursor: u64,
    /// The member selected: the selection follows it when rows move.
    pub selected: Option<MemberId>,
    /// The query that `rows` answers.
    pub shown: Option<MemberQuery>,
}

/// A member, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Its data.
    pub member: Member,
    /// Name.
    pub name: SafeText,
    /// Email; `-` where there is none.
    pub email: SafeText,
    /// Phone with its middle hidden; `-` where there is none.
    pub phone: SafeText,
    /// Team.
    pub team: SafeText,
}

impl UserRow {
    /// Makes a member ready to show.
    pub fn new(member: Member) -> Self {
        let or_dash = |text: Option<&str>| SafeText::line(text.unwrap_or("-"));
        Self {
            name: SafeText::line(&member.name),
            email: or_dash(member.email.as_deref()),
            phone: SafeText::line(&member.phone.as_deref().map_or_else(|| "-".to_owned(), mask_phone)),
            team: or_dash(member.team.as_deref()),
            member,
        }
    }
}

/// A phone number with its middle hidden: `+86 138…0042`.
pub fn mask_phone(phone: &str) -> String {
    let chars: Vec<char> = phone.chars().collect();
    if chars.len() < 9 {
        return "…".to_owned();
    }
    let (head, tail) = (chars.len().min(6), chars.len() - 4);
    let head: String = chars.iter().take(head).collect();
    let tail: String = chars.iter().skip(tail).collect();
    match head.strip_prefix("+86") {
        Some(rest) => format!("+86 {rest}…{tail}"),
        None => format!("{head}…{tail}"),
    }
}

impl Users {
    /// The row of number `index` among those found, if it is loaded.
    pub fn row(&self, index: u64) -> Option<&UserRow> {
        let at = usize::try_from(index.checked_sub(self.offset)?).ok()?;
        self.rows.get(at)
    }

    /// The selected row.
    pub fn current(&self) -> Option<&UserRow> {
        self.row(self.cursor)
    }
}

/// A member in full, as an overlay shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDetail {
    /// The member.
    pub row: UserRow,
    /// The message that the person can be sent, in the language of the screen.
    pub message: String,
    /// First row of text on screen.
    pub scroll: u16,
}
