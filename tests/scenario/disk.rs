//! A disk that is full, files that may not grow, stores and configurations that cannot be used.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    common::platform::{Platform, Tail, until},
    common::{Home, LARKDECK, Ran, Running, finish},
};

/// A folder that holds this much and no more.
const DISK: &str = "size=4m";

/// The program, in a namespace of its own in which `data` of the home is a small disk. An ordinary user may have
/// such a namespace on most systems, and not on all.
fn on_small_disk(home: &Home, script: &str) -> Command {
    std::fs::create_dir_all(home.path("data")).unwrap();
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {DISK} tmpfs \"$XDG_DATA_HOME\" || exit 99\n{script}");
    command.args(["--user", "--map-root-user", "--mount", "bash", "-c", &script]);
    command.env_clear().envs(home.environment()).env("LARKDECK", LARKDECK).stdin(Stdio::null());
    command
}

fn has_small_disks() -> bool {
    let home = Home::new();
    let tried = on_small_disk(&home, "exit 7").stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.code() == Some(7))
}

/// Fills the disk of another process until nothing more fits; what has to go to make room again.
fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    while file.write_all(&[1; 64]).is_ok() {}
    ballast
}

#[test]
fn a_full_disk_loses_nothing() {
    if !has_small_disks() {
        // The other test of this file, which limits the size of files, runs everywhere.
        eprintln!("not run: this system gives an ordinary user no mount namespace");
        return;
    }
    let platform = Platform::of("send");
    let home = Home::new();
    let script = "\"$LARKDECK\" integration add ops --app-id \"$APP\" --base-url \"$BASE\" >&2 || exit 98
        exec \"$LARKDECK\" room tail alpha --since 0 --json";
    let mut command = on_small_disk(&home, script);
    command.env("APP", &platform.app_id).env("BASE", &platform.base_url);
    command.env("LARKDECK_APP_SECRET", &platform.app_secret);
    let mut tail = Tail { running: Running::start(command), ids: Vec::new() };
    platform.wait_connections(1);
    platform.say("alpha", "while there was room");
    tail.wait(&platform.written("alpha"));

    // `unshare`, the shell and the program are one process after the other.
    let disk = Path::new("/proc")
        .join(tail.pid().to_string())
        .join("root")
        .join(home.path("data").strip_prefix("/").unwrap());
    let ballast = fill(&disk);
    let before = platform.control().counters().acked;
    let long = "x".repeat(20_000);
    for n in 0..40 {
        platform.say("alpha", &format!("{n} {long}"));
    }
    until("what cannot be stored is not acknowledged", || platform.control().counters().unacked > 0);
    assert!(platform.control().counters().acked - before < 40);
    assert!(tail.running.child.try_wait().unwrap().is_none(), "it goes on");
    std::fs::remove_file(ballast).unwrap();
    tail.wait(&platform.written("alpha"));
    tail.assert_each_once();
    assert_eq!(tail.running.end("INT"), Some(130));
}

/// Runs the program where no file may grow beyond so many blocks of 1 KiB.
fn limited(home: &Home, blocks: u32, args: &[&str]) -> Ran {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "bash", LARKDECK]).args(args);
    command.env_clear().envs(home.environment()).stdin(Stdio::null());
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_not_the_end() {
    let home = Home::new();
    let rows: String = (0..4000).map(|n| format!("Member {n},m{n}@ex.test\n")).collect();
    let csv = home.write("roster.csv", &format!("name,email\n{rows}"));
    let import = ["member", "import", csv.to_str().unwrap(), "--json"];
    home.run(&["member", "add", "Ann", "--email", "ann@ex.test"]).expect(0);

    let ran = limited(&home, 500, &import).expect(1);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("larkdeck.db"), "{ran:?}");
    assert!(ran.stderr.contains("ulimit -f") || ran.stderr.contains("space"), "{ran:?}");

    // What was committed is whole, and the same import goes on from there.
    let kept = home.run(&["member", "list", "--json"]).expect(0).objects();
    assert!(kept.iter().any(|member| member["name"] == "Ann") && kept.len() < 4001, "{}", kept.len());
    let report = home.run(&import).expect(0).object();
    let (added, unchanged) = (report["added"].as_u64().unwrap(), report["unchanged"].as_u64().unwrap());
    assert_eq!((added + unchanged, unchanged), (4000, kept.len() as u64 - 1));
    assert_eq!(home.run(&["member", "list", "--json"]).expect(0).objects().len(), 4001);
}

#[test]
fn what_cannot_be_used_is_named() {
    let home = Home::new();
    home.run(&["member", "add", "Ann"]).expect(0);
    let store = home.path("data/larkdeck/larkdeck.db");

    // Written by a larkdeck of the future: the schema's number in the head of the file.
    let whole = std::fs::read(&store).unwrap();
    let mut newer = whole.clone();
    newer[60..64].copy_from_slice(&99u32.to_be_bytes());
    std::fs::write(&store, newer).unwrap();
    let ran = home.run(&["member", "list"]).expect(3);
    assert!(ran.stderr.contains("version 99") && ran.stderr.contains("newer"), "{ran:?}");
    assert_eq!(std::fs::read(&store).unwrap()[60..64], 99u32.to_be_bytes(), "it is left as it is");
    std::fs::write(&store, whole).unwrap();
    home.run(&["member", "list"]).expect(0);

    let letter = home.write("letter.db", &"no database at all ".repeat(500));
    let before = std::fs::read(&letter).unwrap();
    let ran = home.run(&["--store", &format!("sqlite:{}", letter.display()), "member", "list"]).expect(1);
    assert!(ran.stderr.contains("letter.db") && ran.stderr.contains("damaged"), "{ran:?}");
    assert_eq!(std::fs::read(&letter).unwrap(), before);

    // A configuration that is a folder, and one that is no text.
    let config = home.path("config/larkdeck/config.toml");
    std::fs::create_dir_all(&config).unwrap();
    let ran = home.run(&["member", "list"]).expect(3);
    assert!(ran.stderr.contains("config.toml"), "{ran:?}");
    std::fs::remove_dir(&config).unwrap();
    std::fs::write(&config, b"[ui]\ntheme = '\xff'\n").unwrap();
    let ran = home.run(&["member", "list"]).expect(3);
    assert!(ran.stderr.contains("config.toml"), "{ran:?}");
    std::fs::remove_file(&config).unwrap();

    // A key that is none.
    home.run_with(
        &["integration", "add", "ops", "--app-id", "cli_0000000000000001", "--no-check"],
        &[("LARKDECK_APP_SECRET", "0123456789abcdef")],
    )
    .expect(0);
    let key = PathBuf::from(home.run(&["key", "path"]).expect(0).stdout.trim());
    let ring = std::fs::read(&key).unwrap();
    std::fs::write(&key, "not a key\n").unwrap();
    let ran = home.run(&["integration", "check"]).expect(3);
    assert!(ran.stderr.contains(key.to_str().unwrap()) && !ran.stderr.contains("not a key"), "{ran:?}");
    std::fs::write(&key, ring).unwrap();
    home.run(&["integration", "show", "ops"]).expect(0);
}
