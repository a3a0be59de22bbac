//! The promise, in virtual time: a server that counts sliding windows, processes that pull with all their
//! might, delays below the guard.

#![allow(clippy::cast_possible_truncation, reason = "small numbers of a test")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::core::{
    ids::AppKey,
    permit::{Call, Class, Feature, Limit, MonthClass, Target, limit},
    permit_rows::MonthFound,
};

use super::{
    bucket::{Bucket, LATE_MAX_US},
    limits::{APP, BucketSpec, SENDS, specs},
    month::{Month, MonthDenial, MonthRules},
    round::{AHEAD_MAX_US, Ask, Buckets, HORIZON_US, Moment, Verdict, decide},
};

const TIER_4: &[Limit] = &[limit(1000, 60), limit(50, 1)];
const FREE: &[Limit] = &[];
const TAG: u64 = 7;

fn call(limits: &'static [Limit], class: Class, target: Option<Target>) -> Call {
    Call {
        app: AppKey { base_url: "http://sim".into(), app_id: "cli_1".parse().unwrap() },
        endpoint: "im.message.create",
        limits,
        is_send: target.is_some(),
        target,
        month: MonthClass::Exempt,
        class,
        feature: Feature::Send,
        patience: None,
    }
}

fn at(now: i64) -> Moment {
    Moment { now, ..Moment::default() }
}

/// Small and good enough: the tests need variety, not secrecy.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % most.max(1)
    }
}

struct Process {
    me: u64,
    /// Class, buckets, target's number.
    waiting: Vec<(Class, Vec<BucketSpec>, usize)>,
    wake_at: i64,
    /// What it wants to call: refilled for ever.
    wants: Vec<(Class, Vec<BucketSpec>, usize)>,
    depth: usize,
    /// It is stopped from then on, without a word.
    dies_at: i64,
    /// So long after a decision it hears of it.
    lead: i64,
    known: Vec<Known>,
}

struct World {
    /// How the rows' clock was set, and what its run is called.
    set_by: i64,
    tag: u64,
    rows: BTreeMap<String, Vec<u8>>,
    processes: Vec<Process>,
    dice: Dice,
    /// When a timer fires, at most so late.
    timer_late_us: i64,
    /// The way to the server takes so long at least, and varies by so much.
    far_us: i64,
    way_us: i64,
    /// An answer is back so long after its call arrived, or later.
    back_us: i64,
    /// Of so many permits one goes back unused, before its instant or after.
    unused: i64,
}

/// What a process will write down about a permit once that is known.
struct Known {
    left: i64,
    counted_from: i64,
    /// When: its answer is here, or it is given back.
    from: i64,
    is_unused: bool,
    specs: Vec<BucketSpec>,
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    at: i64,
    arrived: i64,
    asked_class: Class,
    target: usize,
    who: u64,
}

impl World {
    /// Runs for so long; what went, in the order of its decision.
    fn run(&mut self, until: i64) -> Vec<Gone> {
        let mut out = Vec::new();
        loop {
            let next = self.processes.iter().enumerate().filter(|(_, one)| one.wake_at < one.dies_at);
            let Some((index, _)) = next.min_by_key(|(_, one)| one.wake_at) else { break };
            let now = self.processes[index].wake_at;
            if now >= until {
                break;
            }
            self.step(index, now, &mut out);
        }
        out
    }

