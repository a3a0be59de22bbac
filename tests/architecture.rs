//! Who may import whom, how long a file may be, and which words may not stand in it.
//!
//! Every path is read: `use` trees, inline paths, `super::` chains and what stands inside macros.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::visit::{self, Visit};

/// What each module may use besides itself and `core`. The reasons are in ARCHITECTURE.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("ledger", &[]),
    ("store", &[]),
    ("config", &[]),
    ("feishu", &["ledger"]),
    ("service", &["feishu", "store", "ledger"]),
    ("server", &["service", "config", "feishu"]),
    ("app", &["config"]),
    ("runtime", &["app", "service"]),
    ("tui", &["app", "config"]),
    ("cli", &["runtime", "service", "server", "config", "sim"]),
    ("sim", &["feishu"]),
    (
        "main",
        &["app", "cli", "config", "feishu", "ledger", "runtime", "server", "service", "sim", "store", "tui"],
    ),
];

/// Where a module may be used in part only: who, whom, and the beginnings that are allowed below it.
const IN_PART: &[(&str, &str, &[&str])] = &[
    // The simulator speaks the wire format of the client and nothing else of it: it must not agree with the
    // client's mistakes.
    ("sim", "feishu", &["socket::frame", "event::crypto"]),
    // The gateway proves and reads what comes in; whatever is asked of the platform is the service's.
    ("server", "feishu", &["event"]),
];

/// Crates that a module must not name: what keeps the core headless and the screen a function of the model.
const FORBIDDEN_CRATES: &[(&str, &[&str])] = &[
    ("core", &["tokio", "reqwest", "sqlx", "ratatui", "crossterm", "axum", "hyper", "tracing"]),
    ("ledger", &["tokio", "reqwest", "sqlx", "ratatui", "crossterm", "axum", "hyper"]),
    ("config", &["tokio", "reqwest", "sqlx", "ratatui", "crossterm", "axum", "hyper"]),
    ("app", &["tokio", "reqwest", "sqlx", "ratatui", "crossterm", "axum", "hyper"]),
    ("tui", &["reqwest", "sqlx", "axum", "hyper"]),
    ("feishu", &["sqlx", "ratatui", "crossterm", "axum"]),
    ("store", &["reqwest", "ratatui", "crossterm", "axum"]),
    ("service", &["sqlx", "ratatui", "crossterm", "axum"]),
    ("server", &["sqlx", "reqwest", "ratatui", "crossterm"]),
    ("runtime", &["sqlx", "reqwest", "ratatui", "crossterm", "axum"]),
    ("cli", &["sqlx", "reqwest", "ratatui", "crossterm", "axum"]),
    ("sim", &["sqlx", "ratatui", "crossterm"]),
];

/// Longest file without its tests, in lines.
const MAX_LINES: usize = 600;

/// Files that are for the most part a table: those may be longer.
const TABLES: &[&str] = &["app/keymap.rs"];

/// Words that mark unfinished work.
const FORBIDDEN_WORDS: &[&str] = &["todo!(", "unimplemented!(", "not built yet", "FIXME", "XXX:"];

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The files of the program itself: without those that `#[cfg(test)] mod …;` brings in.
fn program_files() -> Vec<PathBuf> {
    let files = rust_files(&source_root());
    let tests: BTreeSet<Vec<String>> = files.iter().flat_map(|file| test_modules(file)).collect();
    let is_test = |file: &PathBuf| tests.iter().any(|test| module_path(file).starts_with(test));
    files.iter().filter(|file| !is_test(file)).cloned().collect()
}

/// The modules that a file brings in for its tests alone.
fn test_modules(file: &Path) -> Vec<Vec<String>> {
    let syntax = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
    let declared = syntax.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() && is_test(&module.attrs) => {
            Some([module_path(file), vec![module.ident.to_string()]].concat())
        }
        _ => None,
    });
    declared.collect()
}

/// The module path of a file: `src/service/link/mod.rs` is `service::link`.
fn module_path(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(source_root()).unwrap().with_extension("");
    let mut parts: Vec<String> =
        relative.iter().map(|part| part.to_str().unwrap().to_owned()).filter(|part| part != "lib").collect();
    if parts.last().is_some_and(|part| part == "mod") {
        parts.pop();
    }
    parts
}

