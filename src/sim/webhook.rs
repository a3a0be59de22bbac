//! Pushes over HTTP: verification of the URLs, encryption, both signatures (`feishu/events` 1 to 3, read 2026-05).

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    SimError,
    hub::{Ack, Body},
    post::{self, NoAnswer},
    push::{Event, Road},
    scenario::{Way, WebhookPlan},
    shared::Shared,
    world::World,
};
use crate::feishu::event::crypto;

/// Between two tries to verify a URL of the scenario: whoever is to answer may be starting up.
const AGAIN: Duration = Duration::from_millis(500);
const MOST_RECORDS: usize = 10_000;

/// A push over HTTP, for tests to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushRecord {
    /// `im.message.receive_v1` … or `url_verification`.
    pub event_type: String,
    /// The event's id; empty where it has none.
    pub event_id: String,
    /// Where to.
    pub url: String,
    /// HTTP status; none: no answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub failure: Option<String>,
}

/// The webhook side of one app.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// URLs, way, what is not subscribed.
    pub(super) plan: WebhookPlan,
    /// URLs that have answered their challenge.
    verified: BTreeSet<String>,
}

impl Door {
    /// Nothing is verified yet.
    pub(super) fn new(plan: WebhookPlan) -> Self {
        Self { plan, verified: BTreeSet::new() }
    }

    /// Where a push of this kind goes, if that URL is set and verified.
    fn url(&self, road: Road, is_callback: bool) -> Option<&str> {
        let plan = &self.plan;
        let url = match road {
            Road::LongConnection => return None,
            Road::OldCard => plan.card_url.as_str(),
            Road::Webhook if is_callback => either(&plan.callback_url, &plan.url),
            Road::Webhook => either(&plan.event_url, &plan.url),
        };
        self.verified.get(url).map(String::as_str)
    }
}

fn either<'a>(own: &'a str, shared: &'a str) -> &'a str {
    if own.is_empty() { shared } else { own }
}

impl WebhookPlan {
    /// Every URL that is set, once.
    fn urls(&self) -> BTreeSet<&str> {
        let all = [&self.url, &self.event_url, &self.callback_url, &self.card_url];
        all.into_iter().map(String::as_str).filter(|url| !url.is_empty()).collect()
    }

    /// Why it does not fit together.
    pub(super) fn flaw(&self) -> Option<String> {
        if let Some(url) = self.urls().into_iter().find(|url| post::target(url).is_none()) {
            return Some(format!("webhook: {url:?} is not {}", post::TARGETS));
        }
        let goes_nowhere = self.mode != Way::LongConnection && self.urls().is_empty();
        goes_nowhere.then(|| "webhook.mode asks for a webhook, and there is no URL".to_owned())
    }
}

/// A request that is ready to leave.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl World {
    /// The roads that an event takes. None: it is not subscribed, or has nowhere to go.
    pub(super) fn roads(&self, event: &Event) -> Vec<Road> {
        let Some(app) = self.apps.get(event.app) else { return Vec::new() };
        let plan = &app.door.plan;
        if plan.not_subscribed.contains(&event.event_type) {
            return Vec::new();
        }
        let is_callback = event.callback.is_some();
        if event.event_type == super::press::OLD_CARD {
            let is_open = app.door.url(Road::OldCard, true).is_some();
            return if is_open { vec![Road::OldCard] } else { Vec::new() };
        }
        let mut roads = Vec::new();
        if plan.mode != Way::Webhook {
            roads.push(Road::LongConnection);
        }
        // Events wait for their URL to be verified; a person who pressed does not.
        if plan.mode != Way::LongConnection && (!is_callback || app.door.url(Road::Webhook, true).is_some()) {
            roads.push(Road::Webhook);
        }
        roads
    }

    /// The event as a request, signed now; none: its URL is not verified.
    pub(super) fn letter(&mut self, event: &Event, road: Road) -> Option<Letter> {
        let app = self.apps.get(event.app)?;
        let url = app.door.url(road, event.callback.is_some())?.to_owned();
        let (key, token) = (app.plan.encrypt_key.clone(), app.plan.verification_token.clone());
        Some(match road {
            Road::OldCard => self.old_letter(url, &token, event.payload.clone()),
            _ => self.new_letter(url, &key, &event.payload, true),
        })
    }

    fn stamp(&mut self) -> (String, String, Vec<(&'static str, String)>) {
        let timestamp = (self.clock.now_ms() / 1000).to_string();
        let nonce = (self.dice.roll() % 10_000_000_000).to_string();
        let headers = vec![
            ("x-lark-request-timestamp", timestamp.clone()),
            ("x-lark-request-nonce", nonce.clone()),
            ("x-request-id", self.dice.hex32()),
        ];
        (timestamp, nonce, headers)
    }

    /// Sealed and signed where there is an Encrypt Key; in the clear and unsigned where there is none.
    fn new_letter(&mut self, url: String, key: &str, payload: &[u8], is_signed: bool) -> Letter {
        if key.is_empty() {
            let headers = vec![("x-request-id", self.dice.hex32())];
            return Letter { url, headers, body: Bytes::copy_from_slice(payload) };
        }
        let mut iv = [0_u8; 16];
        for (half, bytes) in iv.chunks_exact_mut(8).zip([self.dice.roll(), self.dice.roll()]) {
            half.copy_from_slice(&bytes.to_le_bytes());
        }
        let body = json!({"encrypt": crypto::encrypt(key, payload, &iv)}).to_string().into_bytes();
        let (timestamp, nonce, mut headers) = self.stamp();
        if is_signed {
            headers.push(("x-lark-signature", crypto::event_signature(&timestamp, &nonce, key, &body)));
        }
        Letter { url, headers, body: body.into() }
    }

    /// Never sealed; signed with the Verification Token.
    fn old_letter(&mut self, url: String, token: &str, payload: Bytes) -> Letter {
        let (timestamp, nonce, mut headers) = self.stamp();
        if !token.is_empty() {
            headers
                .push(("x-lark-signature", crypto::card_signature_v1(&timestamp, &nonce, token, &payload)));
        }
        Letter { url, headers, body: payload }
    }

    fn challenge_letter(&mut self, app: usize, url: &str) -> Option<(Letter, String)> {
        let it = self.apps.get(app)?;
        let (key, token) = (it.plan.encrypt_key.clone(), it.plan.verification_token.clone());
        let is_signed = it.door.plan.sign_challenge;
        // The URL for old card callbacks knows no encryption.
        let key = if it.door.plan.card_url == url && it.door.plan.url != url { String::new() } else { key };
        let challenge = self.dice.hex32();
        let body = json!({"challenge": challenge, "token": token, "type": "url_verification"}).to_string();
        let letter = self.new_letter(url.to_owned(), &key, body.as_bytes(), is_signed);
        Some((letter, challenge))
    }

    fn record(&mut self, event_type: &str, event_id: &str, url: &str, came: &Result<post::Answer, NoAnswer>) {
        let record = PushRecord {
            event_type: event_type.to_owned(),
            event_id: event_id.to_owned(),
            url: url.to_owned(),
            status: came.as_ref().ok().map(|answer| answer.status),
            failure: came.as_ref().err().map(ToString::to_string),
        };
        keep(&mut self.pushes, record);
    }
}