    fn step(&mut self, index: usize, true_now: i64, out: &mut Vec<Gone>) {
        let set_by = self.set_by;
        let now = true_now + set_by;
        let process = &mut self.processes[index];
        while process.waiting.len() < process.depth {
            let choice = self.dice.below(process.wants.len() as i64) as usize;
            process.waiting.push(process.wants[choice].clone());
        }
        process.waiting.sort_by_key(|(class, ..)| *class);
        let mut buckets = Buckets::default();
        for (key, bytes) in &self.rows {
            buckets.insert(key.clone(), Bucket::decode(bytes, self.tag, now, AHEAD_MAX_US).unwrap());
        }
        for known in process.known.extract_if(.., |known| known.from <= true_now) {
            for spec in &known.specs {
                let bucket = buckets.change(&spec.key);
                let from = known.counted_from + set_by;
                if known.is_unused {
                    bucket.give_back(from);
                } else {
                    let since = bucket.counts_from(known.left + set_by, Some(known.from + set_by));
                    bucket.restamp(from, since, now);
                }
            }
        }
        let asks: Vec<Ask<'_>> = process
            .waiting
            .iter()
            .map(|(class, specs, _)| Ask { class: *class, specs, deadline: None, month: None })
            .collect();
        let moment = Moment { lead: process.lead, ..at(now) };
        let round = decide(&mut buckets, &mut [], &MonthRules::default(), process.me, &asks, moment);
        for (key, bucket) in buckets.changed() {
            self.rows.insert(key.clone(), bucket.encode(self.tag));
        }
        let mut verdicts = round.verdicts.iter();
        let (me, lead) = (process.me, process.lead);
        let (dice, known) = (&mut self.dice, &mut process.known);
        process.waiting.retain(|(class, specs, target)| match verdicts.next().unwrap() {
            Verdict::Goes { at } => {
                assert!((now..=now + lead + HORIZON_US).contains(at));
                let at = *at - set_by;
                let left = at.max(true_now + lead);
                assert!(left - at <= LATE_MAX_US / 2);
                let arrived = left + self.far_us + dice.below(self.way_us);
                let is_unused = self.unused > 0 && dice.below(self.unused) == 0;
                let from = match is_unused {
                    true => true_now + dice.below(2 * HORIZON_US),
                    false => arrived + self.back_us + dice.below(10_000),
                };
                let counted_from = moment.counts_from(at);
                known.push(Known { left, counted_from, from, is_unused, specs: specs.clone() });
                if !is_unused {
                    out.push(Gone { at, arrived, asked_class: *class, target: *target, who: me });
                }
                false
            }
            Verdict::Waits { .. } => true,
            other => panic!("{other:?}"),
        });
        let has_room = process.waiting.len() < process.depth;
        let wake = round.wake_at.map_or(true_now + 1, |wake| wake - set_by);
        // An answer comes back after a round trip, and the next call is asked for then.
        let wake = if has_room { wake.min(true_now + 30_000) } else { wake };
        process.wake_at = wake.max(true_now + 1) + self.dice.below(self.timer_late_us);
    }
}

