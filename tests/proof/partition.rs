//! The network between the holder and the database parts, and the one between the holder and the platform.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::{
    common::{
        Home,
        mortal::Follower,
        platform::{Platform, until},
    },
    kill::Ends,
    network::{self, Cable, DATABASE, Host, PLATFORM},
    postgres::{PASSWORD, Settings, USER},
    stage::{Base, Load, ROOM, Stage, scenario},
    table::{Engine, Row},
};

/// Between the holder and the database.
pub const FROM_DATABASE: &str = "cut off from database";
/// Between the holder and the platform.
pub const FROM_PLATFORM: &str = "cut off from platform";

/// One of the two, in a network of its own.
pub fn cut(what: &str, times: u32) -> Row {
    network::set_up();
    let listen = format!("listen_addresses = '{DATABASE}'");
    let settings =
        Settings { tcp: true, conf: &[&listen], network: Some("10.77.0.0/16"), ..Settings::default() };
    let Some(base) = Base::start(&settings) else {
        return Row::not_run(FROM_DATABASE, Engine::Postgres, "not installed");
    };
    let mut plan = scenario(60);
    if what == FROM_PLATFORM {
        // What is missed comes by looking for it, or never.
        plan.socket.redeliver_s.clear();
    }
    let address: IpAddr = PLATFORM.parse().unwrap();
    let platform = Platform::listening(SocketAddr::new(address, 0), plan);
    let stage = Stage::on(Engine::Postgres, Some(base), Home::new(), platform);
    match what {
        FROM_DATABASE => from_database(&stage, times),
        _ => from_platform(&stage, times),
    }
}

/// Three hosts on the store, each with cables of its own.
fn hosts(stage: &Stage) -> (Vec<Host>, Vec<Home>) {
    let base = stage.base.as_ref().unwrap();
    let url = format!(
        "postgres://{USER}:{PASSWORD}@{DATABASE}:{}/{}?sslmode=disable",
        base.server.port(),
        base.database.name
    );
    let hosts: Vec<Host> = (1..=3).map(Host::new).collect();
    let homes = hosts.iter().map(|host| {
        let mut home = stage.another_home();
        home.variables.retain(|(name, _)| *name != "LARKDECK_STORE");
        home.variables.push(("LARKDECK_STORE", url.clone()));
        host.takes(&mut home);
        home
    });
    let homes = homes.collect();
    (hosts, homes)
}

/// Who is cut off lets go of the connection by itself, before another takes over.
fn from_database(stage: &Stage, times: u32) -> Row {
    stage.refuse_lists();
    let (hosts, homes) = hosts(stage);
    let load = Load::new(stage);
    let mut followers: Vec<Follower<'_>> = homes.iter().map(|home| Follower::start(home, ROOM)).collect();
    let (mut let_go, mut live_again) = (Duration::ZERO, Duration::ZERO);
    let (most, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(60)));
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                most.fetch_max(stage.platform.control().counters().connections, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let _ends = (Ends(&load), Flag(&ended));
        for _ in 0..times {
            let heard = stage.acknowledged().len();
            until("it is live", || stage.acknowledged().len() > heard + 5 && stage.holder().is_some());
            let held = stage.holder().unwrap();
            let at = followers.iter().position(|one| one.pid() == held).unwrap();
            let cut_at = Instant::now();
            hosts[at].pull(Cable::Database);
            until_soon("it lets go", || stage.platform.control().counters().connections == 0);
            let_go = let_go.max(cut_at.elapsed());
            until_soon("another has taken over", || stage.platform.control().counters().connections == 1);
            live_again = live_again.max(cut_at.elapsed());
            until("it is live", || stage.holder().is_some_and(|pid| pid != held));
            hosts[at].put_back(Cable::Database);
            // It follows again before the next one is cut off.
            let all = stage.acknowledged().len();
            until("who was cut off follows again", || followers[at].count() >= all);
        }
    });
    let mut row = load.judge(FROM_DATABASE, times, &mut followers);
    row.alike &= most.load(Ordering::Relaxed) == 1;
    row.note = format!(
        "let go after {:.1} s, live again after {:.1} s at most; never two connections",
        let_go.as_secs_f64(),
        live_again.as_secs_f64()
    );
    row
}

/// Who is cut off from the platform makes its connection anew and finds what it has missed.
fn from_platform(stage: &Stage, times: u32) -> Row {
    let (hosts, homes) = hosts(stage);
    let load = Load::new(stage);
    load.say();
    let mut followers: Vec<Follower<'_>> = homes.iter().map(|home| Follower::start(home, ROOM)).collect();
    let mut live_again = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(60)));
        let _ends = Ends(&load);
        for _ in 0..times {
            let heard = stage.acknowledged().len();
            until("it is live", || stage.acknowledged().len() > heard + 5 && stage.holder().is_some());
            let held = stage.holder().unwrap();
            let at = followers.iter().position(|one| one.pid() == held).unwrap();
            hosts[at].pull(Cable::Platform);
            until("the loss is noticed", || stage.holder() != Some(held));
            hosts[at].put_back(Cable::Platform);
            let back_at = Instant::now();
            let heard = stage.acknowledged().len();
            until("events come again", || stage.acknowledged().len() > heard + 5);
            live_again = live_again.max(back_at.elapsed());
        }
    });
    let mut row = load.judge_filled(FROM_PLATFORM, times, &mut followers);
    row.note = format!("live again {:.1} s after the way was open, the gap filled", live_again.as_secs_f64());
    row
}

/// As [`until`], and looking all the time.
#[track_caller]
fn until_soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < crate::common::PATIENCE, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
