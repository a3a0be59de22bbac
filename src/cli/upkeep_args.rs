//! The flags of `larkdeck store` and of `larkdeck key`.

use clap::{Args as ClapArgs, Subcommand};

/// `larkdeck store …`.
#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Make the store: a SQLite file, or larkdeck's tables in an empty PostgreSQL database
    ///
    /// Refused with exit code 9 where there is a store already. A store makes itself on first use as well, in a
    /// file or an empty database, by whoever may; this is for making it beforehand, by the owner of the database.
    Init,
    /// Bring the store's schema up to date, after larkdeck itself was
    ///
    /// One transaction: it is done whole or not at all, and two at once are safe. An older larkdeck does not open
    /// the store afterwards; consoles that are open go on until they end.
    Migrate,
    /// Read every row, ask the engine about its files, compare what has to agree, and open every secret
    ///
    /// Changes nothing, and may run while others use the store. Exit code 1 when something is wrong; each finding
    /// names the row and says what to do.
    Check,
    /// Show how long what is past is kept, how much of it there is, and since when
    ///
    /// The setting is that of this host: the one of whoever holds the connection counts.
    Kept,
    /// Copy a store into an empty one, of the same engine or not, and prove it: counts and hashes by table
    ///
    /// The source may be in use: it is read as it stands in one instant. What belongs to living processes stays
    /// behind (who holds a connection, who is connected, the rate buckets). The target is made where it is not
    /// there, and refused with exit code 9 where it holds anything. Secrets stay sealed with the same key ring.
    Copy {
        /// The store to read: sqlite:PATH or postgres://USER@HOST/DATABASE
        from: String,
        /// The store to fill
        to: String,
    },
}

/// `larkdeck key …`.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Print where the key ring is
    Path,
    /// List the keys of the ring; never the keys themselves
    List,
    /// Rotate the key: add one, use it, drop the old one
    ///
    /// On several hosts: --add on one, copy the key file to the others, --use there, then --drop the old one.
    Rotate(KeyRotate),
}

/// `larkdeck key rotate`.
#[derive(Debug, Clone, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct KeyRotate {
    /// Make a new key in the ring; nothing is sealed with it yet
    #[arg(long)]
    pub add: bool,
    /// Seal every secret of the store with the key ID from now on
    #[arg(long = "use", value_name = "ID")]
    pub use_id: Option<String>,
    /// Take the key ID out of the ring; refused while something is sealed with it
    #[arg(long, value_name = "ID")]
    pub drop: Option<String>,
}
