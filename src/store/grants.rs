//! What each role may do with each table, for engines that have logins: the text of the grants is made from it,
//! and what [`super::granted`] looks for.

use crate::core::role::Role;

/// What a login may do with a table, besides reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// Nothing.
    No,
    /// Only what the platform tells about an app.
    Facts,
    /// Only add rows.
    Add,
    /// Add, change and remove rows.
    All,
}

/// A row: the table, and what a responder and an admin may do with it. A viewer reads, and no more.
type Row = (&'static str, Writes, Writes);

/// Every table of the store.
const TABLES: &[Row] = {
    use Writes::{Add, All, Facts, No};
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
        ("permit_clock", All, All),
        ("permit_day", All, All),
        ("permit_minute", All, All),
        ("permit_month", All, All),
        // What a person on call does.
        ("outbox", All, All),
        ("press", All, All),
        // Nobody rewrites what was done; an admin's retention removes what is old.
        ("operation", Add, All),
        // What an admin looks after. The tenant of an app decides which month its calls count in.
        ("integration", Facts, All),
        ("secret", No, All),
        ("member", No, All),
        ("member_link", No, All),
        ("link_journal", No, All),
        ("invitation", No, All),
        ("role", No, All),
    ]
};

/// What the platform tells about an app, which any console learns.
pub(super) const FACTS: &str = "update (tenant, bot_name, bot_open_id)";

/// The privileges on a table that are told apart. The last two no role has.
pub(super) const VERBS: [&str; 6] = ["select", "insert", "update", "delete", "truncate", "trigger"];

/// An SQL name as it has to be written.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Every table, with what a role may do with it: some of [`VERBS`], or [`FACTS`].
pub(super) fn tables_of(role: Role) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    TABLES.iter().map(move |(table, responder, admin)| {
        let writes = match role {
            Role::Viewer => Writes::No,
            Role::Responder => *responder,
            Role::Admin => *admin,
        };
        let verbs: &[&str] = match writes {
            Writes::No => &["select"],
            Writes::Facts => &["select", FACTS],
            Writes::Add => &["select", "insert"],
            Writes::All => &["select", "insert", "update", "delete"],
        };
        (*table, verbs)
    })
}

/// The statements that give a login what its role needs, and nothing else.
pub fn grants(login: &str, role: Role) -> String {
    grants_but(login, role, &[])
}

/// The same, without these tables.
pub(super) fn grants_but(login: &str, role: Role, but: &[&str]) -> String {
    let login = quoted(login);
    let of_table = |(table, verbs): (&str, &[&str])| {
        let verbs = verbs.join(", ");
        format!("revoke all on {table} from {login};\ngrant {verbs} on {table} to {login};\n")
    };
    tables_of(role).filter(|(table, _)| !but.contains(table)).map(of_table).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_table_of_the_schema_is_granted() {
        let created = crate::store::postgres::MIGRATIONS.iter().flat_map(|script| script.lines());
        let name = |line: &'static str| {
            let line = line.strip_prefix("create ")?;
            line.strip_prefix("unlogged ").unwrap_or(line).strip_prefix("table ")?.split(' ').next()
        };
        let created: BTreeSet<&str> = created.filter_map(name).collect();
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
        for role in Role::ALL {
            for (table, verbs) in tables_of(role) {
                assert!(
                    verbs.iter().all(|verb| VERBS.contains(verb) || *verb == FACTS),
                    "{table}: {verbs:?}"
                );
            }
        }
    }
}
