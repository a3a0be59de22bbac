//! The disk of the store is full for a while.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    common::{
        Home,
        mortal::{Follower, Gateway},
        platform::{Platform, until},
    },
    kill::Ends,
    postgres::Settings,
    stage::{Base, Load, ROOM, Stage, scenario},
    table::{Engine, Row},
};

pub const WHAT: &str = "full disk";

/// Each message is as long as that: what has room in what is laid out already would go on for ever.
const LENGTH: usize = 12_000;

#[track_caller]
fn mount(at: &Path, size: &str) {
    std::fs::create_dir_all(at).unwrap();
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at);
    assert!(command.status().unwrap().success(), "no small disk");
}

/// Fills a disk until nothing more fits.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    for bytes in [1 << 16, 4096, 64] {
        while file.write_all(&vec![1; bytes]).is_ok() {}
    }
}

pub fn full_sqlite(times: u32) -> Row {
    loopback();
    let home = Home::new();
    let disk = home.path("data");
    mount(&disk, "48m");
    let stage = Stage::on(Engine::Sqlite, None, home, Platform::start(scenario(60)));
    full(&stage, &disk.join("ballast"), times)
}

pub fn full_postgres(times: u32) -> Row {
    loopback();
    let folder = tempfile::tempdir().unwrap();
    let disk: PathBuf = folder.path().join("disk");
    mount(&disk, "256m");
    // It keeps to its room as long as it can.
    let conf = ["max_wal_size = 64MB", "min_wal_size = 32MB", "checkpoint_timeout = 30s"];
    let settings = Settings { place: Some(&disk), conf: &conf, ..Settings::default() };
    let Some(base) = Base::start(&settings) else {
        return Row::not_run(WHAT, Engine::Postgres, "not installed");
    };
    let stage = Stage::on(Engine::Postgres, Some(base), Home::new(), Platform::start(scenario(60)));
    full(&stage, &disk.join("ballast"), times)
}

/// The network of one's own has none until it is told so.
fn loopback() {
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
}

fn full(stage: &Stage, ballast: &Path, times: u32) -> Row {
    stage.refuse_lists();
    let load = Load::new(stage).at_length(LENGTH);
    let gateway = Gateway::start(&stage.home, &["--no-long-connection"]);
    load.bases.lock().unwrap().push(gateway.base.clone());
    let mut followers = [(); 2].map(|()| Follower::start(&stage.home, ROOM));
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(60)));
        scope.spawn(|| load.push(Duration::from_millis(60)));
        let _ends = Ends(&load);
        for _ in 0..times {
            let heard = stage.acknowledged().len();
            until("it is live", || stage.acknowledged().len() > heard + 5);
            fill(ballast);
            let counters = || stage.platform.control().counters();
            until("what cannot be stored is not acknowledged", || counters().unacked > 20);
            std::fs::remove_file(ballast).unwrap();
            if let Some(base) = &stage.base {
                // A server that could not write its log has ended, as it should.
                base.server.start();
            }
            until("what had to wait is acknowledged", || counters().unacked < 5);
        }
    });
    load.judge(WHAT, times, &mut followers)
}
