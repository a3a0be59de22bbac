//! The flags of `larkdeck console` and of `larkdeck role`.

use clap::Subcommand;

use crate::core::role::Role;

/// `larkdeck console …`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConsoleCommand {
    /// List the consoles and gateways that are connected to the store
    ///
    /// Each with the name that others know it by, its process and its role. Viewers leave no trace, and commands
    /// that end by themselves are not listed.
    List,
}

/// `larkdeck role …`.
#[derive(Debug, Clone, Subcommand)]
pub enum RoleCommand {
    /// List the roles that are assigned
    ///
    /// Without any, everybody is admin. Once roles are assigned, whoever is not listed is what '*' says, else
    /// viewer.
    List,
    /// Assign a role: viewer, responder or admin
    ///
    /// A viewer writes nothing and calls nothing. A responder keeps the connection and writes to rooms. An admin
    /// also changes integrations, members, links, rooms' settings, keys and roles. Whoever assigns the first role
    /// of a store becomes admin. Somebody always is: the last one stays.
    ///
    /// On PostgreSQL WHO is a login, and the database is made to keep it to the role in the same transaction: it
    /// takes away what a lower role has not, also from consoles that are open. Only the owner of the store's tables
    /// can do that; for others the role is assigned, what the database does otherwise is named, and the exit code is
    /// 7. '*' does it for the logins that are not listed. On SQLite roles are advice.
    Set {
        /// OS user@host as `larkdeck console list` shows it, or a user of this host; on PostgreSQL a login; or '*'
        /// for everybody else
        who: String,
        /// viewer, responder or admin
        role: Role,
    },
    /// Take an assigned role away
    ///
    /// On PostgreSQL the database takes from the login what everybody else has not; see `role set`.
    Remove {
        /// Whose
        who: String,
    },
    /// Print what a PostgreSQL login needs for a role, as SQL
    ///
    /// What `role set` does by itself, to be run by somebody else as the owner of the store's tables. The login itself
    /// has to exist.
    Grants {
        /// The login
        login: String,
        /// viewer, responder or admin
        role: Role,
    },
}
