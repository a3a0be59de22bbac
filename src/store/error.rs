//! What can go wrong in the store, and what to do about it.

use std::path::PathBuf;

use crate::core::{
    error::{Hint, Kind, Problem},
    integration::Holder,
};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no store that larkdeck can open.
    #[error("{url:?} is not a store: {reason}")]
    BadUrl {
        /// What was given, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no store and none was to be made.
    #[error("there is no store at {place}")]
    Missing {
        /// Where it was looked for.
        place: String,
    },
    /// A copy was to go where something is already.
    #[error("the store {place} is not empty: its table {table} has rows")]
    Occupied {
        /// Which store.
        place: String,
        /// A table that has rows.
        table: &'static str,
    },
    /// A newer larkdeck made the store.
    #[error("the store {place} has schema version {found}; this larkdeck knows versions up to {known}")]
    Newer {
        /// Which store.
        place: String,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An older larkdeck made the store, and nobody has brought it up to date.
    #[error("the store {place} has schema version {found}; this larkdeck needs version {known}")]
    Older {
        /// Which store.
        place: String,
        /// Its version.
        found: i64,
        /// The version that this program works with.
        known: i64,
    },
    /// The database cannot be a store.
    #[error("the database {place} cannot be a store: {reason}")]
    Unsuitable {
        /// Which database.
        place: String,
        /// Why not.
        reason: String,
    },
    /// The database does not let this login in.
    #[error("the database of the store {place} refuses the login: {reason}")]
    LoginRefused {
        /// Which store.
        place: String,
        /// What the database says.
        reason: String,
    },
    /// The way to the database is not as safe as it has to be.
    #[error("no safe connection to the database of the store {place}: {reason}")]
    Insecure {
        /// Which store.
        place: String,
        /// What is wrong with it.
        reason: String,
        /// What mends it.
        hint: Hint,
    },
    /// The database cannot be reached.
    #[error("cannot {doing}: the store {place} is away: {reason}")]
    Away {
        /// What was being done.
        doing: &'static str,
        /// Which store.
        place: String,
        /// What the connection or the system says.
        reason: String,
    },
    /// The connection broke while a change was committed, and nobody can tell whether it was.
    #[error(
        "nobody can tell whether larkdeck could {doing}: the store {place} went away in the middle: {reason}"
    )]
    Unsure {
        /// What was being done.
        doing: &'static str,
        /// Which store.
        place: String,
        /// What the connection or the system says.
        reason: String,
    },
    /// The file is no store, or it is damaged.
    #[error("the store {place} is damaged or no store at all: {reason}")]
    Corrupt {
        /// Which store.
        place: String,
        /// What the engine says.
        reason: String,
    },
    /// No room left on the disk.
    #[error("cannot {doing}: the disk of the store {place} is full")]
    Full {
        /// What was being done.
        doing: &'static str,
        /// Which store.
        place: String,
    },
    /// Somebody else holds the write lock for too long.
    #[error("cannot {doing}: the store {place} is locked by another process")]
    Locked {
        /// What was being done.
        doing: &'static str,
        /// Which store.
        place: String,
    },
    /// The file, its folder or its journal may not be read or written.
    #[error("cannot {doing}: no permission for the store {place}: {reason}")]
    Denied {
        /// What was being done.
        doing: &'static str,
        /// Which store.
        place: String,
        /// What the engine or the system says.
        reason: String,
    },
    /// The engine failed in another way.
    #[error("cannot {doing}: the store {place} failed: {reason}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// Which store.
        place: String,
        /// What the engine says.
        reason: String,
    },
    /// A stored value is not what it should be.
    #[error("the store holds a {what} that cannot be read: {reason}")]
    Data {
        /// What kind of value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file could not be read or written.
    #[error("cannot use the key file {}: {reason}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others can read the key file.
    #[error("the key file {} can be read by others (mode {mode:04o})", path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The bits that it should have.
        wanted: u32,
    },
    /// The command or variable that should give the key gave none.
    #[error("cannot read the key from {origin}: {reason}")]
    KeySource {
        /// `LARKDECK_KEY` or the command.
        origin: String,
        /// Why.
        reason: String,
    },
    /// The store has sealed secrets, and the ring lacks the key.
    #[error("the key {key_id} that seals the secrets of this store is not in the key ring {ring}")]
    KeyLost {
        /// Id of the key.
        key_id: String,
        /// Where the ring is.
        ring: String,
    },
    /// No key of that id in the ring.
    #[error("there is no key {key_id} in the ring; it has {known}")]
    NoSuchKey {
        /// What was asked for.
        key_id: String,
        /// Ids of the ring.
        known: String,
    },
    /// The key cannot be dropped or changed.
    #[error("the key {key_id} stays: {reason}")]
    KeyInUse {
        /// Id of the key.
        key_id: String,
        /// Why.
        reason: String,
    },
    /// Living processes could not open what the key seals.
    #[error("the key {key_id} is not in the key ring of {}", names(holders))]
    KeyLacking {
        /// Id of the key.
        key_id: String,
        /// Who lacks it.
        holders: Vec<Holder>,
    },
    /// A sealed secret was changed, or moved to another row.
    #[error("the sealed {column} of {row} does not open: it was changed, or sealed for another row")]
    Tampered {
        /// Which secret.
        column: String,
        /// Of which row.
        row: String,
    },
    /// The name is taken.
    #[error("there is already an integration named {name:?}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The app is another integration's.
    #[error("the app {app} already belongs to the integration {by:?}")]
    AppTaken {
        /// The app.
        app: String,
        /// The integration that has it.
        by: String,
    },
    /// War Room is on elsewhere (R37).
    #[error("{by:?} has War Room; disable it there first")]
    WarRoomHeld {
        /// The integration that has it.
        by: String,
    },
    /// A member's id or email is another member's.
    #[error("the {what} {value:?} belongs to another member")]
    MemberTaken {
        /// `id`, `email`.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// Somebody has to be admin.
    #[error("{who} is the last admin: somebody has to be")]
    LastAdmin {
        /// Whose role was to be changed.
        who: String,
    },
    /// Nothing of that id or name.
    #[error("there is no {what} {key:?}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// By which id or name.
        key: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Nothing of that id or name.
    pub(crate) fn not_found(what: &'static str, key: impl ToString) -> Self {
        Self::NotFound { what, key: key.to_string() }
    }

    /// Whether the same may go well later without anybody doing anything here.
    pub(crate) const fn is_passing(&self) -> bool {
        // A certificate that expired while we run is renewed at the database.
        self.is_away() || matches!(self, Self::Insecure { .. })
    }

    /// Whether it is the database that does not answer.
    pub(crate) const fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Unsure { .. })
    }

    /// A stored value that cannot be read.
    pub(crate) fn data(what: &'static str, reason: impl ToString) -> Self {
        Self::Data { what, reason: reason.to_string() }
    }
}

