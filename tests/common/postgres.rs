//! A private PostgreSQL for tests: started from the installed programs as an ordinary user, on a socket in a
//! folder of its own. It ends with the test process, however that ends, and leaves nothing behind.
//!
//! Where it is not installed, tests say so by name and return; `LARKDECK_TEST_POSTGRES=required` makes that
//! a failure. The library's own tests use this file too.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and each test binary uses its part"
)]

use std::{
    fmt, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

/// The superuser of every private server.
pub const USER: &str = "postgres";
/// Its password: TCP asks for it, the socket does not.
pub const PASSWORD: &str = "only-for-tests";

/// What a server of one's own is started with.
#[derive(Debug, Default)]
pub struct Settings<'a> {
    /// Listen on 127.0.0.1 too.
    pub tcp: bool,
    /// Forget what was committed when the machine (not only the server) dies: faster.
    pub no_fsync: bool,
    /// The network that it is reached from over TCP besides 127.0.0.1, such as `10.0.0.0/8`.
    pub network: Option<&'a str>,
    /// Where its folder is made; none: where temporary files are.
    pub place: Option<&'a Path>,
    /// Lines of its configuration, the last of the same name holds.
    pub conf: &'a [&'a str],
    /// It speaks TLS with this certificate.
    pub tls: Option<Tls<'a>>,
    /// Who is let in how over TCP (pg_hba.conf), in place of everybody with the password.
    pub hba: Option<&'a str>,
}

/// What a server shows and whom it trusts, as PEM.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    pub cert: &'a str,
    pub key: &'a str,
    /// The authority of those who may show certificates of their own.
    pub clients: &'a str,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// Sessions are thrown out, and everything is written.
    Fast,
    /// As if it had crashed: the next start recovers from the log.
    Immediate,
}

/// A server; ends when dropped.
pub struct Server {
    folder: PathBuf,
    port: u16,
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

/// The shell that owns the server: it obeys line by line, and cleans up when its input ends.
struct Keeper {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// A fresh database.
#[derive(Debug, Clone)]
pub struct Database {
    pub name: String,
    /// By socket.
    pub options: PgConnectOptions,
}

impl Database {
    /// By socket, as a setting takes it.
    pub fn url(&self) -> String {
        let socket = self.options.get_socket().unwrap().display();
        format!("postgres:///{}?host={socket}&port={}&user={USER}", self.name, self.options.get_port())
    }

    /// The same by another socket.
    pub fn url_by(&self, folder: &Path) -> String {
        Self { options: self.options.clone().socket(folder), ..self.clone() }.url()
    }

    pub async fn connect(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }
}

/// A fresh database on the server that all tests of the binary share; `None` where PostgreSQL is not
/// installed.
pub async fn database() -> Option<Database> {
    Some(shared()?.database().await)
}

/// The server that all tests of the binary share. Who stops or stalls it wants one of his own.
pub fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server =
        SHARED.get_or_init(|| programs().map(|programs| Server::new(&programs, &Settings::default())));
    if server.is_none() {
        say_that_it_is_missing();
    }
    server.as_ref()
}

/// A server of one's own.
pub fn start(settings: &Settings<'_>) -> Option<Server> {
    let programs = programs();
    if programs.is_none() {
        say_that_it_is_missing();
    }
    programs.map(|programs| Server::new(&programs, settings))
}

fn say_that_it_is_missing() {
    say_that_there_is_none("PostgreSQL");
}

/// Says by name that the test that runs here checks nothing; where nothing may be missing it fails.
pub fn say_that_there_is_none(what: &str) {
    let thread = std::thread::current();
    let text = format!("NOT CHECKED: {}: {what} is not installed", thread.name().unwrap_or("a test"));
    assert!(std::env::var_os("LARKDECK_TEST_POSTGRES").is_none_or(|value| value != "required"), "{text}");
    // Not the macro: its words are kept from who runs the tests.
    _ = writeln!(std::io::stderr(), "{text}");
}

/// The folder of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let mut folders = Vec::new();
    for (family, prefix, below) in [("/usr/lib/postgresql", "", "bin"), ("/usr", "pgsql-", "bin")] {
        let entries = fs::read_dir(family).into_iter().flatten().flatten();
        let mut versions: Vec<(u32, PathBuf)> = entries
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join(below)))
            })
            .collect();
        versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        folders.extend(versions.into_iter().map(|(_, folder)| folder));
    }
    if let Ok(said) = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    }
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let is_whole =
        |folder: &PathBuf| ["initdb", "postgres", "pg_ctl"].iter().all(|name| folder.join(name).is_file());
    folders.into_iter().find(is_whole)
}

