//! The simulator's own desk under `/_sim/`: what [`Control`] does, for programs in other languages.
//! The platform has nothing of the kind.

use std::sync::Arc;

use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

use super::{
    PersonChange, SignIn, SimError, Speech,
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

fn bad(error: &serde_json::Error) -> Response<Body> {
    json_response(400, &json!({"error": error.to_string()}))
}

/// Answers a request to the desk.
pub(super) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>, path: &str) -> Response<Body> {
    let control = Control::new(Arc::clone(shared));
    let method = request.method().clone();
    let raw = read_body(request.into_body()).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    match (method.as_str(), path) {
        ("GET", "counters") => json_response(200, &json!(control.counters())),
        ("GET", "members.csv") => {
            let mut response = Response::new(Body::full(control.members_csv()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
            response
        }
        ("POST", "say") => match serde_json::from_value::<Speech>(body.clone()) {
            Ok(speech) => result(control.say(&speech)),
            Err(error) => bad(&error),
        },
        ("POST", "press") => result(control.press(text("message_id"), text("who")).await),
        ("POST", "disband") => result(control.disband(text("chat"))),
        ("POST", "recall") => result(control.recall(text("message_id"))),
        ("POST", "push") => {
            control.push_event(text("event_type"), body.get("event").cloned().unwrap_or_default());
            json_response(200, &json!({"ok": null}))
        }
        ("POST", "redirect") => {
            let urls = body.get("urls").and_then(Value::as_array).into_iter().flatten();
            let urls: Vec<&str> = urls.filter_map(Value::as_str).collect();
            result(control.set_redirect_urls(text("app_id"), &urls))
        }
        ("POST", "sign_in") => match serde_json::from_value::<SignIn>(body.clone()) {
            Ok(sign_in) => {
                control.set_sign_in(Some(sign_in));
                json_response(200, &json!({"ok": null}))
            }
            Err(error) => bad(&error),
        },
        ("DELETE", "sign_in") => {
            control.set_sign_in(None);
            json_response(200, &json!({"ok": null}))
        }
        ("POST", "consent/end") => result(control.end_consent(text("who"))),
        ("POST", "person") => {
            let change = body.get("change").cloned().unwrap_or_default();
            match serde_json::from_value::<PersonChange>(change) {
                Ok(change) => result(control.change_person(text("who"), &change)),
                Err(error) => bad(&error),
            }
        }
        ("POST", "drop") => {
            control.drop_connections();
            json_response(200, &json!({"ok": null}))
        }
        ("POST", "revoke") => {
            control.revoke_tokens();
            json_response(200, &json!({"ok": null}))
        }
        ("POST", "fault") => match serde_json::from_value::<Fault>(body.clone()) {
            Ok(fault) => {
                control.set_fault(fault);
                json_response(200, &json!({"ok": null}))
            }
            Err(error) => bad(&error),
        },
        ("DELETE", "fault") => {
            control.clear_faults();
            json_response(200, &json!({"ok": null}))
        }
        _ => json_response(404, &json!({"error": "no such thing on the desk"})),
    }
}
