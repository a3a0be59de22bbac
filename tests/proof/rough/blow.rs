//! What is done to the consoles, the gateway, the database, the networks and the platform.

use std::time::{Duration, Instant};

use larkdeck::sim::{Fault, FaultKind};

use super::{Plan, bed::Bed, desk::Desk};
use crate::{
    clock,
    common::{dice::Dice, mortal::Gateway, platform::until, signal},
    network::Cable,
    postgres::{Server, Stop},
    stage::{Load, ROOM},
};

/// How long it may take until every console shows the same again; what takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(90);

/// A kind of rough handling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    KillConsole,
    KillGateway,
    StopConsole,
    StopGateway,
    CrashDatabase,
    RestartDatabase,
    StallDatabase,
    CutFromDatabase,
    CutFromPlatform,
    StepClock,
    ResetConnections,
    Deafen,
    FailPlatform,
    Flood,
    Resize,
    AnyKeys,
    AnyKeysReadOnly,
    LinkPeople,
    ChangeRole,
    CheckStore,
}

const ALL: [Blow; 20] = [
    Blow::KillConsole,
    Blow::KillGateway,
    Blow::StopConsole,
    Blow::StopGateway,
    Blow::CrashDatabase,
    Blow::RestartDatabase,
    Blow::StallDatabase,
    Blow::CutFromDatabase,
    Blow::CutFromPlatform,
    Blow::StepClock,
    Blow::ResetConnections,
    Blow::Deafen,
    Blow::FailPlatform,
    Blow::Flood,
    Blow::Resize,
    Blow::AnyKeys,
    Blow::AnyKeysReadOnly,
    Blow::LinkPeople,
    Blow::ChangeRole,
    Blow::CheckStore,
];

/// The hand that strikes.
pub struct Hand<'a> {
    pub bed: &'a Bed,
    pub load: &'a Load<'a>,
    pub desks: &'a [Desk<'a>],
    pub gateway: Gateway<'a>,
    pub dice: Dice,
    pub plan: &'a Plan,
    /// Messages of its own.
    pub said: u32,
}

