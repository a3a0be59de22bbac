//! The built program before any platform is asked: command line, configuration, key, roster.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use common::{Home, Sim, expose};

#[test]
fn help_manual_and_completions_need_nothing() {
    let home = Home::new();
    home.write("config/larkdeck/config.toml", "[broken");
    let help = home.run(&["--help"]).expect(0);
    assert!(help.stdout.contains("Exit codes:") && help.stdout.contains("integration"), "{}", help.stdout);
    assert!(home.run(&["man"]).expect(0).stdout.starts_with(".ie"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.run(&["completions", shell]).expect(0).stdout.contains("larkdeck"));
    }
    let pages = home.path("man");
    home.run(&["man", "--dir", pages.to_str().unwrap()]).expect(0);
    assert!(pages.join("larkdeck-room-tail.1").exists());
}

#[test]
fn wrong_usage_is_2() {
    let home = Home::new();
    for args in [
        &["nonsense"][..],
        &["room", "send", "ops"],
        &["member", "list", "--filter", "some"],
        &["--lang", "fr", "integration", "list"],
        &["integration", "add", "x", "--kind", "irc"],
        &["--read-only", "--write", "log"],
        &["integration", "add", "x", "--app-secret", "s3cret"],
    ] {
        let ran = home.run(args).expect(2);
        assert!(ran.stdout.is_empty(), "{args:?}: {}", ran.stdout);
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn broken_configuration_is_3_with_file_and_line() {
    let home = Home::new();
    let file = home.write("config/larkdeck/config.toml", "[ui]\ntheme = 'dark'\nmuose = true\n");
    let ran = home.run(&["integration", "list"]).expect(3);
    assert!(ran.stderr.contains(&format!("{}:3: unknown key \"muose\"", file.display())), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean \"mouse\"?"), "{}", ran.stderr);
    home.write("config/larkdeck/config.toml", "[quota]\nmonth_limit = -1\n");
    assert!(home.run(&["log"]).expect(3).stderr.contains("config.toml:2: quota.month_limit: -1"));
    home.run(&["--config", "/nonexistent.toml", "log"]).expect(3);
    home.write("config/larkdeck/config.toml", "[keys.chat]\nx = 3\n");
    assert!(home.run(&["log"]).expect(0).stderr.contains("config.toml:2: "));
}

#[test]
fn a_configuration_in_another_encoding_is_told_how_to_become_text() {
    let home = Home::new();
    let file = home.write("config/larkdeck/config.toml", "");
    // A line of Chinese as an editor of another system saves it.
    std::fs::write(&file, b"[ui]\n# \xd6\xd0\xce\xc4\ntheme = 'dark'\n").unwrap();
    let said = home.run(&["log"]).expect(3).stderr;
    assert!(
        said.contains("config.toml:2: this is not UTF-8 text") && said.contains("iconv -f GB18030"),
        "{said}"
    );
}

#[test]
fn a_key_path_that_is_a_folder_is_called_one() {
    let home = Home::new();
    home.write("keys/key", "");
    let folder = home.path("keys");
    let said =
        home.run_with(&["key", "list"], &[("LARKDECK_KEY_FILE", folder.to_str().unwrap())]).expect(3).stderr;
    assert!(said.contains("it is a folder") && !said.contains("chmod"), "{said}");
}

#[test]
fn a_finished_command_leaves_whole_files() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    home.add(&sim);
    home.run(&["quota"]).expect(0);
    let files = std::fs::read_dir(home.path("data/larkdeck")).unwrap();
    let mut names: Vec<String> =
        files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["larkdeck.db", "larkdeck.db-bell", "ledger.db"], "no journal is left beside them");
}

