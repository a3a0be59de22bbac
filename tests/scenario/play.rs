//! Plays the days that are written down entirely: commands, what goes wrong between them, and what must come
//! of it.

use std::{collections::BTreeMap, path::Path, process::Stdio};

use larkdeck::sim::{Fault, Speech};
use serde::Deserialize;

use crate::{
    common::platform::{self, Platform},
    common::{Home, Ran, finish},
};

/// One step. Several things in one step are done in the order of the fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Step {
    /// Nothing goes wrong any more.
    clear: bool,
    /// Goes wrong from now on.
    fault: Vec<Fault>,
    /// Every token becomes invalid.
    revoke: bool,
    /// The month as the platform counts it.
    month: Option<Month>,
    /// Somebody speaks.
    say: Option<Speech>,
    /// The platform goes down.
    down: bool,
    /// The program's arguments; `{base_url}`, `{app_id}` and `{app_secret}` are filled in.
    run: Vec<String>,
    /// So many at once.
    copies: Option<usize>,
    /// In a home that knows no integration.
    fresh: bool,
    /// Besides the usual environment.
    env: BTreeMap<String, String>,
    /// Standard input.
    stdin: String,
    /// The exit code of each.
    exit: i32,
    /// Stands in what it prints.
    out: Vec<String>,
    /// Stands in what it says on stderr.
    err: Vec<String>,
    /// Stands nowhere.
    never: Vec<String>,
    /// Calls of this step, by endpoint: at least and at most so many.
    calls: BTreeMap<String, (u64, u64)>,
    /// Messages of a chat.
    sent: Vec<Sent>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Month {
    used: u64,
    limit: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    chat: String,
    text: String,
    count: usize,
}

/// Every file with steps, as something to run.
pub fn days() -> Vec<(String, Box<dyn FnOnce() + Send>)> {
    let mut days: Vec<(String, Box<dyn FnOnce() + Send>)> = Vec::new();
    for entry in std::fs::read_dir(platform::folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "toml")
            && !platform::read::<toml::Value>(&path).step.is_empty()
        {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            days.push((name, Box::new(move || play(&path))));
        }
    }
    days
}

fn play(path: &Path) {
    let day = platform::read::<Step>(path);
    let mut platform = Platform::start(day.sim);
    let (home, fresh) = (platform.home(), Home::new());
    for (number, step) in day.step.iter().enumerate() {
        let at = format!("{} ({}), step {}", path.display(), day.about, number + 1);
        prepare(&mut platform, step);
        let before: BTreeMap<&String, u64> =
            step.calls.keys().map(|endpoint| (endpoint, platform.calls(endpoint))).collect();
        if !step.run.is_empty() {
            for ran in run(&platform, if step.fresh { &fresh } else { &home }, step) {
                check(&at, step, &ran);
            }
        }
        for (endpoint, (least, most)) in &step.calls {
            let made = platform.calls(endpoint) - before[endpoint];
            assert!((*least..=*most).contains(&made), "{at}: {made} calls of {endpoint}");
        }
        for sent in &step.sent {
            assert_eq!(platform.count(&sent.chat, &sent.text), sent.count, "{at}: {sent:?}");
        }
    }
    assert_eq!(platform.control().counters().over, 0, "{}: calls over a limit", path.display());
}

fn prepare(platform: &mut Platform, step: &Step) {
    let control = platform.control();
    if step.clear {
        control.clear_faults();
    }
    for fault in &step.fault {
        control.set_fault(fault.clone());
    }
    if step.revoke {
        control.revoke_tokens();
    }
    if let Some(month) = &step.month {
        control.set_month(month.used, Some(month.limit));
    }
    if let Some(speech) = &step.say {
        control.say(speech).unwrap();
    }
    if step.down {
        platform.stop();
    }
}

fn run(platform: &Platform, home: &Home, step: &Step) -> Vec<Ran> {
    let fill = |text: &String| {
        text.replace("{base_url}", &platform.base_url)
            .replace("{app_id}", &platform.app_id)
            .replace("{app_secret}", &platform.app_secret)
    };
    let args: Vec<String> = step.run.iter().map(fill).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let environment: Vec<(&String, String)> =
        step.env.iter().map(|(key, value)| (key, fill(value))).collect();
    if !step.stdin.is_empty() {
        return vec![home.run_input(&args, &step.stdin)];
    }
    let start = |_| {
        let mut command = home.command(&args);
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..step.copies.unwrap_or(1)).map(start).collect();
    running.into_iter().map(finish).collect()
}

#[track_caller]
fn check(at: &str, step: &Step, ran: &Ran) {
    assert_eq!(ran.code, step.exit, "{at}: {ran:?}");
    for text in &step.out {
        assert!(ran.stdout.contains(text), "{at}: no {text:?} in {ran:?}");
    }
    for text in &step.err {
        assert!(ran.stderr.contains(text), "{at}: no {text:?} in {ran:?}");
    }
    for text in step.never.iter().map(String::as_str).chain(["panicked", "sim-app-secret"]) {
        assert!(!ran.stdout.contains(text) && !ran.stderr.contains(text), "{at}: {text:?} in {ran:?}");
    }
    let acts = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!ran.stderr.contains(acts) && !ran.stdout.contains(acts), "{at}: {ran:?}");
}
