//! The documents that are made from tables are as the tables are. `LARKDECK_WRITE=1 cargo test --test generated`
//! writes them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

use std::{fs, path::Path};

use larkdeck::{app, config};

fn check(path: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("LARKDECK_WRITE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, wanted).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "{path} is not what the tables say: run `LARKDECK_WRITE=1 cargo test --test generated` and commit it"
    );
}

#[test]
fn the_example_configuration_is_current() {
    check("config.example.toml", &config::example_file());
}

#[test]
fn the_settings_document_is_current() {
    check("docs/CONFIG.md", &config::reference());
}

#[test]
fn the_keys_document_is_current() {
    check("docs/KEYS.md", &app::keymap::markdown());
}
