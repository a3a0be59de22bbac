//! How the database itself keeps logins to their roles: the grants go with the row of the role, in one transaction,
//! and what they come to is looked up afterwards. For there are things that no grant changes: who owns a table may
//! do anything with it, and only who owns it grants.

use std::collections::BTreeSet;

use super::{
    StoreError,
    db::Tx,
    grants::{FACTS, VERBS, grants_but, quoted, tables_of},
    postgres::{self, explain},
    role::Assignment,
    sql::{Conn, Dialect, Engine, q},
};
use crate::core::{
    error::{Fault, Kind},
    role::Role,
};

/// What a login of the database may do, beside what its role says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The login.
    pub login: String,
    /// Its role.
    pub role: Role,
    /// What it lacks: `insert on message`.
    pub lacks: Vec<String>,
    /// What it may do although its role may not.
    pub exceeds: Vec<String>,
    /// Why it may.
    pub why: Option<Excess>,
    /// Who can put right what lacks and exceeds: the owners of what it is about.
    pub owners: BTreeSet<String>,
}

/// Why a login may do more than its role; what weighs more comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excess {
    /// It was granted by others than the owner, to everybody, or to a role that the login is a member of.
    Elsewhere,
    /// It is the owner of tables, or a member of that role.
    Owner,
    /// No grant holds a superuser.
    Superuser,
}

/// Differences that are named one by one.
const NAMED: usize = 3;

impl Granted {
    /// The database lets the login do what its role may, and nothing else.
    pub fn is_kept(&self) -> bool {
        self.lacks.is_empty() && self.exceeds.is_empty()
    }

    /// What the database does otherwise than the role of the login says, and who can put it right; `None`: nothing.
    pub fn fault(&self) -> Option<Fault> {
        if self.is_kept() {
            return None;
        }
        let Self { login, role, .. } = self;
        let few = |all: &[String]| match all.split_at_checked(NAMED) {
            Some((named, more @ [_, ..])) => format!("{} and {} more", named.join(", "), more.len()),
            _ => all.join(", "),
        };
        let mut text = format!("the database does not keep {login} to {role}");
        if !self.lacks.is_empty() {
            text.push_str(&format!("; it lacks {}", few(&self.lacks)));
        }
        if !self.exceeds.is_empty() {
            text.push_str(&format!("; it still has {}", few(&self.exceeds)));
        }
        let owners = self.owners.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let hint = match self.why {
            Some(Excess::Superuser) => {
                format!("{login} is a superuser, whom no grant holds: use another login.")
            }
            Some(Excess::Owner) => {
                format!("{login} is {owners}, who owns the tables, or a member of it: use another login.")
            }
            Some(Excess::Elsewhere) | None => format!(
                "Only {owners} can change that: as that login, `larkdeck role set {login} {role}`, or `larkdeck role \
                 grants {login} {role} | psql`. What is left then was granted to public, to a role that {login} is \
                 a member of, or by somebody else: revoke it there."
            ),
        };
        Some(Fault::new(Kind::Partial, text).with_hint(hint))
    }
}

/// A login of the database.
struct Login {
    name: String,
    is_superuser: bool,
}

/// How a login stands.
struct Look {
    found: Granted,
    /// This session may change what differs.
    can_grant: bool,
    /// Tables of the login's own. Its rights there stay: they are what it grants by.
    own: Vec<&'static str>,
}

