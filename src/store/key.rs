//! The key ring that seals the secrets of a store.
//!
//! A ring is a small text: a line a key, `ID MADE-AT-MS KEY-IN-BASE64 [current]`. It lives in a file of its
//! own, or comes from an environment variable or a command.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Store, StoreError, StoreUrl, View,
    db::Tx,
    process,
    seal::{self, Place, Sealed},
    sql::{Conn, Row, q},
};
use crate::core::{ids::IntegrationId, secret::Secret, time::Timestamp};

/// First line of a ring file.
const HEADER: &str =
    "# larkdeck key ring 1. Keep it secret, and keep a copy: without it the secrets of the store are lost.";
/// No ring is longer than this.
const MAX_BYTES: u64 = 64 * 1024;

/// Where the ring comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file, made on first use where no secret of the store is sealed yet.
    File(PathBuf),
    /// The text of a ring, or one key, from an environment variable.
    Text(Secret),
    /// The output of a command: program and arguments.
    Command(Vec<String>),
    /// A key of this process alone: for a throw-away store.
    Ephemeral,
}

/// A key of the ring, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id.
    pub id: String,
    /// When it was made, where that is known.
    pub created_at: Option<Timestamp>,
    /// Whether it seals what is written now.
    pub is_current: bool,
}

#[derive(Clone)]
struct RingKey {
    info: KeyInfo,
    bytes: Zeroizing<[u8; 32]>,
}

/// What a process says of its ring: where it comes from, and the ids of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RingReport {
    /// `file:PATH`, or the kind of source.
    pub(super) origin: String,
    pub(super) keys: Vec<String>,
}

impl RingReport {
    /// Whether whoever has the same origin on this host reads the same ring again.
    pub(super) fn is_file(&self) -> bool {
        self.origin.starts_with(FILE_ORIGIN)
    }
}

/// Before the path of a ring that is a file.
const FILE_ORIGIN: &str = "file:";

/// The keys of a store.
pub struct KeyRing {
    source: KeySource,
    /// The group that may read the file, beside its owner.
    store_group: Option<u32>,
    keys: Vec<RingKey>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("origin", &self.origin()).field("keys", &self.list()).finish()
    }
}

impl KeyRing {
    /// Reads the ring. A file that does not exist is an empty ring: the first secret that is sealed makes it.
    /// `store` tells whose group may read the file.
    ///
    /// # Errors
    /// [`StoreError::KeyExposed`], [`StoreError::KeyFile`], [`StoreError::KeySource`].
    pub fn load(source: KeySource, store: Option<&StoreUrl>) -> Result<Self, StoreError> {
        let store_group = store.and_then(|store| {
            let StoreUrl::Sqlite(path) = store else { return None };
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::metadata(path).or_else(|_| std::fs::metadata(folder)).ok().map(|meta| meta.gid())
        });
        let mut ring = Self { source, store_group, keys: Vec::new() };
        ring.reload()?;
        Ok(ring)
    }

    /// Where the ring is, for people.
    pub fn origin(&self) -> String {
        match &self.source {
            KeySource::File(path) => path.display().to_string(),
            KeySource::Text(_) => "LARKDECK_KEY".to_owned(),
            KeySource::Command(words) => format!("the command {}", words.first().map_or("", String::as_str)),
            KeySource::Ephemeral => "this process".to_owned(),
        }
    }

    /// Its keys, oldest first.
    pub fn list(&self) -> Vec<KeyInfo> {
        self.keys.iter().map(|key| key.info.clone()).collect()
    }

    fn report(&self) -> RingReport {
        let origin = match &self.source {
            KeySource::File(path) => {
                let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                format!("{FILE_ORIGIN}{}", path.display())
            }
            KeySource::Text(_) => "text".to_owned(),
            KeySource::Command(_) => "command".to_owned(),
            KeySource::Ephemeral => "process".to_owned(),
        };
        RingReport { origin, keys: self.keys.iter().map(|key| key.info.id.clone()).collect() }
    }

