//! Commands: every one there is, with arguments that are right, by the program itself.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use larkdeck::{cli::args::Args, sim};
use serde_json::Value;

use super::{
    common::{Home, Ran},
    watched::Watched,
};

/// What a command is to a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It reads: done.
    Read,
    /// It writes or calls: a matter of permission.
    More,
    /// There is one already.
    Taken,
    /// Needs no store at all.
    Nothing,
}

/// A command line for each command of the program. `{…}` stands for what the store of the test has.
const COMMANDS: &[(&str, &str, Does)] = {
    use Does::{More, Nothing, Read, Taken};
    &[
        ("demo", "demo --help", Nothing),
        ("sim", "sim --help", Nothing),
        ("completions", "completions bash", Nothing),
        ("man", "man", Nothing),
        ("integration add", "integration add more --kind slack", More),
        ("integration list", "integration list", Read),
        ("integration show", "integration show ops", Read),
        ("integration edit", "integration edit ops --name ops2 --no-check", More),
        ("integration remove", "integration remove ops", More),
        ("integration check", "integration check ops", More),
        ("integration war-room", "integration war-room enable ops", More),
        ("member import", "member import {csv}", More),
        ("member import", "member import {csv} --dry-run", Read),
        ("member list", "member list", Read),
        ("member add", "member add Zed --email zed@ex.test", More),
        ("member edit", "member edit {member} --team Night", More),
        ("member remove", "member remove {member}", More),
        ("link", "link {member}", More),
        ("link", "link --dry-run", Read),
        ("link undo", "link undo", More),
        ("link invite", "link invite {member}", More),
        ("unlink", "unlink {member}", More),
        ("room list", "room list", Read),
        ("room list", "room list --refresh", More),
        ("room show", "room show {room}", Read),
        ("room show", "room show {room} --refresh", More),
        ("room tail", "room tail {room}", Read),
        ("room history", "room history {room}", Read),
        ("room history", "room history {room} --fetch", More),
        ("room send", "room send {room} hello", More),
        ("room reply", "room reply {room} {message} hello", More),
        ("room react", "room react {room} {message} OK", More),
        ("quota", "quota", Read),
        ("quota rebase", "quota rebase 7", More),
        ("log", "log", Read),
        ("press", "press --as {member}", Read),
        ("serve", "serve --listen 127.0.0.1:0", More),
        ("store init", "store init", Taken),
        ("store migrate", "store migrate", Read),
        ("store check", "store check", Read),
        ("store kept", "store kept", Read),
        ("store copy", "store copy sqlite:{store} sqlite:{other}", Read),
        ("key path", "key path", Read),
        ("key list", "key list", Read),
        ("key rotate", "key rotate --add", More),
        ("key rotate", "key rotate --use {key}", More),
        ("key rotate", "key rotate --drop {key}", More),
        ("console list", "console list", Read),
        ("role list", "role list", Read),
        ("role set", "role set bob@{host} admin", More),
        ("role remove", "role remove ann@{host}", More),
        ("role grants", "role grants bob viewer", Read),
    ]
};

/// The names of all commands that can be given: `room`, which only groups others, is not one.
fn all_commands() -> BTreeSet<String> {
    fn walk(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            if !below.is_subcommand_required_set() {
                found.insert(path.clone());
            }
            walk(below, &path, found);
        }
    }
    let mut found = BTreeSet::new();
    walk(&Args::command(), "", &mut found);
    found
}

#[test]
fn every_command_has_its_line_in_the_table() {
    let listed: BTreeSet<String> = COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(listed, all_commands());
}