impl Hand<'_> {
    /// All kinds that are possible here, in any order.
    pub fn shuffled(&mut self, has_cables: bool) -> Vec<Blow> {
        let is_possible = |blow: &Blow| match blow {
            Blow::CutFromDatabase | Blow::CutFromPlatform => has_cables,
            Blow::StepClock => self.bed.clock.is_some(),
            _ => true,
        };
        let mut blows: Vec<Blow> = ALL.into_iter().filter(is_possible).collect();
        for at in (1..blows.len()).rev() {
            blows.swap(at, usize::try_from(self.dice.below(at as u64 + 1)).unwrap());
        }
        blows
    }

    /// Strikes; what was done, in words.
    pub fn strike(&mut self, blow: Blow) -> String {
        let at = usize::try_from(self.dice.below(3)).unwrap();
        let (desk, plan) = (&self.desks[at], self.plan);
        let name = desk.name;
        match blow {
            Blow::KillConsole => {
                desk.die_and_rise(&[]);
                format!("kill -9 of {name}'s console")
            }
            Blow::KillGateway => {
                self.gateway.die_and_rise();
                *self.load.bases.lock().unwrap() = vec![self.gateway.base.clone()];
                "kill -9 of the gateway".to_owned()
            }
            Blow::StopConsole => {
                desk.stand_still(plan.stop);
                format!("{name}'s console stopped for {} s", plan.stop.as_secs())
            }
            Blow::StopGateway => {
                signal(self.gateway.pid(), "STOP");
                std::thread::sleep(plan.stop);
                signal(self.gateway.pid(), "CONT");
                format!("the gateway stopped for {} s", plan.stop.as_secs())
            }
            Blow::CrashDatabase | Blow::RestartDatabase => self.restart_database(blow, at),
            Blow::StallDatabase => {
                self.answer_through(at, |hand| {
                    hand.server().pause();
                    hand.wait_for_sign(hand.desks, "✗");
                    std::thread::sleep(plan.away);
                    hand.server().resume();
                });
                format!("the database stood still, {name} was typing")
            }
            Blow::CutFromDatabase => {
                self.answer_through(at, |hand| {
                    hand.bed.hosts[at].pull(Cable::Database);
                    hand.wait_for_sign(&hand.desks[at..=at], "✗");
                    std::thread::sleep(plan.away);
                    hand.bed.hosts[at].put_back(Cable::Database);
                });
                format!("{name}'s host cut off from the database, {name} was typing")
            }
            Blow::CutFromPlatform => {
                self.bed.hosts[at].pull(Cable::Platform);
                std::thread::sleep(plan.away);
                self.bed.hosts[at].put_back(Cable::Platform);
                format!("{name}'s host cut off from the platform")
            }
            Blow::StepClock => {
                let step = *self.dice.pick(&["+3600", "-3600", "+0"]);
                clock::set(self.bed.clock.as_ref().unwrap(), step);
                std::thread::sleep(Duration::from_secs(2));
                format!("the clock of {}'s host at {step} s", self.desks[2].name)
            }
            Blow::ResetConnections => {
                for _ in 0..3 {
                    self.bed.stage.platform.control().drop_connections();
                    std::thread::sleep(Duration::from_millis(self.dice.below(1500)));
                }
                "long connections reset three times".to_owned()
            }
            Blow::Deafen => {
                self.bed.stage.platform.control().set_deaf(true);
                std::thread::sleep(plan.away);
                self.bed.stage.platform.control().set_deaf(false);
                format!("nothing comes by the long connection for {} s", plan.away.as_secs())
            }
            Blow::FailPlatform => {
                let control = self.bed.stage.platform.control();
                control.set_fault(Fault::on("*", FaultKind::Status { status: 503 }));
                control.drop_connections();
                std::thread::sleep(plan.away);
                control.clear_faults();
                format!("the platform answers 503 for {} s", plan.away.as_secs())
            }
            Blow::Flood => {
                (0..plan.flood).for_each(|_| self.load.say());
                format!("{} messages at once", plan.flood)
            }
            Blow::Resize => {
                desk.resize(&mut self.dice);
                format!("{name}'s terminal resized")
            }
            Blow::AnyKeys => {
                desk.press_any(&mut self.dice, 60);
                format!("any keys at {name}'s console")
            }
            Blow::AnyKeysReadOnly => {
                desk.leave_and_return(&["--read-only"]);
                desk.press_any(&mut self.dice, 60);
                desk.leave_and_return(&[]);
                format!("any keys at {name}'s console, read-only")
            }
            Blow::LinkPeople => {
                let home = &self.bed.stage.home;
                let linked = home.run(&["link"]);
                assert!([0, 7].contains(&linked.code), "{linked:?}");
                home.run(&["link", "undo"]).expect(0);
                "everybody linked by another host, and undone".to_owned()
            }
            Blow::ChangeRole => {
                let home = &self.bed.stage.home;
                let role = *self.dice.pick(&["viewer", "responder"]);
                // 7: a login that owns everything is kept to its role by larkdeck alone.
                let set = home.run(&["role", "set", name, role]);
                assert!([0, 7].contains(&set.code), "{set:?}");
                std::thread::sleep(Duration::from_secs(3));
                home.run(&["role", "set", name, "admin"]).expect(0);
                format!("{name} was {role} for a moment")
            }
            Blow::CheckStore => {
                let began = Instant::now();
                self.bed.stage.home.run_slowly(&["store", "check"]).expect(0);
                format!("store check, {} s", began.elapsed().as_secs())
            }
        }
    }

    fn server(&self) -> &Server {
        &self.bed.stage.base.as_ref().unwrap().server
    }

    fn restart_database(&mut self, blow: Blow, at: usize) -> String {
        let away = Duration::from_millis(200 + self.dice.below(2_500));
        let (stop, what) = match blow {
            Blow::CrashDatabase => (Stop::Immediate, "crashed"),
            _ => (Stop::Fast, "restarted"),
        };
        self.answer_through(at, |hand| {
            hand.server().stop(stop);
            std::thread::sleep(away);
            hand.server().start();
        });
        let away = away.as_secs_f64();
        format!("the database {what}, away for {away:.1} s, {} was typing", self.desks[at].name)
    }

    /// Somebody types while it happens; the answer is in the room once in the end.
    fn answer_through(&mut self, at: usize, strike: impl FnOnce(&Self)) {
        self.said += 1;
        let desk = &self.desks[at];
        let text = format!("answer {} of {}", self.said, desk.name);
        let (first, rest) = text.split_at(8);
        desk.begin_answer(first);
        strike(self);
        desk.finish_answer(rest, &text);
        until("the answer is in the room", || {
            // Where it could not be queued it is in the composer again, and Enter is pressed again.
            desk.send(&text);
            std::thread::sleep(Duration::from_millis(500));
            self.bed.stage.platform.count(ROOM, &text) > 0
        });
        desk.stop_typing();
        assert_eq!(self.bed.stage.platform.count(ROOM, &text), 1, "{text:?}");
    }

    fn wait_for_sign(&self, desks: &[Desk<'_>], sign: &str) {
        let began = Instant::now();
        while !desks.iter().all(|desk| desk.has_sign(sign)) {
            assert!(began.elapsed() < PATIENCE, "no line says what happened:\n{}", screens(desks));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until all consoles show the same newest message, which is said now; how long that took.
    pub fn same_again(&mut self) -> Duration {
        self.said += 1;
        let mark = format!("mark {}", self.said);
        self.load.rest();
        // Not in the same millisecond as another: it is to be the newest.
        std::thread::sleep(Duration::from_millis(50));
        self.load.say_this(&mark);
        let began = Instant::now();
        while !self.desks.iter().all(|desk| desk.ends_with(&mark)) {
            assert!(began.elapsed() < PATIENCE, "not all of them show {mark:?}:\n{}", screens(self.desks));
            std::thread::sleep(Duration::from_millis(50));
        }
        let took = began.elapsed();
        self.desks.iter().for_each(Desk::assert_drawn_right);
        self.load.go_on();
        took
    }
}

fn screens(desks: &[Desk<'_>]) -> String {
    desks.iter().map(Desk::screen).collect::<Vec<_>>().join("\n\n")
}