/// An ordinary user to run it as where the tests run as root, which it refuses.
pub fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let known = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = known.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user postgres or nobody"))
}

impl Server {
    fn new(programs: &Path, settings: &Settings<'_>) -> Self {
        let place = settings.place.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = tempfile::Builder::new().prefix("larkdeck-postgres-").tempdir_in(place).unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let user = other_user();
        // It was free a moment ago, and the kernel gives the same one out again last.
        let port = match settings.tcp {
            true => TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
            false => 5432,
        };
        fs::write(folder.join("password"), PASSWORD).unwrap();
        fs::write(folder.join("conf"), conf(&folder, port, settings)).unwrap();
        let hosts =
            settings.network.map_or_else(String::new, |it| format!("host all all {it} scram-sha-256\n"));
        fs::write(folder.join("hosts"), hosts).unwrap();
        let mut files = vec!["password", "conf", "hosts"];
        if let Some(tls) = &settings.tls {
            for (name, pem) in [("cert.pem", tls.cert), ("key.pem", tls.key), ("clients.pem", tls.clients)] {
                fs::write(folder.join(name), pem).unwrap();
                fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
                files.push(name);
            }
        }
        if let Some(hba) = settings.hba {
            fs::write(folder.join("hba"), format!("local all all trust\n{hba}")).unwrap();
            files.push("hba");
        }
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(programs).arg(&folder);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        // Not of the terminal's group: Ctrl-C ends the test, and the end of the test ends this.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
            for name in files {
                chown(folder.join(name), Some(uid), Some(gid)).unwrap();
            }
            command.uid(uid).gid(gid);
        }
        let mut child = command.spawn().unwrap();
        let (orders, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let keeper = Mutex::new(Keeper { child, orders, answers });
        let server = Self { folder, port, keeper, databases: AtomicU32::new(0) };
        server.order("make");
        server.start();
        server
    }