/// The most arrivals in any half-open window of that length.
fn busiest(mut arrivals: Vec<i64>, window_us: i64) -> usize {
    arrivals.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, at) in arrivals.iter().enumerate() {
        while arrivals[first] <= at - window_us {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

fn world(
    seed: u64,
    processes: usize,
    depth: usize,
    wants: &[(Class, Option<usize>)],
    limits: &'static [Limit],
) -> World {
    let wants: Vec<_> = wants
        .iter()
        .map(|(class, target)| {
            let receiver = target.map(|target| Target::Receiver(format!("oc_{target}")));
            (*class, specs(&call(limits, *class, receiver)), target.unwrap_or(usize::MAX))
        })
        .collect();
    let processes = (0..processes)
        .map(|index| Process {
            me: 1 + index as u64,
            waiting: Vec::new(),
            wake_at: 1_000_000 + index as i64 * 700,
            wants: wants.clone(),
            depth,
            dies_at: i64::MAX,
            lead: 0,
            known: Vec::new(),
        })
        .collect();
    World {
        set_by: 0,
        tag: TAG,
        rows: BTreeMap::new(),
        processes,
        dice: Dice(seed),
        timer_late_us: 2_000,
        far_us: 15_000,
        way_us: 20_000,
        back_us: 50_000,
        unused: 0,
    }
}

fn arrivals(gone: &[Gone]) -> Vec<i64> {
    gone.iter().map(|gone| gone.arrived).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// The app-wide limit: never over, and at least 98 % of it.
    #[test]
    fn the_second_is_full_and_never_over(seed: u64, processes in 1usize..6, depth in 2usize..40) {
        let wants = [(Class::Linking, None), (Class::Fill, None), (Class::Person, None), (Class::Page, None)];
        let mut world = world(seed, processes, depth.max(8 / processes), &wants, FREE);
        let gone = world.run(16_000_000);
        prop_assert!(busiest(arrivals(&gone), 1_000_000) <= 50);
        prop_assert!(gone.len() as f64 >= 0.98 * 50.0 * 15.0, "{} calls in 15 s", gone.len());
    }

    /// Answers that come soon say more than the guard assumes: then more than 99 % of the limit goes.
    #[test]
    fn answers_free_places_sooner(seed: u64, processes in 1usize..6, back_us in 0i64..9_000) {
        let mut world = world(seed, processes, 12, &[(Class::Linking, None), (Class::Person, None)], FREE);
        (world.far_us, world.way_us, world.back_us) = (0, 1_000, back_us);
        let gone = world.run(21_000_000);
        prop_assert!(busiest(arrivals(&gone), 1_000_000) <= 50);
        prop_assert!(gone.len() as f64 >= 0.985 * 50.0 * 20.0, "{} calls in 20 s", gone.len());
        // Then each takes another way, and nothing is over.
        world.way_us = 20_000;
        let mut all = gone;
        all.extend(world.run(31_000_000));
        prop_assert!(busiest(arrivals(&all), 1_000_000) <= 50);
    }

    /// Permits that go back give their own place back and no other.
    #[test]
    fn what_goes_back_gives_nothing_twice(seed: u64, processes in 1usize..6, unused in 1i64..9) {
        let mut world = world(seed, processes, 12, &[(Class::Linking, None), (Class::Person, None)], FREE);
        world.unused = unused + 1;
        let gone = world.run(16_000_000);
        prop_assert!(busiest(arrivals(&gone), 1_000_000) <= 50);
        prop_assert!(gone.len() > 200, "{} calls in 15 s", gone.len());
    }

    /// Hosts near the rows and far from them, and a clock of the rows that is set while they pull.
    #[test]
    fn clocks_and_ways_change_nothing(seed: u64, by in -4_000_000_000i64..4_000_000_000, leads in prop::collection::vec(0i64..90_000, 2..6)) {
        let mut world = world(seed, leads.len(), 12, &[(Class::Linking, None), (Class::Person, None)], FREE);
        for (process, lead) in world.processes.iter_mut().zip(leads) {
            process.lead = lead;
        }
        world.set_by = 1_700_000_000_000_000;
        let mut gone = world.run(16_000_000);
        prop_assert!(gone.len() as f64 >= 0.98 * 50.0 * 15.0, "{} calls in 15 s", gone.len());
        world.set_by += by;
        world.tag += 1;
        let more = world.run(26_000_000);
        prop_assert!(more.len() as f64 >= 0.98 * 50.0 * 8.0, "{} calls in 10 s", more.len());
        gone.extend(more);
        prop_assert!(busiest(arrivals(&gone), 1_000_000) <= 50);
    }

    /// An endpoint of tier 4: both its limits and the app's hold together.
    #[test]
    fn the_minute_is_full_and_never_over(seed: u64, processes in 1usize..5, depth in 4usize..30) {
        let mut world = world(seed, processes, depth, &[(Class::Linking, None), (Class::Person, None)], TIER_4);
        let gone = world.run(131_000_000);
        prop_assert!(busiest(arrivals(&gone), 1_000_000) <= 50);
        let slow = gone.iter().map(|gone| gone.at + world.dice.below(1_200_000)).collect();
        prop_assert!(busiest(slow, 60_000_000) <= 1000);
        prop_assert!(gone.len() as f64 >= 0.98 * 1000.0 * 130.0 / 60.0, "{} calls in 130 s", gone.len());
    }

    /// One chat gets five a second, and the chats together fill the minute of all sends.
    #[test]
    fn receivers_are_spared(seed: u64, processes in 1usize..4) {
        let wants: Vec<_> = (0..12).map(|chat| (Class::Person, Some(chat))).collect();
        let mut world = world(seed, processes, 30, &wants, TIER_4);
        let gone = world.run(11_000_000);
        for chat in 0..12 {
            let to_chat: Vec<Gone> = gone.iter().filter(|gone| gone.target == chat).copied().collect();
            prop_assert!(busiest(arrivals(&to_chat), 1_000_000) <= 5);
        }
        prop_assert!(busiest(arrivals(&gone), 1_000_000) <= 50);
        prop_assert!(gone.len() > 300, "{}", gone.len());
    }

    /// Whatever was written reads the same.
    #[test]
    fn rows_survive_their_writing(instants in prop::collection::vec(0i64..50_000_000, 0..60), now in 50_000_000i64..60_000_000) {
        let spec = &specs(&call(TIER_4, Class::Person, None))[0];
        let mut bucket = Bucket::default();
        let mut sorted = instants;
        sorted.sort_unstable();
        for at in sorted {
            bucket.take(spec, at, at, at);
        }
        bucket.pause(now + 5, now);
        prop_assert_eq!(Bucket::decode(&bucket.encode(TAG), TAG, now, 0).unwrap(), bucket);
    }

    /// A row of whatever bytes is an error, not a crash.
    #[test]
    fn damaged_rows_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Bucket::decode(&bytes, TAG, 0, 0);
    }
}

#[test]
fn processes_of_one_class_share() {
    let mut world = world(3, 4, 10, &[(Class::Linking, None)], FREE);
    let gone = world.run(21_000_000);
    for who in 1..=4 {
        let share = gone.iter().filter(|gone| gone.who == who).count() as f64 / gone.len() as f64;
        assert!((0.15..0.35).contains(&share), "{who} got {share}");
    }
}

#[test]
fn a_higher_class_elsewhere_goes_first() {
    let mut world = world(5, 2, 10, &[(Class::Linking, None)], FREE);
    world.processes[1].wants = vec![(Class::Page, specs(&call(FREE, Class::Page, None)), usize::MAX)];
    world.processes[1].wake_at = 6_000_000;
    let gone = world.run(16_000_000);
    let is_page = |gone: &&Gone| gone.asked_class == Class::Page;
    // The first page waits for a place of the window that the bulk has filled, and no longer.
    let first = gone.iter().find(is_page).unwrap();
    assert!(first.at < 6_000_000 + 1_100_000, "{first:?}");
    let later = gone.iter().filter(|gone| gone.at > 8_000_000);
    let pages = later.clone().filter(is_page).count();
    assert!(pages * 100 > later.count() * 95);
}

#[test]
fn a_dead_waiter_holds_nobody_for_long() {
    let mut world = world(5, 2, 10, &[(Class::Linking, None)], FREE);
    world.processes[1].wants = vec![(Class::Page, specs(&call(FREE, Class::Page, None)), usize::MAX)];
    world.processes[1].dies_at = 5_000_000;
    let gone = world.run(12_000_000);
    let after = gone.iter().filter(|gone| gone.who == 1 && gone.at > 5_000_000).map(|gone| gone.at).min();
    assert!(after.unwrap() < 8_200_000, "{after:?}");
    assert!(gone.iter().filter(|gone| gone.at > 9_000_000).count() >= 140);
}

#[test]
fn a_pause_holds_everybody_and_widens_the_guard() {
    let call = call(FREE, Class::Page, None);
    let spec = &specs(&call)[0];
    let mut bucket = Bucket::default();
    bucket.pause(5_000_000, 1_000_000);
    assert_eq!(bucket.free_at(spec, Class::Page, 0, 1_000_000), 5_000_000);
    for index in 0..50 {
        bucket.take(spec, 5_000_000, 5_000_000 + index, 5_000_000);
    }
    assert_eq!(bucket.free_at(spec, Class::Page, 0, 5_000_100), 5_000_000 + 1_000_000 + 20_000 + 20_000);
    // It wears off.
    assert_eq!(bucket.free_at(spec, Class::Page, 0, 5_900_000 + 600_000_000), 605_900_000);
}

#[test]
fn what_left_late_counts_from_then() {
    let spec = &specs(&call(FREE, Class::Page, None))[0];
    let mut bucket = Bucket::default();
    for index in 0..50 {
        bucket.take(spec, 1_000_000, 1_000_000 + index * 1000, 1_000_000);
    }
    bucket.restamp(1_000_000, 1_500_000, 1_500_000);
    assert_eq!(bucket.free_at(spec, Class::Page, 0, 1_500_000), 1_001_000 + 1_020_000);
    bucket.give_back(1_500_000);
    assert_eq!(bucket.free_at(spec, Class::Page, 0, 1_500_000), 1_500_000);
}

#[test]
fn what_goes_back_before_its_instant_gives_no_older_place_back() {
    let spec = &specs(&call(FREE, Class::Page, None))[0];
    let mut bucket = Bucket::default();
    for _ in 0..50 {
        bucket.take(spec, 1_000_000, 1_000_000, 1_000_000);
    }
    bucket.take(spec, 2_020_000, 2_020_000, 1_985_000);
    bucket.give_back(2_020_000);
    assert_eq!(bucket.free_at(spec, Class::Page, 0, 1_986_000), 2_020_000);
}

#[test]
fn an_answer_says_when_a_call_had_arrived() {
    let found = |limits, answered: i64| {
        let spec = &BucketSpec { limits, ..specs(&call(limits, Class::Page, None))[0].clone() };
        let mut bucket = Bucket::default();
        bucket.take(spec, 1_000_000, 1_000_000, 1_000_000);
        bucket.counts_from(1_002_000, Some(1_000_000 + answered)) - 1_000_000
    };
    // Of the guard of 20 ms a second only what clocks may differ by is left: 5 ms.
    assert_eq!(found(APP, 3_000), 3_000 - 15_000);
    // Later than the guard it says nothing: it left 2 ms late.
    assert_eq!(found(APP, 30_000), 2_000);
    assert_eq!(found(SENDS, 30_000), 30_000 - 900_000);
    assert_eq!(found(TIER_4, 3_000), 3_000 - 15_000, "the shorter window's");
}

#[test]
fn another_boot_keeps_the_distances() {
    let spec = &specs(&call(FREE, Class::Page, None))[0];
    let mut bucket = Bucket::default();
    for index in 0..50 {
        bucket.take(spec, 900_000_000, 900_000_000 + index * 1000, 900_000_000);
    }
    bucket.pause(950_000_000, 900_000_000);
    let moved = Bucket::decode(&bucket.encode(TAG), TAG + 1, 2_000_000, 0).unwrap();
    assert_eq!(moved.free_at(spec, Class::Page, 0, 2_000_000), 2_000_000 - 49_000 + 1_020_000);
    // So does a clock that ran back.
    let bucket = Bucket::decode(&bucket.encode(TAG), TAG, 90_000_000, 0).unwrap();
    assert_eq!(bucket.free_at(spec, Class::Page, 0, 90_000_000), 90_000_000 - 49_000 + 1_020_000);
}

#[test]
fn the_month_is_gated_call_by_call() {
    let rules = MonthRules { limit: Some(10), page_reserve_percent: 0, ..MonthRules::default() };
    let found = MonthFound { base: 8, ..MonthFound::default() };
    let specs = specs(&call(FREE, Class::Person, None));
    let ask = Ask { class: Class::Person, specs: &specs, deadline: None, month: Some(0) };
    let exempt = Ask { month: None, ..ask };
    let mut buckets = Buckets::default();
    let round = decide(&mut buckets, &mut [Month(found)], &rules, 1, &[ask, ask, ask, exempt], at(1_000_000));
    let goes = Verdict::Goes { at: 1_000_000 };
    assert_eq!(round.verdicts, [goes, goes, Verdict::Month(MonthDenial::Exhausted), goes]);
}

#[test]
fn patience_ends() {
    let specs = specs(&call(FREE, Class::Person, None));
    let ask = Ask { class: Class::Person, specs: &specs, deadline: Some(1_500_000), month: None };
    let mut buckets = Buckets::default();
    let asks = vec![ask; 51];
    let round = decide(&mut buckets, &mut [], &MonthRules::default(), 1, &asks, at(1_000_000));
    assert_eq!(round.verdicts[49], Verdict::Goes { at: 1_000_000 });
    assert_eq!(round.verdicts[50], Verdict::TooLong { until: 2_060_000, spec: 0 });
    assert_eq!(round.wake_at, None);
}
