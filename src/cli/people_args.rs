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
    Set {
        /// OS user@host as `larkdeck console list` shows it; a user of this host; or '*' for everybody else
        who: String,
        /// viewer, responder or admin
        role: Role,
    },
    /// Take an assigned role away
    Remove {
        /// Whose
        who: String,
    },
    /// Print what a PostgreSQL login needs for a role, as SQL
    ///
    /// Run it as the owner of the store's tables. The login itself has to exist.
    Grants {
        /// The login
        login: String,
        /// viewer, responder or admin
        role: Role,
    },
}
