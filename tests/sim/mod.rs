//! What the tests of the simulator share: a bare HTTP client with a token.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test file uses a part of it")]

use larkdeck::sim::{Access, Scenario, Sim, SimOptions};
use serde_json::{Value, json};

/// A running simulator and a client.
pub(crate) struct Desk {
    pub sim: Sim,
    pub access: Access,
    pub http: reqwest::Client,
    token: String,
}

impl Desk {
    pub(crate) async fn still() -> Self {
        Self::start(Scenario::still().unwrap()).await
    }

    pub(crate) async fn start(scenario: Scenario) -> Self {
        // Another test of the process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sim = Sim::start(SimOptions { seed: Some(1), ..SimOptions::local(scenario) }).await.unwrap();
        let access = sim.access().clone();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut desk = Self { sim, access, http, token: String::new() };
        desk.token = desk.token().await;
        desk
    }

    pub(crate) async fn token(&self) -> String {
        let body = json!({"app_id": self.access.app_id, "app_secret": self.access.app_secret});
        let answer = self.post_raw("/open-apis/auth/v3/tenant_access_token/internal", &body).await;
        answer["tenant_access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post_raw(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.access.base_url);
        self.http.post(url).body(body.to_string()).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.access.base_url);
        self.http.request(method.parse().unwrap(), url).bearer_auth(&self.token)
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request =
                request.header("content-type", "application/json; charset=utf-8").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        assert!(answer.headers().contains_key("x-tt-logid"));
        answer.json().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, body).await
    }

    pub(crate) async fn chat(&self, name: &str) -> String {
        let chats = self.sim.control().chats();
        chats.into_iter().find(|(_, known)| known == name).unwrap().0
    }

    /// open_ids of some people.
    pub(crate) async fn people(&self) -> Vec<String> {
        let chat = self.chat("alpha").await;
        let members = self.get(&format!("/open-apis/im/v1/chats/{chat}/members")).await;
        let items = members["data"]["items"].as_array().unwrap();
        items.iter().map(|item| item["member_id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn send(&self, chat: &str, text: &str) -> Value {
        let content = json!({"text": text}).to_string();
        let body = json!({"receive_id": chat, "msg_type": "text", "content": content});
        self.post("/open-apis/im/v1/messages?receive_id_type=chat_id", &body).await
    }
}

/// A multipart form: content type and body.
pub(crate) fn form(texts: &[(&str, &str)], file: &str, data: &[u8]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in texts {
        let part = format!("--xYz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!("--xYz\r\nContent-Disposition: form-data; name=\"{file}\"; filename=\"f\"\r\n\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(data);
    body.extend_from_slice(b"\r\n--xYz--\r\n");
    ("multipart/form-data; boundary=xYz".to_owned(), body)
}
