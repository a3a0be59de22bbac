//! `larkdeck serve` in a process of its own.

use serde_json::Value;

use super::{
    Home, Running,
    http::{self, Answer},
};

/// A gateway in a process of its own, and what its first line says.
pub struct Gateway {
    pub running: Running,
    pub listening: String,
    pub first_line: Value,
}

impl Gateway {
    pub fn start(home: &Home, args: &[&str]) -> Self {
        let all = [&["serve", "--json", "--listen", "127.0.0.1:0"], args].concat();
        let running = Running::start(home.command(&all));
        let first_line: Value = serde_json::from_str(&running.line()).unwrap();
        let listening = first_line["listening"].as_str().unwrap().to_owned();
        Self { running, listening, first_line }
    }

    /// One of the URLs of its first integration.
    pub fn url(&self, which: &str) -> String {
        self.first_line["integrations"][0][which].as_str().unwrap().to_owned()
    }

    pub fn get(&self, path: &str) -> Answer {
        http::get(&self.listening, path)
    }
}