/// A store that ann has used, and what its commands name.
struct Stand {
    home: Home,
    control: sim::Control,
    _sim: sim::Sim,
    names: Vec<(&'static str, String)>,
}

impl Stand {
    async fn new() -> Self {
        let scenario = sim::Scenario::still().unwrap();
        let sim = sim::Sim::start(sim::SimOptions::local(scenario)).await.unwrap();
        let control = sim.control();
        let home = Home::new();
        let access = sim.access().clone();
        let csv = home.write("roster.csv", &control.members_csv());
        let mut stand = Self { home, control, _sim: sim, names: Vec::new() };
        let secrets = [("LARKDECK_APP_SECRET", access.app_secret.as_str())];
        let add = format!("integration add ops --app-id {} --base-url {}", access.app_id, access.base_url);
        stand.run_with("ann", &add, &secrets).expect(0);
        stand.run("ann", &format!("member import {}", csv.display())).expect(0);
        let linked = stand.run("ann", "link --json");
        assert!(linked.code == 0 || linked.code == 7, "{linked:?}");
        let chat = stand.control.chats()[0].0.clone();
        stand.run("ann", "room list --refresh").expect(0);
        let sent = stand.run("ann", &format!("room send {chat} hello --json")).expect(0).object();
        let first = |ran: Ran, key: &str| ran.expect(0).objects()[0][key].as_str().unwrap().to_owned();
        let member = first(stand.run("ann", "member list --limit 1 --json"), "id");
        let key = first(stand.run("ann", "key list --json"), "id");
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        stand.names = vec![
            ("{csv}", csv.display().to_string()),
            ("{member}", member),
            ("{room}", chat),
            ("{message}", sent["message_id"].as_str().unwrap().to_owned()),
            ("{key}", key),
            ("{store}", stand.home.path("data/larkdeck/larkdeck.db").display().to_string()),
            ("{other}", stand.home.path("other.db").display().to_string()),
            ("{host}", host),
        ];
        stand
    }

    fn run(&self, user: &str, line: &str) -> Ran {
        self.run_with(user, line, &[])
    }

    fn run_with(&self, user: &str, line: &str, environment: &[(&str, &str)]) -> Ran {
        let mut line = line.to_owned();
        for (name, value) in &self.names {
            line = line.replace(name, value);
        }
        let args: Vec<&str> = line.split(' ').collect();
        let environment = [environment, &[("USER", user)]].concat();
        if line.starts_with("room tail") {
            // It goes on until it is ended: once it follows, it has done what it does.
            return self.tail(&args, &environment);
        }
        self.home.run_with(&args, &environment)
    }