/// Collects what a file names: paths from the crate's root, and the crates it uses.
struct Names {
    module: Vec<String>,
    internal: BTreeSet<Vec<String>>,
    external: BTreeSet<String>,
}

impl Names {
    fn of(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut names =
            Self { module: module_path(file), internal: BTreeSet::new(), external: BTreeSet::new() };
        names.visit_file(&syntax);
        names
    }

    fn name(&mut self, path: &[String]) {
        let Some((first, rest)) = path.split_first() else { return };
        match first.as_str() {
            // The binary names the library's modules by the crate's name.
            "crate" | "larkdeck" => _ = self.internal.insert(rest.to_vec()),
            "self" | "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let skip = if first == "self" { 1 } else { ups };
                // Deeper than the root is no Rust: the compiler would have said so.
                let keep = self.module.len().saturating_sub(ups);
                let mut full: Vec<String> = self.module.iter().take(keep).cloned().collect();
                full.extend(path.iter().skip(skip).cloned());
                self.internal.insert(full);
            }
            other => _ = self.external.insert(other.to_owned()),
        }
    }

    fn name_tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.name_tree(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) => self.name(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.name(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.name(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.name_tree(item, before)),
        }
    }

    /// Paths in what a macro is given: `crate :: a :: b` in its tokens.
    fn name_tokens(&mut self, tokens: &str) {
        let words: Vec<&str> = tokens.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            let begins = words.get(at + 1) == Some(&"::") && (at == 0 || words[at - 1] != "::");
            let is_name =
                |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
            if begins && is_name(word) {
                let parts = words[at..].chunks(2).take_while(|pair| is_name(pair[0]));
                let path: Vec<String> = parts
                    .scan(true, |goes_on, pair| {
                        let take = *goes_on;
                        *goes_on = pair.get(1) == Some(&"::");
                        take.then(|| pair[0].to_owned())
                    })
                    .collect();
                self.name(&path);
            }
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.name_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.name(&parts);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.name_tokens(&item.tokens.to_string());
        visit::visit_macro(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Tests may reach across: a store test may well make a feishu message.
        if item.content.is_none() || is_test(&item.attrs) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

fn top_modules() -> BTreeSet<String> {
    rust_files(&source_root()).iter().filter_map(|file| module_path(file).into_iter().next()).collect()
}

#[test]
fn every_module_has_its_rule() {
    for module in top_modules() {
        assert!(
            ALLOWED.iter().any(|(name, _)| *name == module),
            "src/{module} has no line in the table of who may import whom"
        );
    }
}

#[test]
fn modules_import_only_what_they_may() {
    let modules = top_modules();
    let mut wrong = Vec::new();
    for file in program_files() {
        let Some(module) = module_path(&file).into_iter().next() else { continue };
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else { continue };
        for path in Names::of(&file).internal {
            let Some(target) = path.first().filter(|target| modules.contains(*target)) else { continue };
            if *target == module || target == "core" {
                continue;
            }
            let below = path[1..].join("::");
            let in_part = IN_PART.iter().find(|(who, whom, _)| *who == module && whom == target);
            let is_allowed = allowed.contains(&target.as_str())
                && in_part.is_none_or(|(_, _, parts)| {
                    parts.iter().any(|part| below == *part || below.starts_with(&format!("{part}::")))
                });
            if !is_allowed {
                wrong.push(format!("{}: {module} must not use {}", file.display(), path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_name_no_crate_that_they_must_not() {
    let mut wrong = Vec::new();
    for file in program_files() {
        let Some(module) = module_path(&file).into_iter().next() else { continue };
        let Some((_, forbidden)) = FORBIDDEN_CRATES.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for name in Names::of(&file).external {
            if forbidden.contains(&name.as_str()) {
                wrong.push(format!("{}: {module} must not name {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The lines of a file that are no tests: whatever `#[cfg(test)]` stands on is left out, to its closing brace or
/// semicolon at the same depth.
fn lines_without_tests(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix("#[cfg(test)]").filter(|before| before.trim().is_empty()) else {
            count += 1;
            continue;
        };
        let ends = |line: &str| {
            let item = line.strip_prefix(indent).filter(|rest| !rest.starts_with(' '));
            item.is_some_and(|rest| rest.starts_with('}') || rest.ends_with(';') || rest.ends_with(" {}"))
        };
        _ = lines.by_ref().find(|line| ends(line));
    }
    count
}

#[test]
fn only_tests_are_left_out_of_the_count() {
    let text = "use a;\n#[cfg(test)]\nmod tests;\nfn b() {\n}\n#[cfg(test)]\nfn c() {\n    d();\n}\nfn e() {}\n\
        mod f {\n    #[cfg(test)]\n    fn g() {\n    }\n    fn h() {}\n}\n#[cfg(test)]\nmod tests {\n    i;\n}\n";
    assert_eq!(lines_without_tests(text), 7);
}

#[test]
fn files_stay_short_enough_to_read() {
    let mut long = Vec::new();
    for file in program_files() {
        let text = fs::read_to_string(&file).unwrap();
        let lines = lines_without_tests(&text);
        let is_table = TABLES.iter().any(|table| file.ends_with(table));
        if lines > MAX_LINES && !is_table {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn nothing_is_marked_as_unfinished() {
    let mut marked = Vec::new();
    for file in program_files() {
        let text = fs::read_to_string(&file).unwrap();
        for (at, line) in text.lines().enumerate() {
            if let Some(word) = FORBIDDEN_WORDS.iter().find(|word| line.contains(**word)) {
                marked.push(format!("{}:{}: {word}", file.display(), at + 1));
            }
        }
    }
    assert!(marked.is_empty(), "\n{}", marked.join("\n"));
}

/// The body of every `impl NAME { … }` of a file.
fn impls<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("\nimpl {name} {{\n");
    text.split(&head).skip(1).map(|rest| rest.split("\n}\n").next().unwrap_or(rest)).collect()
}

/// Who opens stores: the deck, which has the gate before it, and what handles stores as a whole.
const OPENS_STORES: [&str; 2] = ["service/open.rs", "service/upkeep.rs"];

/// Who may write is a matter of types: what can only read has no way to write, and the rest is behind the gate.
#[test]
fn whoever_writes_has_passed_the_gate() {
    let mut wrong = Vec::new();
    let mut views = 0;
    for file in program_files() {
        let text = fs::read_to_string(&file).unwrap();
        let module = module_path(&file);
        if module.first().is_some_and(|first| first == "store") {
            for body in impls(&text, "View") {
                views += 1;
                if [".write(", ".touch(", ".submit("].iter().any(|word| body.contains(word)) {
                    wrong.push(format!("{}: a method of View writes", file.display()));
                }
            }
        } else if text.contains("Store::open(") && !OPENS_STORES.iter().any(|own| file.ends_with(own)) {
            wrong.push(format!("{}: opens the store beside the gate", file.display()));
        } else if text.contains(".store()")
            || (text.contains(".whole()") && !file.ends_with("service/deck.rs"))
        {
            wrong.push(format!("{}: takes the store past the gate: that is for tests", file.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(views > 10, "only {views} blocks of View were found");
}

#[test]
fn the_reader_sees_every_kind_of_path() {
    let text = "use crate::{a::b, c as d, e::*}; use super::super::f; \
        fn x() -> crate::g::H { tokio::spawn(crate::i::j()); m!(crate::k::l, serde::n); } \
        mod inner { use super::o; } #[cfg(test)] mod tests { use crate::p; }";
    let mut names = Names {
        module: vec!["top".to_owned(), "mid".to_owned()],
        internal: BTreeSet::new(),
        external: BTreeSet::new(),
    };
    names.visit_file(&syn::parse_file(text).unwrap());
    let found: Vec<String> = names.internal.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::b", "c", "e", "f", "g::H", "i::j", "k::l", "top::mid::o"]);
    assert!(names.external.contains("tokio") && names.external.contains("serde"));
}
