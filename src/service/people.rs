//! Who is connected, and who may do what.

use crate::{
    core::{
        error::{Fault, Kind},
        operation::NewOperation,
        role::{EVERYBODY_ELSE, Right, Role},
    },
    store::{Assignment, Console, RoleChange},
};

pub use crate::store::Granted;

use super::deck::{Answer, Deck, Told};

/// Longest identity that a role is assigned to.
const MAX_WHO_CHARS: usize = 256;

/// The roles of a store, and where this process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Who has which; everybody else last. Empty: everybody is admin.
    pub assigned: Vec<Assignment>,
    /// Who this process is.
    pub me: String,
    /// Its role.
    pub mine: Role,
    /// The engine keeps people to their roles. Otherwise they are advice: whoever can open the file is its owner.
    pub are_enforced: bool,
}

impl Roles {
    /// The role of an identity.
    pub fn of(&self, who: &str) -> Role {
        Assignment::role_of(&self.assigned, who)
    }
}

/// What a PostgreSQL login needs for a role, as SQL.
///
/// # Errors
/// Usage for a login that cannot be.
pub fn grants(login: &str, role: Role) -> Answer<String> {
    if login.is_empty() || login.contains(char::is_control) {
        return Err(Fault::new(Kind::Usage, format!("{login:?} is no login")));
    }
    Ok(crate::store::grants(login, role))
}

/// What the operation log keeps of the grants that went with a role.
fn said(grants: &[Granted]) -> String {
    let faults = grants.iter().filter_map(Granted::fault).map(|fault| format!("; {}", fault.message));
    faults.collect()
}

/// A console or a gateway that is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Who and what it is.
    pub console: Console,
    /// Its role.
    pub role: Role,
    /// It is this process.
    pub is_me: bool,
}

impl Deck {
    /// The consoles and gateways that are connected to the store, by host and name. Viewers leave no trace, and
    /// commands that end by themselves are not listed.
    ///
    /// # Errors
    /// The store's.
    pub async fn consoles(&self) -> Answer<Vec<Connected>> {
        let store = &self.inner.store;
        let roles = store.roles().await.told()?;
        let me = self.me();
        let consoles = store.consoles().await.told()?;
        Ok(consoles
            .into_iter()
            .map(|console| Connected {
                role: Assignment::role_of(&roles, &console.identity),
                is_me: console.holder.host == me.host && console.holder.pid == me.pid,
                console,
            })
            .collect())
    }

    /// The roles of the store.
    ///
    /// # Errors
    /// The store's.
    pub async fn roles(&self) -> Answer<Roles> {
        let store = &self.inner.store;
        let assigned = store.roles().await.told()?;
        let me = store.identity().to_owned();
        let mine = Assignment::role_of(&assigned, &me);
        Ok(Roles { assigned, me, mine, are_enforced: store.enforces_roles() })
    }

    /// Assigns a role to `who`: user@host, a user of this host, or [`EVERYBODY_ELSE`]. Returns whom it was
    /// assigned to, and what changed.
    ///
    /// # Errors
    /// Usage for an identity that nobody can have, Permission, Refused when read-only or for the last admin, or
    /// the store's.
    pub async fn set_role(&self, who: &str, role: Role) -> Answer<(String, RoleChange)> {
        const OPERATION: &str = "role.set";
        let who = self.whole_identity(who)?;
        let store = self.gate(Right::Administer, OPERATION, &who).await?;
        let done = match store.set_role(&who, role).await.told() {
            Ok(done) => done,
            Err(fault) => return self.logged(OPERATION, &who, Err(fault)).await,
        };
        let mut row = NewOperation::ok(OPERATION, &who);
        let before = done.before.map_or("none", Role::as_str);
        row.reason = Some(format!("{role}, before: {before}{}", said(&done.grants)));
        self.log(row).await;
        if let Some(me) = &done.made_admin {
            let mut row = NewOperation::ok(OPERATION, me);
            row.reason = Some("admin: whoever assigns the first role is".to_owned());
            self.log(row).await;
        }
        Ok((who, done))
    }

    /// Takes the role of `who` away. Returns whom it was taken from, and what changed.
    ///
    /// # Errors
    /// As [`Deck::set_role`]; NotFound where none is assigned.
    pub async fn remove_role(&self, who: &str) -> Answer<(String, RoleChange)> {
        const OPERATION: &str = "role.remove";
        let who = self.whole_identity(who)?;
        let store = self.gate(Right::Administer, OPERATION, &who).await?;
        let done = match store.remove_role(&who).await.told() {
            Ok(done) => done,
            Err(fault) => return self.logged(OPERATION, &who, Err(fault)).await,
        };
        let mut row = NewOperation::ok(OPERATION, &who);
        row.reason = done.before.map(|before| format!("before: {before}{}", said(&done.grants)));
        self.log(row).await;
        Ok((who, done))
    }

    fn whole_identity(&self, who: &str) -> Answer<String> {
        let who = who.trim();
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        if who.is_empty() || who.contains(is_odd) || who.chars().count() > MAX_WHO_CHARS {
            return Err(Fault::new(Kind::Usage, format!("nobody is called {who:?}")).with_hint(
                "Name user@host, as `larkdeck console list` shows it, or '*' for everybody else.",
            ));
        }
        let is_whole = who == EVERYBODY_ELSE || who.contains('@') || self.inner.store.enforces_roles();
        Ok(if is_whole { who.to_owned() } else { format!("{who}@{}", self.me().host) })
    }
}