    /// A database that nobody uses yet.
    pub async fn database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let database = self.named(&format!("test_{number}"));
        let mut admin = self.named("postgres").connect().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {}", database.name)))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
        database
    }

    /// The database of that name, which is there already.
    pub fn named(&self, name: &str) -> Database {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .port(self.port)
            .username(USER)
            .password(PASSWORD)
            .database(name)
            .disable_statement_logging();
        Database { name: name.to_owned(), options }
    }

    /// The same database over TCP; the server was started for it.
    pub fn over_tcp(&self, database: &Database) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(USER)
            .password(PASSWORD)
            .database(&database.name)
            .disable_statement_logging()
    }

    /// Runs one of its programs (`pg_dump`, `pg_restore`) as its superuser.
    #[track_caller]
    pub fn program(&self, name: &str, args: &[&str]) {
        let mut command = Command::new(programs().unwrap().join(name));
        command.args(["-h"]).arg(&self.folder).args(["-p", &self.port.to_string(), "-U", USER]).args(args);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Where its socket is, and a `log` of what it said.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it; [`Server::start`] goes on with what was committed.
    pub fn stop(&self, how: Stop) {
        self.order(match how {
            Stop::Fast => "stop fast",
            Stop::Immediate => "stop immediate",
        });
    }

    /// Starts it where it does not run, and returns when it answers.
    pub fn start(&self) {
        self.order("start");
    }

    /// Stops every process of it where it stands: connections stay, answers do not come.
    pub fn pause(&self) {
        self.order("pause");
    }

    /// Lets it go on after [`Server::pause`].
    pub fn resume(&self) {
        self.order("resume");
    }

    #[track_caller]
    fn order(&self, order: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        let mut answer = String::new();
        writeln!(keeper.orders.as_mut().unwrap(), "{order}").unwrap();
        keeper.answers.read_line(&mut answer).unwrap();
        if answer != "done\n" {
            let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
            panic!("PostgreSQL: {order} failed\n{}\n{}", read("said"), read("log"));
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL at {}", self.folder.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        keeper.orders = None;
        _ = keeper.child.wait();
    }
}

fn conf(folder: &Path, port: u16, settings: &Settings<'_>) -> String {
    let mut lines = vec![
        format!("port = {port}"),
        format!("listen_addresses = '{}'", if settings.tcp { "127.0.0.1" } else { "" }),
        format!("unix_socket_directories = '{}'", folder.display()),
        format!("fsync = {}", if settings.no_fsync { "off" } else { "on" }),
        "max_connections = 200".to_owned(),
        "shared_buffers = 32MB".to_owned(),
        "autovacuum_naptime = 10s".to_owned(),
    ];
    let file = |name: &str| format!("'{}'", folder.join(name).display());
    if settings.tls.is_some() {
        lines.push("ssl = on".to_owned());
        lines.push(format!("ssl_cert_file = {}", file("cert.pem")));
        lines.push(format!("ssl_key_file = {}", file("key.pem")));
        lines.push(format!("ssl_ca_file = {}", file("clients.pem")));
    }
    if settings.hba.is_some() {
        lines.push(format!("hba_file = {}", file("hba")));
    }
    lines.extend(settings.conf.iter().map(|line| (*line).to_owned()));
    lines.join("\n") + "\n"
}

/// The keeper's program. Where the server offers it, text sorts as people sort it, as on most servers in the
/// field: a statement that relies on the order of bytes has to say so.
const KEEPER: &str = r#"
bin=$1 folder=$2 data=$2/data
processes() {
  main=$(head -n 1 "$data/postmaster.pid" 2>>"$folder/said") || return 1
  echo "$main" $(cat "/proc/$main/task/$main/children")
}
make() {
  locale=--locale=C
  if "$bin/initdb" --help | grep -q -- --icu-locale; then
    locale="--locale=C --locale-provider=icu --icu-locale=en-US"
  fi
  "$bin/initdb" -D "$data" -U postgres -E UTF8 $locale --no-sync --auth-local=trust \
    --auth-host=scram-sha-256 --pwfile="$folder/password" || return 1
  cat "$folder/conf" >> "$data/postgresql.conf"
  cat "$folder/hosts" >> "$data/pg_hba.conf"
}
obey() {
  case $1 in
    make) make ;;
    start) "$bin/pg_ctl" -D "$data" status || "$bin/pg_ctl" -D "$data" -l "$folder/log" -w -t 60 start ;;
    stop) "$bin/pg_ctl" -D "$data" -m "$2" -w -t 60 stop ;;
    # Twice: whoever was born before its parent stood still.
    pause) kill -STOP $(processes) && kill -STOP $(processes) ;;
    resume) kill -CONT $(processes) ;;
  esac
}
while read -r order; do
  if obey $order >>"$folder/said" 2>&1 </dev/null; then echo done; else echo failed; fi
done
exec >>"$folder/said" 2>&1
if [ -e "$data/postmaster.pid" ]; then
  kill -CONT $(processes)
  "$bin/pg_ctl" -D "$data" -m immediate -w -t 20 stop || kill -KILL $(processes)
fi
rm -rf "$folder"
"#;