impl Problem for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::BadUrl { .. }
            | Self::Missing { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Unsuitable { .. }
            | Self::LoginRefused { .. }
            | Self::Insecure { .. }
            | Self::KeyFile { .. }
            | Self::KeyExposed { .. }
            | Self::KeySource { .. }
            | Self::KeyLost { .. }
            | Self::Tampered { .. } => Kind::Config,
            Self::Corrupt { .. }
            | Self::Full { .. }
            | Self::Locked { .. }
            | Self::Denied { .. }
            | Self::Engine { .. }
            | Self::Away { .. }
            | Self::Unsure { .. }
            | Self::Data { .. }
            | Self::Closed => Kind::Storage,
            Self::Occupied { .. }
            | Self::NameTaken { .. }
            | Self::AppTaken { .. }
            | Self::WarRoomHeld { .. }
            | Self::MemberTaken { .. }
            | Self::KeyLacking { .. }
            | Self::KeyInUse { .. }
            | Self::LastAdmin { .. } => Kind::Refused,
            Self::NotFound { .. } | Self::NoSuchKey { .. } => Kind::NotFound,
        }
    }

    fn is_store_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::BadUrl { .. } => {
                "Write the store as sqlite:PATH or postgres://USER@HOST/DATABASE.".to_owned()
            }
            Self::Missing { place } if is_postgres(place) => {
                "Make it with `larkdeck store init`; the database itself is made with `createdb`.".to_owned()
            }
            Self::Missing { .. } => "Add an integration first, or name the store with --store.".to_owned(),
            Self::Occupied { .. } => "Copy into an empty store: name one that is not there yet.".to_owned(),
            Self::Newer { .. } => "Use the newer larkdeck on this store, or another store.".to_owned(),
            Self::Older { .. } => {
                "Run `larkdeck store migrate` when everybody can have the newer larkdeck: older ones do not open \
                 the store after that."
                    .to_owned()
            }
            Self::Unsuitable { .. } => {
                "Give larkdeck a database of its own, encoded in UTF8, or a schema of its own: \
                 ?options=-c%20search_path=larkdeck at the end of the URL."
                    .to_owned()
            }
            Self::Insecure { hint, .. } => hint.clone(),
            // What the database says of a connection that its pg_hba.conf wants encrypted.
            Self::LoginRefused { reason, .. } if reason.contains("no encryption") => {
                "This login may come encrypted alone: take sslmode=disable out of the URL.".to_owned()
            }
            Self::LoginRefused { .. } => {
                "Look at user and database of the URL, and at the password: [store] password_file, \
                 LARKDECK_STORE_PASSWORD, PGPASSWORD or ~/.pgpass (mode 0600)."
                    .to_owned()
            }
            Self::Away { .. } => {
                "Look at the database and the way to it; what runs goes on by itself once it answers.".to_owned()
            }
            Self::Unsure { .. } => "Look whether it is there before you do it again.".to_owned(),
            Self::Corrupt { place, .. } if is_postgres(place) => {
                "Look at the database's log, and restore a backup where a table is damaged.".to_owned()
            }
            Self::Corrupt { .. } => {
                "Move the file away and restore a backup; `sqlite3 FILE .recover` saves what can be read."
                    .to_owned()
            }
            Self::Full { .. } => "Free some space on that disk; larkdeck goes on by itself.".to_owned(),
            Self::Locked { place, .. } if is_postgres(place) => {
                "Look for a transaction that stays open: select * from pg_stat_activity where state like \
                 'idle in transaction%'."
                    .to_owned()
            }
            Self::Locked { .. } => {
                "Look for a process that keeps the file open in a transaction (`fuser FILE`).".to_owned()
            }
            Self::Denied { place, .. } if is_postgres(place) => {
                "Grant this login what it needs, or use one that may; a standby takes no changes.".to_owned()
            }
            Self::Denied { .. } => {
                "Give this user write permission for the store's folder and its files.".to_owned()
            }
            Self::KeyExposed { path, wanted, .. } => format!("chmod {wanted:o} {}", path.display()),
            Self::KeyFile { .. } | Self::KeySource { .. } => {
                "LARKDECK_KEY_FILE names the key file; it has to be yours and readable.".to_owned()
            }
            Self::KeyLost { .. } => {
                "Bring the key file back (LARKDECK_KEY_FILE), or remove the integration and add \
                                     it again with its secrets. No new key is made over sealed secrets."
                    .to_owned()
            }
            Self::Tampered { .. } => "Enter the secret again with `larkdeck integration edit`.".to_owned(),
            Self::Engine { place, .. } if is_postgres(place) => {
                "The database's own log says more; the store keeps what was committed.".to_owned()
            }
            Self::Engine { .. } => {
                "Look at the disk, and at the limits of this process (`ulimit -f`); the store itself keeps what was \
                 committed."
                    .to_owned()
            }
            Self::WarRoomHeld { by } => format!("larkdeck integration war-room disable {by:?}"),
            Self::KeyLacking { .. } => {
                "Put the key into their ring (copy the key file, or change the variable and restart them): a running \
                 process says within a minute what it has. One of another host that has died is taken off the \
                 list after four minutes, while a console or a gateway runs."
                    .to_owned()
            }
            Self::LastAdmin { .. } => "Make somebody else admin first: larkdeck role set WHO admin.".to_owned(),
            Self::KeyInUse { .. } | Self::NoSuchKey { .. } => "See `larkdeck key list`.".to_owned(),
            _ => return None,
        };
        Some(text)
    }
}

fn is_postgres(place: &str) -> bool {
    place.starts_with("postgres")
}

fn names(holders: &[Holder]) -> String {
    let names: Vec<String> = holders.iter().map(|holder| format!("{holder} (pid {})", holder.pid)).collect();
    names.join(", ")
}
