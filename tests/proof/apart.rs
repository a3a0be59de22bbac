//! Trials in namespaces of their own: with a network and mounts that nobody else sees, so that nothing of the
//! machine's is touched, and nothing is left behind however the trial ends. Root may, and an ordinary user where
//! the system gives one such namespaces.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::json;

use crate::{
    disk, partition, rough, seed,
    table::{Engine, Row, say},
};

/// The trial that this process is to run.
const TRIAL: &str = "LARKDECK_PROOF_TRIAL";
/// What it prints before its row.
const MARK: &str = "ROW ";

fn unshare(program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        // Stays who one is, and may do in there what root may.
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.args(["--net", "--mount", "--"]).arg(program);
    command
}

/// Whether the system gives namespaces to this user.
pub fn is_allowed() -> bool {
    let tried = "ip link add here type veth peer name there && mount -t tmpfs -o size=1m tmpfs /mnt";
    let mut command = unshare("sh".as_ref());
    command.args(["-c", tried]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a trial in a process of its own namespaces.
pub fn run(what: &'static str, engine: Engine, times: u32) -> Row {
    if !is_allowed() {
        return Row::not_run(what, engine, "the system gives no namespaces");
    }
    let mut command = unshare(std::env::current_exe().unwrap().as_os_str());
    command.args(["--ignored", "--exact", "--nocapture", "inside"]);
    command.env(TRIAL, format!("{what}|{engine}|{times}"));
    // It takes longer than a command may; what it says on the way is for who waits for it.
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let (status, stdout) = (output.status, String::from_utf8(output.stdout).unwrap());
    let line = stdout.lines().find_map(|line| line.split_once(MARK).map(|(_, row)| row.to_owned()));
    let Some(line) = line.filter(|_| status.success()) else { panic!("{stdout}") };
    read_row(what, engine, &serde_json::from_str(&line).unwrap())
}

fn read_row(what: &'static str, engine: Engine, row: &serde_json::Value) -> Row {
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    if !row["is_run"].as_bool().unwrap() {
        return Row::not_run(what, engine, text("note"));
    }
    let count = |name: &str| usize::try_from(row[name].as_u64().unwrap()).unwrap();
    Row {
        acknowledged: count("acknowledged"),
        stored: count("stored"),
        doubles: count("doubles"),
        lost: count("lost"),
        foreign: count("foreign"),
        integrity: text("integrity"),
        alike: row["alike"].as_bool().unwrap(),
        note: text("note"),
        ..Row::new(
            what,
            engine,
            u32::try_from(count("times")).unwrap(),
            Duration::from_secs_f64(row["seconds"].as_f64().unwrap()),
        )
    }
}

/// In there: does what it was told to, and prints the row.
pub fn inside() {
    let Ok(trial) = std::env::var(TRIAL) else {
        return say("this test is begun by the others, in namespaces of its own");
    };
    let mut parts = trial.split('|');
    let (what, engine) = (parts.next().unwrap(), parts.next().unwrap());
    let times = parts.next().unwrap().parse().unwrap();
    let row = match what {
        partition::FROM_DATABASE | partition::FROM_PLATFORM => partition::cut(what, times),
        _ if what == rough::SHORT.what || what == rough::LONG.what => rough::inside(what, seed()),
        _ if engine == Engine::Sqlite.to_string() => disk::full_sqlite(times),
        _ => disk::full_postgres(times),
    };
    let Row {
        times, acknowledged, stored, doubles, lost, foreign, integrity, alike, took, note, is_run, ..
    } = row;
    let seconds = took.as_secs_f64();
    let row = json!({ "times": times, "acknowledged": acknowledged, "stored": stored, "doubles": doubles, "lost": lost,
        "foreign": foreign, "integrity": integrity, "alike": alike, "seconds": seconds, "note": note,
        "is_run": is_run });
    use std::io::Write as _;
    // Not the macro: its words are kept from who runs the tests.
    std::io::stdout().write_all(format!("\n{MARK}{row}\n").as_bytes()).unwrap();
}