/// Whose grants follow a change of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// One login's.
    Of(&'a str),
    /// That login's, and those of all that are not listed and were granted anything here.
    AndOthers(&'a str),
}

/// Has the database keep logins to the roles that they have now. Answers about each of them: about nobody where there
/// is no such login, or no logins at all.
pub(super) async fn settle(
    tx: &mut Tx<'_>,
    rows: &[Assignment],
    whose: Whose<'_>,
) -> Result<Vec<Granted>, StoreError> {
    if tx.dialect() != Dialect::Postgres {
        return Ok(Vec::new());
    }
    let schema = q("select n.nspname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid = to_regclass('larkdeck_schema')")
    .must(tx)
    .await?
    .string(0)?;
    let mut logins = Vec::new();
    let (Whose::Of(who) | Whose::AndOthers(who)) = whose;
    logins.extend(login(tx, who).await?);
    if whose == Whose::AndOthers(who) {
        logins.extend(others(tx, &schema, rows).await?);
    }
    let mut all = Vec::with_capacity(logins.len());
    for login in logins {
        let role = Assignment::role_of(rows, &login.name);
        all.push(settle_one(tx, &schema, &login, role).await?);
    }
    Ok(all)
}

async fn login(conn: &mut Conn, name: &str) -> Result<Option<Login>, StoreError> {
    let row =
        q("select rolsuper from pg_roles where rolname = $1 and rolcanlogin").bind(name).one(conn).await?;
    row.map(|row| Ok(Login { name: name.to_owned(), is_superuser: row.flag(0)? })).transpose()
}

/// Logins that are not listed, and were granted something on a table of the store.
async fn others(conn: &mut Conn, schema: &str, rows: &[Assignment]) -> Result<Vec<Login>, StoreError> {
    let found =
        q("select distinct r.rolname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
        where n.nspname = $1 and r.rolcanlogin and not pg_has_role(r.oid, c.relowner, 'member') order by 1")
        .bind(schema)
        .all(conn)
        .await?;
    let names = found.iter().map(|row| row.string(0)).collect::<Result<Vec<_>, _>>()?;
    let is_listed = |name: &String| rows.iter().any(|row| row.who == *name);
    let unlisted = names.into_iter().filter(|name| !is_listed(name));
    Ok(unlisted.map(|name| Login { name, is_superuser: false }).collect())
}

async fn settle_one(tx: &mut Tx<'_>, schema: &str, login: &Login, role: Role) -> Result<Granted, StoreError> {
    let Look { found, can_grant, own } = look(tx, schema, login, role).await?;
    if found.is_kept() || !can_grant || login.is_superuser {
        return Ok(found);
    }
    let mut text = grants_but(&login.name, role, &own);
    if found.lacks.contains(&usage_of(schema)) {
        text.push_str(&format!("grant usage on schema {} to {};\n", quoted(schema), quoted(&login.name)));
    }
    let Conn { engine, place, doing, .. } = &mut **tx;
    if let Engine::Postgres(conn) = engine {
        conn.script(&text, postgres::PATIENCE).await.map_err(|error| explain(error, doing, place))?;
    }
    Ok(look(tx, schema, login, role).await?.found)
}

fn usage_of(schema: &str) -> String {
    format!("usage on schema {schema}")
}

/// What a login may do and what not, and whether this session may change it.
async fn look(conn: &mut Conn, schema: &str, login: &Login, role: Role) -> Result<Look, StoreError> {
    let mut found = Granted {
        login: login.name.clone(),
        role,
        lacks: Vec::new(),
        exceeds: Vec::new(),
        why: None,
        owners: BTreeSet::new(),
    };
    let (mut can_grant, mut own) = (true, Vec::new());
    let place = q("select has_schema_privilege($1::name, oid, 'usage'), pg_get_userbyid(nspowner)::text,
        pg_has_role(nspowner, 'usage') from pg_namespace where nspname = $2")
    .bind(login.name.as_str())
    .bind(schema)
    .must(conn)
    .await?;
    if !place.flag(0)? {
        found.lacks.push(usage_of(schema));
        found.owners.insert(place.string(1)?);
        can_grant = place.flag(2)?;
    }
    let rows = q(TABLES).bind(login.name.as_str()).bind(schema).all(conn).await?;
    for (table, verbs) in tables_of(role) {
        let Some(row) = rows.iter().find(|row| row.text(0).is_ok_and(|name| name == table)) else { continue };
        let is_own = row.flag(3)?;
        if is_own {
            own.push(table);
        }
        let mut differs = false;
        let may_facts = verbs.contains(&FACTS);
        let whole = (4..).zip(VERBS).map(|(column, verb)| (column, verb, verbs.contains(&verb)));
        // Of columns that are granted one by one it is enough to know whether there are any.
        let columns = [(10, FACTS, may_facts || verbs.contains(&"update"))];
        for (column, verb, may) in whole.chain(columns) {
            let has = row.flag(column)?;
            let list = match (has, may) {
                (false, true) if verb != FACTS || may_facts => &mut found.lacks,
                // An admin who owns the tables is no less of an admin.
                (true, false) if role < Role::Admin || !is_own => &mut found.exceeds,
                _ => continue,
            };
            list.push(format!(
                "{} on {table}",
                if verb == FACTS && !may_facts { "update of columns" } else { verb }
            ));
            differs = true;
            if has {
                let why = match is_own {
                    _ if login.is_superuser => Excess::Superuser,
                    true => Excess::Owner,
                    false => Excess::Elsewhere,
                };
                found.why = found.why.max(Some(why));
            }
        }
        if differs {
            found.owners.insert(row.string(1)?);
            can_grant &= row.flag(2)?;
        }
    }
    Ok(Look { found, can_grant, own })
}

/// The tables of a schema: their owners, whether this session grants for those, whether the login is one, and what
/// the login may do: [`VERBS`], and whether it may change any column.
const TABLES: &str =
    "select c.relname::text, pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'usage'),
        pg_has_role($1::name, c.relowner, 'member'), has_table_privilege($1::name, c.oid, 'select'),
        has_table_privilege($1::name, c.oid, 'insert'), has_table_privilege($1::name, c.oid, 'update'),
        has_table_privilege($1::name, c.oid, 'delete'), has_table_privilege($1::name, c.oid, 'truncate'),
        has_table_privilege($1::name, c.oid, 'trigger'), has_any_column_privilege($1::name, c.oid, 'update')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $2 and c.relkind in ('r', 'p')";