    /// Reads the ring again: another process may have changed it.
    fn reload(&mut self) -> Result<(), StoreError> {
        let text = match &self.source {
            KeySource::File(path) => match read_file(path, self.store_group)? {
                Some(text) => text,
                None => {
                    self.keys.clear();
                    return Ok(());
                }
            },
            KeySource::Text(text) => Zeroizing::new(text.reveal().to_owned()),
            KeySource::Command(words) => run_command(words).map_err(|reason| self.source_error(reason))?,
            KeySource::Ephemeral => {
                if self.keys.is_empty() {
                    let key =
                        new_key(None).ok_or_else(|| self.source_error("the system gives no randomness"))?;
                    self.keys.push(key);
                }
                return Ok(());
            }
        };
        self.keys = parse(&text).map_err(|reason| match &self.source {
            KeySource::File(path) => StoreError::KeyFile { path: path.clone(), reason },
            _ => self.source_error(reason),
        })?;
        Ok(())
    }

    fn source_error(&self, reason: impl Into<String>) -> StoreError {
        StoreError::KeySource { origin: self.origin(), reason: reason.into() }
    }

    fn get(&self, id: &str) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.info.id == id)
    }

    fn current(&self) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.info.is_current).or(self.keys.last())
    }

    fn no_such(&self, id: &str) -> StoreError {
        let known: Vec<&str> = self.keys.iter().map(|key| key.info.id.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        StoreError::NoSuchKey { key_id: id.to_owned(), known }
    }

    /// Makes a key in the ring; the first one is the current one. Returns its id.
    fn add(&mut self, at: Timestamp) -> Result<String, StoreError> {
        self.reload()?;
        let mut key = new_key(Some(at)).ok_or_else(|| self.source_error("the system gives no randomness"))?;
        key.info.is_current = self.keys.is_empty();
        let id = key.info.id.clone();
        let is_first = self.keys.is_empty();
        self.keys.push(key);
        self.save(is_first)?;
        Ok(id)
    }

    fn save(&mut self, is_first: bool) -> Result<(), StoreError> {
        let path = match &self.source {
            KeySource::File(path) => path.clone(),
            KeySource::Ephemeral => return Ok(()),
            _ => return Err(self.source_error("it cannot be changed from here; give the ring as a file")),
        };
        let text = write_out(&self.keys);
        match write_file(&path, &text, is_first) {
            Ok(()) => Ok(()),
            // Somebody made the ring at the same moment: theirs counts.
            Err(error) if is_first && error.kind() == io::ErrorKind::AlreadyExists => self.reload(),
            Err(error) => Err(StoreError::KeyFile { path, reason: error.to_string() }),
        }
    }
}

fn new_key(created_at: Option<Timestamp>) -> Option<RingKey> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).ok()?;
    Some(RingKey { info: KeyInfo { id: key_id(&bytes), created_at, is_current: true }, bytes })
}

/// The id of a key is a fingerprint of it, so that the same key has the same id wherever it comes from.
fn key_id(bytes: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update("larkdeck key id").chain_update(bytes).finalize();
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Result<Vec<RingKey>, String> {
    let mut keys: Vec<RingKey> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (id, created_at, encoded, is_current) = match words.as_slice() {
            [encoded] => (None, None, *encoded, false),
            [id, made, encoded] => (Some(*id), made.parse().ok().map(Timestamp::from_ms), *encoded, false),
            [id, made, encoded, "current"] => {
                (Some(*id), made.parse().ok().map(Timestamp::from_ms), *encoded, true)
            }
            _ => return Err(format!("line {number} is no key")),
        };
        let bytes =
            Zeroizing::new(STANDARD.decode(encoded).map_err(|_| format!("line {number} is not base64"))?);
        let bytes: [u8; 32] =
            bytes.as_slice().try_into().map_err(|_| format!("line {number} is not 32 bytes"))?;
        let bytes = Zeroizing::new(bytes);
        let own_id = key_id(&bytes);
        if id.is_some_and(|id| id != own_id) {
            return Err(format!("the key in line {number} does not fit its id"));
        }
        keys.push(RingKey { info: KeyInfo { id: own_id, created_at, is_current }, bytes });
    }
    if keys.is_empty() {
        return Err("it holds no key".to_owned());
    }
    if !keys.iter().any(|key| key.info.is_current)
        && let Some(last) = keys.last_mut()
    {
        last.info.is_current = true;
    }
    Ok(keys)
}

