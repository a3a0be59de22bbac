//! What each role may do with each table, for engines that have logins: the text of the grants is made from it.

use crate::core::role::Role;

/// What a login may do with a table, besides reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// Nothing.
    No,
    /// Only add rows.
    Add,
    /// Add, change and remove rows.
    All,
}

/// A row: the table, and what a responder and an admin may do with it. A viewer reads, and no more.
type Row = (&'static str, Writes, Writes);

/// Every table of the store.
const TABLES: &[Row] = {
    use Writes::{Add, All, No};
    &[
        ("larkdeck_schema", No, No),
        // What comes in, and what a console does by itself.
        ("store_meta", All, All),
        ("feed", All, All),
        ("feed_mark", All, All),
        ("room", All, All),
        ("room_member", All, All),
        ("person", All, All),
        ("message", All, All),
        ("mention", All, All),
        ("reaction", All, All),
        ("early_recall", All, All),
        ("event_seen", All, All),
        ("seam", All, All),
        ("lease", All, All),
        ("process", All, All),
        ("read_mark", All, All),
        ("ui", All, All),
        ("login_state", All, All),
        ("session", All, All),
        // Permits go with every call.
        ("permit_app", All, All),
        ("permit_bucket", All, All),
        ("permit_day", All, All),
        ("permit_minute", All, All),
        ("permit_month", All, All),
        // What a person on call does.
        ("outbox", All, All),
        ("press", All, All),
        // Nobody rewrites what was done; an admin's retention removes what is old.
        ("operation", Add, All),
        // What an admin looks after.
        ("integration", No, All),
        ("secret", No, All),
        ("member", No, All),
        ("member_link", No, All),
        ("link_journal", No, All),
        ("invitation", No, All),
        ("role", No, All),
    ]
};

/// An SQL name as it has to be written.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statements that give a login what its role needs, and nothing else.
pub fn grants(login: &str, role: Role) -> String {
    let login = quoted(login);
    let mut text = String::new();
    for (table, responder, admin) in TABLES {
        let writes = match role {
            Role::Viewer => Writes::No,
            Role::Responder => *responder,
            Role::Admin => *admin,
        };
        let verbs = match writes {
            Writes::No => "select",
            Writes::Add => "select, insert",
            Writes::All => "select, insert, update, delete",
        };
        text.push_str(&format!(
            "revoke all on {table} from {login};\ngrant {verbs} on {table} to {login};\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_table_of_the_schema_is_granted() {
        let created = crate::store::postgres::MIGRATIONS.iter().flat_map(|script| script.lines());
        let created: BTreeSet<&str> =
            created.filter_map(|line| line.strip_prefix("create table ")?.split(' ').next()).collect();
        let granted: BTreeSet<&str> = TABLES.iter().map(|row| row.0).collect();
        assert_eq!(granted, created);
    }

    #[test]
    fn a_viewer_only_reads() {
        let text = grants("ann", Role::Viewer);
        assert!(text.contains("grant select on message to \"ann\";"));
        assert!(!text.contains("insert") && !text.contains("update") && !text.contains("delete"));
        let responder = grants("o\"brien", Role::Responder);
        assert!(responder.contains("grant select, insert on operation to \"o\"\"brien\";"));
        assert!(responder.contains("grant select on role to \"o\"\"brien\";"));
    }
}