fn keep(records: &mut VecDeque<PushRecord>, record: PushRecord) {
    if records.len() >= MOST_RECORDS {
        records.pop_front();
    }
    records.push_back(record);
}

impl Shared {
    /// Posts an event once.
    pub(super) async fn deliver(
        &self,
        event: &Event,
        letter: &Letter,
        patience: Duration,
    ) -> Result<Ack, NoAnswer> {
        let url = post::target(&letter.url).ok_or(NoAnswer::NoConnection)?;
        let came = post::post(&url, &letter.headers, letter.body.clone(), patience).await;
        self.peek(|world| {
            world.hub.pushed += 1;
            world.record(&event.event_type, &event.id, &letter.url, &came);
        });
        came.map(|answer| Ack { code: i64::from(answer.status), data: Body::read(&answer.body) })
    }

    /// Sends a URL its challenge; it has a second for the answer.
    async fn verify(&self, app: usize, url: &str) -> Result<(), String> {
        let sent = self.peek(|world| world.challenge_letter(app, url));
        let (letter, challenge) = sent.ok_or_else(|| "there is no such app".to_owned())?;
        let target = post::target(url).ok_or_else(|| format!("it is not {}", post::TARGETS))?;
        let patience = self.peek(|world| {
            Duration::from_millis(world.apps.get(app).map_or(1000, |it| it.door.plan.challenge_ms))
        });
        let came = post::post(&target, &letter.headers, letter.body, patience).await;
        self.peek(|world| world.record("url_verification", "", url, &came));
        let answer = came.map_err(|why| why.to_string())?;
        if answer.status != 200 {
            return Err(format!("it answered with HTTP status {}", answer.status));
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if body.get("challenge").and_then(Value::as_str) == Some(challenge.as_str()) {
            Ok(())
        } else {
            Err("it did not answer with the challenge".to_owned())
        }
    }

    /// Sets the webhook of an app as the developer console does: only with URLs that answer their challenge.
    pub(super) async fn set_webhook(&self, app: usize, plan: WebhookPlan) -> Result<(), SimError> {
        if let Some(flaw) = plan.flaw() {
            return Err(SimError::Unfit(flaw));
        }
        let urls: BTreeSet<String> = plan.urls().into_iter().map(str::to_owned).collect();
        let mut door = Door::new(plan);
        // The challenge of a URL depends on what it is for.
        let old = self.peek(|world| {
            world.apps.get_mut(app).map(|it| std::mem::replace(&mut it.door.plan, door.plan.clone()))
        });
        for url in urls {
            if let Err(why) = self.verify(app, &url).await {
                self.peek(|world| {
                    if let (Some(it), Some(old)) = (world.apps.get_mut(app), old) {
                        it.door.plan = old;
                    }
                });
                return Err(SimError::Unverified { url, why });
            }
            door.verified.insert(url);
        }
        self.peek(|world| {
            if let Some(it) = world.apps.get_mut(app) {
                it.door = door;
            }
        });
        Ok(())
    }
}

/// Verifies the URLs of the scenario, as often as it takes.
pub(super) fn start(shared: &Arc<Shared>) {
    let urls: Vec<String> = shared.peek(|world| {
        let plan = world.apps.first().map(|app| &app.door.plan);
        plan.into_iter().flat_map(WebhookPlan::urls).map(str::to_owned).collect()
    });
    for url in urls {
        let task = Arc::clone(shared);
        shared.spawn(async move {
            while task.peek(|world| world.wants(&url)) {
                if task.verify(0, &url).await.is_ok() {
                    task.peek(|world| {
                        world.apps.first_mut().map(|app| app.door.verified.insert(url.clone()))
                    });
                    return;
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

impl World {
    /// Whether the app under test still has this URL, and it is not verified.
    fn wants(&self, url: &str) -> bool {
        self.apps
            .first()
            .is_some_and(|app| app.door.plan.urls().contains(url) && !app.door.verified.contains(url))
    }
}