fn write_out(keys: &[RingKey]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{HEADER}\n"));
    for key in keys {
        let made = key.info.created_at.map_or_else(|| "-".to_owned(), |at| at.ms().to_string());
        let mut encoded = STANDARD.encode(key.bytes.as_slice());
        let mark = if key.info.is_current { " current" } else { "" };
        let mut line = format!("{} {made} {encoded}{mark}\n", key.info.id);
        text.push_str(&line);
        encoded.zeroize();
        line.zeroize();
    }
    text
}

/// The text of a ring file that nobody else can read; `None` where there is none.
fn read_file(path: &Path, store_group: Option<u32>) -> Result<Option<Zeroizing<String>>, StoreError> {
    let failed = |error: io::Error| StoreError::KeyFile { path: path.to_owned(), reason: error.to_string() };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let meta = file.metadata().map_err(failed)?;
    if meta.is_dir() {
        // Its mode is a folder's, and no chmod makes a key of it.
        let reason = "it is a folder; the key is a file in one, such as `key`".to_owned();
        return Err(StoreError::KeyFile { path: path.to_owned(), reason });
    }
    let mode = meta.mode() & 0o7777;
    let group_may_read = store_group == Some(meta.gid());
    if mode & 0o027 != 0 || (mode & 0o040 != 0 && !group_may_read) {
        let wanted = if group_may_read && mode & 0o040 != 0 { 0o640 } else { 0o600 };
        return Err(StoreError::KeyExposed { path: path.to_owned(), mode, wanted });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Writes the ring beside its place and moves it there whole; as the first one it never replaces another.
fn write_file(path: &Path, text: &str, is_first: bool) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let old = std::fs::metadata(path).ok();
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        if let Some(old) = &old {
            let _ = std::os::unix::fs::fchown(&file, None, Some(old.gid()));
            file.set_permissions(PermissionsExt::from_mode(old.mode() & 0o640))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if is_first { std::fs::hard_link(&beside, path) } else { std::fs::rename(&beside, path) }
    })();
    if is_first || written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn run_command(words: &[String]) -> Result<Zeroizing<String>, String> {
    let (program, arguments) = words.split_first().ok_or("the command is empty")?;
    let output = std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("it ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map(Zeroizing::new).map_err(|_| "its output is no text".to_owned())
}

/// The ring of an open store.
pub(super) struct Keys(Mutex<KeyRing>);

impl Keys {
    pub(super) const fn new(ring: KeyRing) -> Self {
        Self(Mutex::new(ring))
    }

    fn ring(&self) -> MutexGuard<'_, KeyRing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a secret, after a second look at the ring where its key is not known.
    fn open(&self, key_id: &str, place: Place<'_>, sealed: &Sealed) -> Result<Secret, StoreError> {
        let mut ring = self.ring();
        if ring.get(key_id).is_none() {
            ring.reload()?;
        }
        let key = ring
            .get(key_id)
            .ok_or_else(|| StoreError::KeyLost { key_id: key_id.to_owned(), ring: ring.origin() })?;
        seal::open(&key.bytes, key_id, place, sealed).ok_or_else(|| StoreError::Tampered {
            column: place.column.to_owned(),
            row: format!("{} {}", place.table, place.row),
        })
    }

    /// Seals with the key `id`.
    fn seal_with(&self, id: &str, place: Place<'_>, secret: &Secret) -> Result<Sealed, StoreError> {
        let ring = self.ring();
        let key = ring.get(id).ok_or_else(|| ring.no_such(id))?;
        seal::seal(&key.bytes, id, place, secret)
            .ok_or_else(|| ring.source_error("the system gives no randomness"))
    }

    /// The key that seals now. An empty ring gets its first key, unless `sealed_by` says that the store has
    /// secrets already: then the ring is lost, and a new one would hide that.
    fn current(&self, sealed_by: Option<&str>, now: Timestamp) -> Result<String, StoreError> {
        let mut ring = self.ring();
        // Another process may have made another key the current one, and dropped this one.
        if ring.current().is_none() || matches!(ring.source, KeySource::File(_)) {
            ring.reload()?;
        }
        if let Some(key) = ring.current() {
            return Ok(key.info.id.clone());
        }
        if let Some(key_id) = sealed_by {
            return Err(StoreError::KeyLost { key_id: key_id.to_owned(), ring: ring.origin() });
        }
        ring.add(now)?;
        ring.current().map(|key| key.info.id.clone()).ok_or_else(|| ring.source_error("it holds no key"))
    }
}

/// The table whose rows own the secrets.
const TABLE: &str = "integration";

/// Seals a secret of an integration into the transaction.
pub(super) async fn put_secret(
    keys: &Keys,
    tx: &mut Tx<'_>,
    integration: &IntegrationId,
    column: &'static str,
    secret: &Secret,
) -> Result<(), StoreError> {
    let sealed_by = q("select key_id from secret limit 1").one(tx).await?;
    let sealed_by = sealed_by.map(|row| row.string(0)).transpose()?;
    let key_id = keys.current(sealed_by.as_deref(), tx.db().now())?;
    let place = Place { table: TABLE, row: integration.as_str(), column };
    let sealed = keys.seal_with(&key_id, place, secret)?;
    q("insert into secret (integration_id, column_name, key_id, nonce, sealed) values ($1, $2, $3, $4, $5)
        on conflict (integration_id, column_name) do update
        set key_id = excluded.key_id, nonce = excluded.nonce, sealed = excluded.sealed")
    .bind(integration)
    .bind(column)
    .bind(key_id)
    .bind(sealed.nonce)
    .bind(sealed.bytes)
    .run(tx)
    .await?;
    Ok(())
}

/// Takes a secret away.
pub(super) async fn drop_secret(
    tx: &mut Tx<'_>,
    integration: &IntegrationId,
    column: &'static str,
) -> Result<(), StoreError> {
    q("delete from secret where integration_id = $1 and column_name = $2")
        .bind(integration)
        .bind(column)
        .run(tx)
        .await?;
    Ok(())
}

/// A secret of an integration in the clear.
pub(super) async fn get_secret(
    keys: &Keys,
    conn: &mut Conn,
    integration: &IntegrationId,
    column: &'static str,
) -> Result<Option<Secret>, StoreError> {
    let row = q("select key_id, nonce, sealed from secret where integration_id = $1 and column_name = $2")
        .bind(integration)
        .bind(column)
        .one(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let place = Place { table: TABLE, row: integration.as_str(), column };
    keys.open(row.text(0)?, place, &sealed_of(&row, 1)?).map(Some)
}

/// Whether a secret can be opened, whatever its column is called.
pub(super) async fn check_secret(
    keys: &Keys,
    conn: &mut Conn,
    integration: &IntegrationId,
    column: &str,
) -> Result<(), StoreError> {
    let row = q("select key_id, nonce, sealed from secret where integration_id = $1 and column_name = $2")
        .bind(integration)
        .bind(column)
        .must(conn)
        .await?;
    let place = Place { table: TABLE, row: integration.as_str(), column };
    keys.open(row.text(0)?, place, &sealed_of(&row, 1)?).map(drop)
}

fn sealed_of(row: &Row, column: usize) -> Result<Sealed, StoreError> {
    Ok(Sealed { nonce: row.bytes(column)?.to_vec(), bytes: row.bytes(column + 1)?.to_vec() })
}

impl View {
    /// The keys of the ring.
    ///
    /// # Errors
    /// Those of reading the ring.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, StoreError> {
        let mut ring = self.inner().keys.ring();
        ring.reload()?;
        Ok(ring.list())
    }

    /// What this process can read, after another look.
    pub(super) fn ring_report(&self) -> Result<RingReport, StoreError> {
        let mut ring = self.inner().keys.ring();
        ring.reload()?;
        Ok(ring.report())
    }
}

impl Store {
    /// Makes a new key in the ring; it seals nothing until [`Store::use_key`]. Returns its id.
    ///
    /// # Errors
    /// [`StoreError::KeyFile`], [`StoreError::KeySource`] where the ring is no file, [`StoreError::KeyLost`]
    /// where the ring is gone and the store has sealed secrets.
    pub async fn add_key(&self) -> Result<String, StoreError> {
        // The transaction keeps two processes from changing the ring at once.
        let mut tx = self.db().write("add a key").await?;
        let sealed_by = q("select key_id from secret limit 1").one(&mut tx).await?;
        let mut ring = self.inner().keys.ring();
        ring.reload()?;
        if let (Some(row), true) = (sealed_by, ring.keys.is_empty()) {
            return Err(StoreError::KeyLost { key_id: row.string(0)?, ring: ring.origin() });
        }
        ring.add(self.db().now())
    }

    /// Seals every secret with this key, in one transaction, and makes it the current one.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`], [`StoreError::KeyLacking`] where a living process could not open what it
    /// seals, [`StoreError::KeyLost`], or the engine's: then nothing has changed.
    pub async fn use_key(&self, id: &str) -> Result<(), StoreError> {
        let keys = &self.inner().keys;
        let mut tx = self.db().write("seal the secrets anew").await?;
        let mine = {
            let mut ring = keys.ring();
            ring.reload()?;
            ring.get(id).ok_or_else(|| ring.no_such(id))?;
            ring.report()
        };
        let lacking = process::without_key(&mut tx, id, &mine).await?;
        if !lacking.is_empty() {
            return Err(StoreError::KeyLacking { key_id: id.to_owned(), holders: lacking });
        }
        let rows =
            q("select integration_id, column_name, key_id, nonce, sealed from secret").all(&mut tx).await?;
        for row in rows {
            let place = Place { table: TABLE, row: row.text(0)?, column: row.text(1)? };
            let secret = keys.open(row.text(2)?, place, &sealed_of(&row, 3)?)?;
            let sealed = keys.seal_with(id, place, &secret)?;
            q("update secret set key_id = $3, nonce = $4, sealed = $5
                where integration_id = $1 and column_name = $2")
            .bind(place.row)
            .bind(place.column)
            .bind(id)
            .bind(sealed.nonce)
            .bind(sealed.bytes)
            .run(&mut tx)
            .await?;
        }
        // The ring goes first: both keys are in it, so that a stop in between costs nothing.
        {
            let mut ring = keys.ring();
            for key in &mut ring.keys {
                key.info.is_current = key.info.id == id;
            }
            ring.save(false)?;
        }
        tx.commit().await
    }

    /// Takes a key out of the ring.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`], or [`StoreError::KeyInUse`] where it is the current one or a secret is
    /// sealed with it.
    pub async fn drop_key(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.db().write("drop a key").await?;
        let used = q("select count(*) from secret where key_id = $1").bind(id).must(&mut tx).await?.int(0)?;
        let mut ring = self.inner().keys.ring();
        ring.reload()?;
        let key = ring.get(id).ok_or_else(|| ring.no_such(id))?;
        let in_use = |reason: String| Err(StoreError::KeyInUse { key_id: id.to_owned(), reason });
        if used > 0 {
            return in_use(format!("{used} secrets are sealed with it"));
        }
        if key.info.is_current {
            return in_use("it is the current one".to_owned());
        }
        ring.keys.retain(|key| key.info.id != id);
        ring.save(false)
    }
}
