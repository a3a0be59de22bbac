//! A PgBouncer of a test's own in front of a private PostgreSQL. It ends with the test process.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use super::postgres::{self, Database, Server, USER};

pub struct Pooler {
    keeper: Child,
    orders: Option<ChildStdin>,
    port: u16,
    folder: tempfile::TempDir,
}

/// Ends the pooler when its own input ends: with the test, however that ends.
const KEEPER: &str = r#"pgbouncer -q "$1" </dev/null & echo started; read -r _; kill -INT $!; wait $!"#;

impl Pooler {
    /// In `transaction` or `session` mode; `None` where it is not installed. `settings` are lines of its own.
    pub fn start(server: &Server, mode: &str, settings: &str) -> Option<Self> {
        if !Path::new("/usr/sbin/pgbouncer").is_file() {
            postgres::say_that_there_is_none("PgBouncer");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("larkdeck-pgbouncer-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let conf = folder.path().join("conf");
        // Fewer connections than the processes would have: whoever needs one of his own waits for ever.
        let text = format!(
            "[databases]\n* = host={} port={} user={USER}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n\
             logfile = {}\n{settings}\n",
            server.folder().display(),
            server.port(),
            folder.path().join("log").display(),
        );
        std::fs::write(&conf, text).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&conf).env("PATH", "/usr/sbin:/usr/bin:/bin");
        command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some((uid, gid)) = postgres::other_user() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
            chown(&conf, Some(uid), Some(gid)).unwrap();
            command.uid(uid).gid(gid);
        }
        let mut keeper = command.spawn().unwrap();
        let orders = keeper.stdin.take();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let pooler = Self { keeper, orders, port, folder };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "PgBouncer: {}", pooler.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(pooler)
    }

    /// The database through it.
    pub fn url(&self, database: &Database, parameters: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{}{parameters}", self.port, database.name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.orders = None;
        _ = self.keeper.wait();
    }
}
