//! `/_sim/…`: the control over HTTP, for programs that are not Rust. Not part of the platform.

use std::sync::Arc;

use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

use super::{
    Leaving, PersonChange, SignIn, SimError, Speech, WebhookPlan,
    control::Control,
    fault::Fault,
    http::{Body, json_response, read_body},
    shared::Shared,
};

fn result<T: serde::Serialize>(result: Result<T, SimError>) -> Response<Body> {
    match result {
        Ok(value) => json_response(200, &json!({"ok": value})),
        Err(error) => json_response(400, &json!({"error": error.to_string()})),
    }
}

/// Says that an order which cannot fail was carried out.
fn done(act: impl FnOnce()) -> Response<Body> {
    act();
    json_response(200, &json!({"ok": null}))
}

/// Reads a part of the body, and carries out what it asks for.
fn with<T: serde::de::DeserializeOwned>(
    part: Option<&Value>,
    act: impl FnOnce(T) -> Response<Body>,
) -> Response<Body> {
    match serde_json::from_value(part.cloned().unwrap_or_default()) {
        Ok(value) => act(value),
        Err(error) => json_response(400, &json!({"error": error.to_string()})),
    }
}

/// The body of a request to the desk.
struct Order(Value);

impl Order {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A switch; on where nothing is said.
    fn is_on(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(true)
    }
}

/// Answers a request to the desk.
pub(super) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>, path: &str) -> Response<Body> {
    let control = Control::new(Arc::clone(shared));
    let method = request.method().clone();
    let raw = read_body(request.into_body()).await.unwrap_or_default();
    let order = Order(serde_json::from_slice(&raw).unwrap_or_default());
    let answer = match method {
        Method::GET => look(&control, path),
        Method::POST => match path {
            "press" => Some(result(control.press(order.text("message_id"), order.text("who")).await)),
            "webhook" => Some(
                match serde_json::from_value::<WebhookPlan>(order.0.get("plan").cloned().unwrap_or_default())
                {
                    Ok(plan) => result(control.set_webhook(order.text("app_id"), plan).await),
                    Err(error) => json_response(400, &json!({"error": error.to_string()})),
                },
            ),
            _ => people(&control, path, &order).or_else(|| platform(&control, path, &order)),
        },
        Method::DELETE => undo(&control, path),
        _ => None,
    };
    answer.unwrap_or_else(|| json_response(404, &json!({"error": "no such thing on the desk"})))
}

fn look(control: &Control, path: &str) -> Option<Response<Body>> {
    Some(match path {
        "counters" => json_response(200, &json!(control.counters())),
        "pushes" => json_response(200, &json!(control.pushes())),
        "members.csv" => {
            let mut response = Response::new(Body::full(control.members_csv()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
            response
        }
        _ => return None,
    })
}

/// What people do.
fn people(control: &Control, path: &str, order: &Order) -> Option<Response<Body>> {
    let (chat, who, message) = (order.text("chat"), order.text("who"), order.text("message_id"));
    Some(match path {
        "say" => with::<Speech>(Some(&order.0), |speech| result(control.say(&speech))),
        "recall" => result(control.recall(message)),
        "react" => result(control.react(message, who, order.text("emoji"), order.is_on("on"))),
        "read" => result(control.read(who)),
        "join" => result(control.join(chat, who)),
        "leave" => result(control.leave(chat, who, Leaving::Gone)),
        "withdraw" => result(control.leave(chat, who, Leaving::Withdrawn)),
        "rename" => result(control.rename(chat, order.text("name"))),
        "bot" => result(control.set_in_chat(chat, order.is_on("in"))),
        "disband" => match order.0.get("keeps_history").and_then(Value::as_bool) {
            Some(true) => result(control.disband_keeping_history(chat)),
            _ => result(control.disband(chat)),
        },
        "person" => {
            with::<PersonChange>(order.0.get("change"), |change| result(control.change_person(who, &change)))
        }
        "sign_in" => with::<SignIn>(Some(&order.0), |sign_in| done(|| control.set_sign_in(Some(sign_in)))),
        "consent/end" => result(control.end_consent(who)),
        _ => return None,
    })
}

/// What happens to the platform, and what is set in its console.
fn platform(control: &Control, path: &str, order: &Order) -> Option<Response<Body>> {
    let event_type = order.text("event_type");
    Some(match path {
        "push" => done(|| control.push_event(event_type, order.0.get("event").cloned().unwrap_or_default())),
        "subscribe" => done(|| control.set_subscribed(event_type, order.is_on("on"))),
        "redirect" => {
            let urls = order.0.get("urls").and_then(Value::as_array).into_iter().flatten();
            let urls: Vec<&str> = urls.filter_map(Value::as_str).collect();
            result(control.set_redirect_urls(order.text("app_id"), &urls))
        }
        "scope" => done(|| control.set_scope(order.text("scope"), order.is_on("on"))),
        "drop" => done(|| control.drop_connections()),
        "revoke" => done(|| control.revoke_tokens()),
        "fault" => with::<Fault>(Some(&order.0), |fault| done(|| control.set_fault(fault))),
        _ => return None,
    })
}

fn undo(control: &Control, path: &str) -> Option<Response<Body>> {
    Some(match path {
        "fault" => done(|| control.clear_faults()),
        "sign_in" => done(|| control.set_sign_in(None)),
        _ => return None,
    })
}
