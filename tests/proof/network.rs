//! Hosts with networks of their own: a namespace each, and a cable to the database and one to the platform.

use std::process::{Child, Command, Stdio};

use crate::common::Home;

/// The platform, as every host knows it.
pub const PLATFORM: &str = "10.77.0.1";
/// The database, likewise.
pub const DATABASE: &str = "10.77.0.2";

#[track_caller]
fn ip(args: &str) {
    let done = Command::new("ip").args(args.split(' ')).output().unwrap();
    assert!(done.status.success(), "ip {args}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The addresses that every host can reach.
pub fn set_up() {
    ip("link set lo up");
    ip(&format!("addr add {PLATFORM}/32 dev lo"));
    ip(&format!("addr add {DATABASE}/32 dev lo"));
}

/// A host: whatever runs in it reaches the database and the platform by a cable each.
pub struct Host {
    no: u8,
    /// Keeps the namespace.
    keeper: Child,
}

/// Which cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    Database,
    Platform,
}

impl Host {
    pub fn new(no: u8) -> Self {
        let keeper = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", "echo; exec sleep 3600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut host = Self { no, keeper };
        // It has its namespace once it says something.
        let mut said = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(host.keeper.stdout.take().unwrap()),
            &mut said,
        )
        .unwrap();
        host.within("link set lo up");
        host.plug(Cable::Database, DATABASE);
        host.plug(Cable::Platform, PLATFORM);
        host
    }

    /// What starts a program in it.
    pub fn prefix(&self) -> Vec<String> {
        ["nsenter", "--net", "--target", &self.keeper.id().to_string(), "--"].map(str::to_owned).to_vec()
    }

    pub fn takes(&self, home: &mut Home) {
        home.within = self.prefix();
    }

    fn name(&self, cable: Cable) -> String {
        format!("{}{}", if cable == Cable::Database { "db" } else { "im" }, self.no)
    }

    fn plug(&self, cable: Cable, to: &str) {
        let (name, pid, no) = (self.name(cable), self.keeper.id(), self.no);
        let net = if cable == Cable::Database { 1 } else { 2 };
        ip(&format!("link add {name} type veth peer name in netns {pid}"));
        ip(&format!("addr add 10.77.{net}{no}.1/30 dev {name}"));
        ip(&format!("link set {name} up"));
        self.within(&format!("link set in name {name}"));
        self.within(&format!("addr add 10.77.{net}{no}.2/30 dev {name}"));
        self.within(&format!("link set {name} up"));
        self.within(&format!("route add {to}/32 via 10.77.{net}{no}.1 dev {name}"));
    }

    #[track_caller]
    fn within(&self, args: &str) {
        let prefix = self.prefix();
        let done =
            Command::new(&prefix[0]).args(&prefix[1..]).arg("ip").args(args.split(' ')).output().unwrap();
        assert!(done.status.success(), "ip {args}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Pulls the cable: nothing comes through, and nobody is told.
    pub fn pull(&self, cable: Cable) {
        ip(&format!("link set {} down", self.name(cable)));
    }

    pub fn put_back(&self, cable: Cable) {
        ip(&format!("link set {} up", self.name(cable)));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        _ = self.keeper.kill();
        _ = self.keeper.wait();
    }
}
