//! A bare HTTP client: what a test wants to send wrongly, no library would.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A connection to `http://host:port`.
pub fn connect(base: &str) -> TcpStream {
    let stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The head of a request, with a blank line at its end.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: deck.test\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

/// One request on a connection of its own.
pub fn request(base: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let length = body.len().to_string();
    let mut all = vec![("connection", "close")];
    if !body.is_empty() {
        all.push(("content-length", &length));
    }
    all.extend_from_slice(headers);
    let mut stream = connect(base);
    stream.write_all(head(method, path, &all).as_bytes()).unwrap();
    // Whoever refuses by the head may close before the body is there.
    _ = stream.write_all(body);
    read(&mut stream).expect("an answer")
}

pub fn get(base: &str, path: &str) -> Answer {
    request(base, "GET", path, &[], b"")
}

/// Reads one answer; `None` where the connection was closed without one.
pub fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut got = Vec::new();
    let head_end = loop {
        if let Some(at) = got.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if !more(stream, &mut got) {
            return None;
        }
    };
    let head = String::from_utf8(got[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: Option<usize> =
        headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse().unwrap());
    match length {
        Some(length) => while got.len() < head_end + length && more(stream, &mut got) {},
        None => while more(stream, &mut got) {},
    }
    let body = String::from_utf8_lossy(&got[head_end..]).into_owned();
    Some(Answer { status, headers, body })
}

fn more(stream: &mut TcpStream, got: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(count) => {
            got.extend_from_slice(&buffer[..count]);
            true
        }
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
        {
            panic!("no answer: {error}")
        }
        Err(_) => false,
    }
}