    fn tail(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let args = [args, &["--since", "0"]].concat();
        let mut command = self.home.command(&args);
        command.envs(environment.iter().copied());
        let mut tail = super::common::Running::start(command);
        _ = tail.line();
        super::common::signal(tail.child.id(), "INT");
        let status = super::common::wait(&mut tail.child).unwrap();
        Ran { code: status.code().unwrap(), stdout: String::new(), stderr: String::new() }
    }
}

fn code_of(error: &Ran) -> i32 {
    error.code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_writes_nothing_and_calls_nothing_whatever_is_commanded() {
    let stand = Stand::new().await;
    stand.run("ann", "role set bob viewer").expect(0);
    let mut watched = Watched::open(&stand.home.path("data/larkdeck")).await;
    let (before, calls) = (watched.look().await, stand.control.counters());
    for (_, line, does) in COMMANDS {
        let ran = stand.run("bob", line);
        let wanted = match does {
            _ if line.starts_with("room tail") => 130,
            Does::Read | Does::Nothing => 0,
            Does::More => 4,
            Does::Taken => 9,
        };
        assert_eq!(code_of(&ran), wanted, "{line}: {ran:?}");
        assert_eq!(watched.look().await, before, "{line}");
        assert_eq!(stand.control.counters(), calls, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_command_changes_no_tenant_link_room_or_setting() {
    let stand = Stand::new().await;
    let mut watched = Watched::open(&stand.home.path("data/larkdeck")).await;
    let messages = |stand: &Stand| -> Vec<_> {
        stand.control.chats().iter().map(|(id, _)| stand.control.messages(id)).collect()
    };
    let (before, there) = (watched.look().await.changes(), messages(&stand));
    for (_, line, does) in COMMANDS.iter().filter(|(name, ..)| *name != "serve") {
        let ran = stand.run("ann", &format!("{line} --read-only"));
        // What only asks goes on.
        let asks = ["integration check", "--refresh", "--fetch"].iter().any(|word| line.contains(word));
        let wanted = match does {
            _ if line.starts_with("room tail") => 130,
            Does::More if !asks => 9,
            Does::Taken => 9,
            _ => 0,
        };
        assert_eq!(code_of(&ran), wanted, "{line}: {ran:?}");
        assert_eq!(watched.look().await.changes(), before, "{line}");
        assert_eq!(messages(&stand), there, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_assigned_by_admins_and_the_last_one_stays() {
    let stand = Stand::new().await;
    let role_of = |value: &Value| {
        (value["who"].as_str().unwrap().to_owned(), value["role"].as_str().unwrap().to_owned())
    };
    let set = stand.run("ann", "role set bob responder --json").expect(0).object();
    let host = stand.names.iter().find(|(name, _)| *name == "{host}").unwrap().1.clone();
    assert_eq!(set["made_admin"], format!("ann@{host}"));
    let listed = stand.run("bob", "role list --json").expect(0).objects();
    let roles: Vec<_> = listed.iter().map(role_of).collect();
    assert_eq!(
        roles,
        [(format!("ann@{host}"), "admin".to_owned()), (format!("bob@{host}"), "responder".to_owned())]
    );
    // A responder responds, and looks after nothing.
    stand.run("bob", "room send {room} mine").expect(0);
    stand.run("bob", "member add Zed --email zed@ex.test").expect(4);
    stand.run("bob", "role set bob admin").expect(4);
    stand.run("cid", "room send {room} mine").expect(4);
    stand.run("ann", "role remove ann").expect(9);
    stand.run("ann", "role set ann viewer").expect(9);
    stand.run("ann", "role remove nobody").expect(6);
    stand.run("ann", "role set bob chief").expect(2);
    stand.run("ann", "role remove bob").expect(0);
    stand.run("bob", "room send {room} mine").expect(4);
    let log = stand.run("ann", "log --json").expect(0).objects();
    let refused =
        log.iter().find(|row| row["operation"] == "member.add" && row["result"] == "refused").unwrap();
    assert_eq!(refused["author"]["user"], "bob");
    assert!(log.iter().any(|row| row["operation"] == "role.set" && row["author"]["user"] == "ann"));
}

/// A press that is refused by the role says so, with who can change it; read-only is another matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_press_that_the_role_forbids_is_told_from_a_read_only_one() {
    let stand = Stand::new().await;
    let host = &stand.names.iter().find(|(name, _)| *name == "{host}").unwrap().1;
    let linked = stand.run("ann", "member list --filter linked --limit 1 --json").expect(0).objects();
    let linked = linked[0]["id"].as_str().unwrap();
    let press = |user: &str, more: &str| {
        stand.run(user, &format!("press --as {linked} --json{more}")).expect(0).object()
    };
    assert_eq!(press("bob", "")["verdict"], "ok", "without roles everybody is admin");
    stand.run("ann", "role set bob viewer").expect(0);
    let said = press("bob", "");
    assert_eq!((&said["verdict"], &said["acts"]), (&"role_too_low".into(), &false.into()));
    for lang in ["en", "zh"] {
        let text = said["toast"][lang].as_str().unwrap();
        let command = format!("larkdeck role set bob@{host} responder");
        assert!(text.contains("viewer") && text.contains(&command), "{text}");
    }
    assert_eq!(press("ann", " --read-only")["verdict"], "read_only");
    stand.run("ann", "role set bob responder").expect(0);
    assert_eq!(press("bob", "")["verdict"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_goes_by_its_name() {
    let stand = Stand::new().await;
    stand.run("ann", "--console-name Annie role set ann admin").expect(0);
    let log = stand.run("ann", "log --json").expect(0).objects();
    let row = log.iter().find(|row| row["operation"] == "role.set").unwrap();
    assert_eq!(row["author"]["user"], "Annie");
    assert!(row["target"].as_str().unwrap().starts_with("ann@"));
}