#[test]
fn an_open_file_with_a_password_is_refused() {
    let home = Home::new();
    let file = home.write("config/larkdeck/config.toml", "[store]\nurl = 'postgres://u:hunter2@h/d'\n");
    expose(&file);
    let ran = home.run(&["log"]).expect(3);
    assert!(ran.stderr.contains("chmod 600"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn without_an_integration_commands_say_so() {
    let home = Home::new();
    for args in [&["room", "list"][..], &["quota"], &["link"], &["integration", "show"]] {
        let ran = home.run(args).expect(3);
        assert!(ran.stderr.contains("integration"), "{}", ran.stderr);
    }
    assert!(home.run(&["integration", "list", "--json"]).expect(0).stdout.is_empty());
    home.run(&["integration", "show", "nobody"]).expect(6);
}

#[test]
fn the_three_secrets_never_come_back() {
    let home = Home::new();
    let secret = home.write("secret", "s3cr3t-app-secret-0123\n");
    let key = home.write("key", "3ncrypt-key-0123456789\n");
    let args = ["integration", "add", "ops", "--app-id", "cli_a1b2c3d4e5f60708", "--no-check", "--base-url"];
    let rest = ["http://127.0.0.1:9", "--app-secret-file", secret.to_str().unwrap(), "--encrypt-key-file"];
    let all = [&args[..], &rest[..], &[key.to_str().unwrap(), "--json"]].concat();
    let added = home.run(&all).expect(0).object();
    assert_eq!(added["app_id"], "cli_a1b2c3d4e5f60708");
    assert_eq!(added["receive"], "long_connection");
    for args in
        [&["integration", "show", "ops"][..], &["integration", "show", "ops", "--json"], &["log", "--json"]]
    {
        let ran = home.run(args).expect(0);
        assert!(!ran.stdout.contains("s3cr3t") && !ran.stdout.contains("3ncrypt"), "{}", ran.stdout);
    }
    let store = std::fs::read(home.path("data/larkdeck/larkdeck.db")).unwrap();
    assert!(!store.windows(6).any(|window| window == b"s3cr3t"));
    // A taken name is refused, an unknown one is not found.
    home.run(&all).expect(9);
    home.run(&["integration", "remove", "nobody"]).expect(6);
    home.run(&["integration", "remove", "ops"]).expect(0);
}

#[test]
fn an_exposed_or_lost_key_is_3() {
    let home = Home::new();
    let add = |name: &str, app: &str| {
        let args =
            ["integration", "add", name, "--app-id", app, "--no-check", "--base-url", "http://127.0.0.1:9"];
        home.run_with(&args, &[("LARKDECK_APP_SECRET", "0123456789abcdef")])
    };
    add("one", "cli_0000000000000001").expect(0);
    let key = home.run(&["key", "path"]).expect(0).stdout.trim().to_owned();
    expose(std::path::Path::new(&key));
    let ran = add("two", "cli_0000000000000002").expect(3);
    assert!(ran.stderr.contains("chmod"), "{}", ran.stderr);
    std::fs::remove_file(&key).unwrap();
    add("three", "cli_0000000000000003").expect(3);
    assert!(!std::path::Path::new(&key).exists(), "no new key over sealed secrets");
}

#[test]
fn war_room_is_held_by_one() {
    let home = Home::new();
    for (name, kind) in [("chat-a", "slack"), ("chat-b", "dingtalk")] {
        home.run(&["integration", "add", name, "--kind", kind]).expect(0);
    }
    home.run(&["integration", "war-room", "enable", "chat-a"]).expect(0);
    let refused = home.run(&["integration", "war-room", "enable", "chat-b"]).expect(9);
    assert!(refused.stderr.contains("chat-a"), "{}", refused.stderr);
    home.run(&["integration", "war-room", "disable", "chat-a"]).expect(0);
    let enabled = home.run(&["integration", "war-room", "enable", "chat-b", "--json"]).expect(0).object();
    assert_eq!(enabled["war_room"], true);
}

#[test]
fn import_tells_every_line() {
    let home = Home::new();
    let csv = "name,email,phone,team\r\n王芳,wang@ex.test,13800000000,SRE\r\n,nobody@ex.test,,\r\n\
               Ann,ann@ex.test,n/a,\r\nBob,,,\r\nEve,WANG@ex.test,,\r\n\"\u{1b}[2JMal\",mal@ex.test,,\r\n";
    let file = home.write("roster.csv", csv);
    let file = file.to_str().unwrap();
    let dry = home.run(&["member", "import", file, "--dry-run", "--json"]).expect(7).object();
    assert_eq!(dry["added"], 4);
    assert!(home.run(&["member", "list", "--json"]).expect(0).stdout.is_empty());
    let report = home.run(&["member", "import", file, "--json"]).expect(7).object();
    let lines = |key: &str| -> Vec<u64> {
        report[key].as_array().unwrap().iter().map(|note| note["line"].as_u64().unwrap()).collect()
    };
    assert_eq!(
        (report["added"].as_u64(), lines("rejected"), lines("warnings")),
        (Some(4), vec![3, 6], vec![4])
    );
    let again = home.run(&["member", "import", file, "--json"]).expect(7).object();
    let counts = |report: &serde_json::Value, keys: [&str; 3]| keys.map(|key| report[key].as_u64().unwrap());
    assert_eq!(counts(&again, ["added", "updated", "unchanged"]), [0, 0, 4]);

    let members = home.run(&["member", "list", "--json"]).expect(0).objects();
    let bob = members.iter().find(|member| member["name"] == "Bob").unwrap();
    assert_eq!(bob["status"], "unlinked");
    assert!(bob["email"].is_null() && bob["open_id"].is_null() && bob["linked_at"].is_null());
    let table = home.run(&["member", "list"]).expect(0).stdout;
    assert!(!table.contains('\u{1b}'), "{table}");
}

#[test]
fn rows_without_id_and_email_are_known_again() {
    let home = Home::new();
    let counts = |csv: &str, code: i32| {
        let report = home.run_input(&["member", "import", "-", "--json"], csv).expect(code).object();
        let lines = |key: &str| -> Vec<u64> {
            report[key].as_array().unwrap().iter().map(|note| note["line"].as_u64().unwrap()).collect()
        };
        let count = |key: &str| report[key].as_u64().unwrap();
        (count("added"), count("updated"), count("unchanged"), lines("rejected"), lines("warnings"))
    };
    let csv =
        "name,phone,team\nAnn,+14155550100,SRE\nAnn,+14155550101,SRE\nBob,,SRE\nBob,,DBA\nBob,,DBA\nCy,,\n";
    assert_eq!(counts(csv, 0), (6, 0, 0, vec![], vec![]));
    assert_eq!(counts(csv, 0), (0, 0, 6, vec![], vec![]), "in whatever order");
    let mut lines: Vec<&str> = csv.lines().skip(1).collect();
    lines.reverse();
    assert_eq!(counts(&format!("name,phone,team\n{}\n", lines.join("\n")), 0), (0, 0, 6, vec![], vec![]));
    // A phone and a team come to who is alone in having the name; who may be several is told.
    let next = "name,phone,team\nCy,+14155550102,Web\nBob,,Web\nAnn,+14155550100,Web\nDee,,\n";
    assert_eq!(counts(next, 7), (1, 2, 0, vec![3], vec![]));
    home.run(&["member", "edit", "Dee", "--email", "dee@ex.test"]).expect(0);
    assert_eq!(counts("name\nDee\n", 0), (0, 0, 1, vec![], vec![2]));
    assert_eq!(home.run(&["member", "list", "--json"]).expect(0).objects().len(), 7);
}

#[test]
fn a_bad_import_is_usage() {
    let home = Home::new();
    home.run(&["member", "import", "/nonexistent.csv"]).expect(2);
    home.run_input(&["member", "import", "-"], "email\na@ex.test\n").expect(2);
    home.run_input(&["member", "import", "-"], "").expect(2);
    home.run_input(&["member", "import", "-"], "name\nAnn\n").expect(0);
}

#[test]
fn members_are_named_by_id_email_or_part_of_a_name() {
    let home = Home::new();
    home.run(&["member", "add", "m-1", "--name", "Wang Wei", "--email", "wei@ex.test"]).expect(0);
    home.run(&["member", "add", "Wang Lei", "--email", "lei@ex.test"]).expect(0);
    home.run(&["member", "add", "m-1", "--name", "Other"]).expect(9);
    let edited = home.run(&["member", "edit", "wei@ex.test", "--team", "SRE", "--json"]).expect(0).object();
    assert_eq!((edited["id"].as_str(), edited["team"].as_str()), (Some("m-1"), Some("SRE")));
    assert_ne!(home.run(&["member", "edit", "wang", "--team", "X"]).code, 0, "two have it");
    home.run(&["member", "remove", "lei@ex.test"]).expect(0);
    home.run(&["member", "remove", "lei@ex.test"]).expect(6);
    home.run(&["member", "edit", "wang", "--team", ""]).expect(0);
}

#[test]
fn spreadsheets_get_no_formula_and_import_takes_it_back() {
    let home = Home::new();
    home.run(&["member", "add", "=HYPERLINK(1)", "--email", "x@ex.test", "--phone", "+14155550100"])
        .expect(0);
    let csv = home.run(&["member", "list", "--csv"]).expect(0).stdout;
    assert!(csv.contains("'=HYPERLINK(1)") && csv.contains("'+14155550100"), "{csv}");
    let report = home.run_input(&["member", "import", "-", "--json"], &csv).expect(0).object();
    assert_eq!((report["unchanged"].as_u64(), report["updated"].as_u64()), (Some(1), Some(0)), "{csv}");
}

#[test]
fn a_licence_is_listed_where_it_is_told_and_goes_round() {
    let home = Home::new();
    home.run_input(&["member", "import", "-"], "id,name,许可证\n1,Ann,固定\n2,Bob,none\n3,Cid,\n").expect(0);
    let told = || -> Vec<serde_json::Value> {
        let members = home.run(&["member", "list", "--json"]).expect(0).objects();
        members.into_iter().map(|mut member| member["licence"].take()).collect()
    };
    assert_eq!(told(), ["fixed".into(), "none".into(), serde_json::Value::Null]);
    let csv = home.run(&["member", "list", "--csv"]).expect(0).stdout;
    let report = home.run_input(&["member", "import", "-", "--json"], &csv).expect(0).object();
    assert_eq!(report["unchanged"], 3, "{csv}");
    home.run(&["member", "edit", "Bob", "--licence", "temporary"]).expect(0);
    home.run(&["member", "edit", "Ann", "--licence", ""]).expect(0);
    assert_eq!(told(), [serde_json::Value::Null, "temporary".into(), serde_json::Value::Null]);
    home.run(&["member", "add", "Dee", "--licence", "gold"]).expect(2);
}

#[test]
fn read_only_refuses_and_says_so() {
    let home = Home::new();
    home.run(&["member", "add", "Ann", "--email", "ann@ex.test"]).expect(0);
    home.run(&["--read-only", "member", "add", "Bob"]).expect(9);
    home.run(&["--read-only", "member", "list"]).expect(0);
    home.write("config/larkdeck/config.toml", "[ui]\nwrite = false\n");
    home.run(&["member", "remove", "Ann"]).expect(9);
    home.run(&["--write", "member", "remove", "Ann"]).expect(0);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let home = Home::new();
    let rows: String = (0..3000).map(|n| format!("Member {n},m{n}@ex.test\n")).collect();
    home.run_input(&["member", "import", "-"], &format!("name,email\n{rows}")).expect(0);
    let mut child = home
        .command(&["member", "list", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = common::finish(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn keys_rotate() {
    let home = Home::new();
    home.run_with(
        &["integration", "add", "ops", "--app-id", "cli_0000000000000001", "--no-check"],
        &[("LARKDECK_APP_SECRET", "0123456789abcdef")],
    )
    .expect(0);
    let first = home.run(&["key", "list", "--json"]).expect(0).object()["id"].as_str().unwrap().to_owned();
    let added = home.run(&["key", "rotate", "--add", "--json"]).expect(0).object();
    let second = added["id"].as_str().unwrap();
    home.run(&["key", "rotate", "--drop", &first]).expect(9);
    home.run(&["key", "rotate", "--use", second]).expect(0);
    home.run(&["key", "rotate", "--drop", &first]).expect(0);
    home.run(&["key", "rotate", "--use", "nokey"]).expect(6);
    assert_eq!(home.run(&["key", "list", "--json"]).expect(0).objects().len(), 1);
    home.run(&["integration", "show", "ops"]).expect(0);
}
