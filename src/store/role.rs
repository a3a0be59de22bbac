//! Roles: who may do what. Enforced above the store, by whoever hands it out; the table is here.

use super::{
    Store, StoreError, View,
    db::Tx,
    feed::ChangeKind,
    granted::{Granted, Whose, settle},
    sql::{Conn, Dialect, q},
};
use crate::core::{
    role::{EVERYBODY_ELSE, Role},
    time::Timestamp,
};

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// OS user@host; on PostgreSQL a login; or [`EVERYBODY_ELSE`].
    pub who: String,
    /// The role.
    pub role: Role,
    /// Who assigned it.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
}

/// What became of an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChange {
    /// What was assigned before.
    pub before: Option<Role>,
    /// How the database keeps the logins to it that it is about. None: nobody's login has that name; or the engine
    /// has no logins.
    pub grants: Vec<Granted>,
    /// The first assignment of a store made this one an admin as well: whoever assigned it.
    pub made_admin: Option<String>,
}

impl Assignment {
    /// The role of `identity` among these rows: its own, else that of everybody else, else viewer. Where none is
    /// assigned at all, everybody is admin.
    pub fn role_of(rows: &[Self], identity: &str) -> Role {
        let of = |who: &str| rows.iter().find(|row| row.who == who).map(|row| row.role);
        match of(identity).or_else(|| of(EVERYBODY_ELSE)) {
            Some(role) => role,
            None if rows.is_empty() => Role::Admin,
            None => Role::Viewer,
        }
    }
}

async fn load(conn: &mut Conn) -> Result<Vec<Assignment>, StoreError> {
    // Everybody else stands last.
    let rows = q("select who, role, set_by, set_at from role order by who = '*', who").all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Assignment {
                who: row.string(0)?,
                role: row.parse(1, "role")?,
                set_by: row.string(2)?,
                set_at: row.at(3)?,
            })
        })
        .collect()
}

/// The role of `identity` in a store that may be too old to have any.
pub(super) async fn role_in(conn: &mut Conn, identity: &str) -> Result<Role, StoreError> {
    let text = "select count(*) from sqlite_master where type = 'table' and name = 'role'";
    let rows = if q(text).must(conn).await?.int(0)? > 0 { load(conn).await? } else { Vec::new() };
    Ok(Assignment::role_of(&rows, identity))
}

/// Everybody who follows sees that a role has changed.
async fn tell(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    // What older programs that are connected know of: they look at the integrations again, and no more.
    tx.tell(ChangeKind::Integration, "", None).await.map(drop)
}

async fn put(tx: &mut Tx<'_>, who: &str, role: Role, by: &str) -> Result<(), StoreError> {
    let now = tx.now();
    q("insert into role (who, role, set_by, set_at) values ($1, $2, $3, $4)
        on conflict (who) do update set role = excluded.role, set_by = excluded.set_by, set_at = excluded.set_at")
    .bind(who)
    .bind(role.as_str())
    .bind(by)
    .bind(now)
    .run(tx)
    .await
    .map(drop)
}

/// Whether somebody is admin once `who` no longer is.
fn leaves_an_admin(rows: &[Assignment], who: &str) -> bool {
    rows.iter().any(|row| row.role == Role::Admin && row.who != who)
}

impl View {
    /// Who has which role, by identity; everybody else last. Empty: everybody is admin.
    ///
    /// # Errors
    /// The engine's.
    pub async fn roles(&self) -> Result<Vec<Assignment>, StoreError> {
        let mut read = self.db().read("list the roles").await?;
        load(&mut read).await
    }

    /// The role of this process.
    ///
    /// # Errors
    /// The engine's.
    pub async fn role(&self) -> Result<Role, StoreError> {
        Ok(Assignment::role_of(&self.roles().await?, self.identity()))
    }

    /// Whether the engine itself keeps people to their roles, by grants to their logins. SQLite cannot: whoever can
    /// open the file is its owner.
    pub fn enforces_roles(&self) -> bool {
        self.db().dialect() == Dialect::Postgres
    }
}

impl Store {
    /// Assigns a role, and has the database keep the login to it, in one transaction. The first assignment of a
    /// store makes who assigns it an admin as well: otherwise nobody could assign another.
    ///
    /// # Errors
    /// [`StoreError::LastAdmin`], or the engine's.
    pub async fn set_role(&self, who: &str, role: Role) -> Result<RoleChange, StoreError> {
        let mut tx = self.db().write("assign a role").await?;
        let rows = load(&mut tx).await?;
        let before = rows.iter().find(|row| row.who == who).map(|row| row.role);
        let me = self.identity();
        let has_admin = role == Role::Admin || leaves_an_admin(&rows, who);
        let made_admin = (rows.is_empty() && who != me && !has_admin).then(|| me.to_owned());
        if !has_admin && made_admin.is_none() {
            return Err(StoreError::LastAdmin { who: who.to_owned() });
        }
        if before != Some(role) {
            put(&mut tx, who, role, me).await?;
            if let Some(me) = &made_admin {
                put(&mut tx, me, Role::Admin, me).await?;
            }
        }
        // Also where the role is the same: the grants may not be.
        let whose = match who == EVERYBODY_ELSE || rows.is_empty() {
            true => Whose::AndOthers(who),
            false => Whose::Of(who),
        };
        let now = load(&mut tx).await?;
        let grants = settle(&mut tx, &now, whose).await?;
        if before != Some(role) {
            tell(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(RoleChange { before, grants, made_admin })
    }

    /// Takes an assignment away: the login has the role of everybody else then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::LastAdmin`], or the engine's.
    pub async fn remove_role(&self, who: &str) -> Result<RoleChange, StoreError> {
        let mut tx = self.db().write("take a role away").await?;
        let rows = load(&mut tx).await?;
        let Some(row) = rows.iter().find(|row| row.who == who) else {
            return Err(StoreError::not_found("role of", who));
        };
        if row.role == Role::Admin && !leaves_an_admin(&rows, who) {
            return Err(StoreError::LastAdmin { who: who.to_owned() });
        }
        q("delete from role where who = $1").bind(who).run(&mut tx).await?;
        let whose = if who == EVERYBODY_ELSE { Whose::AndOthers(who) } else { Whose::Of(who) };
        let now = load(&mut tx).await?;
        let grants = settle(&mut tx, &now, whose).await?;
        tell(&mut tx).await?;
        tx.commit().await?;
        Ok(RoleChange { before: Some(row.role), grants, made_admin: None })
    }
}
