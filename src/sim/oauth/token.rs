//! Codes and refresh tokens become user tokens. Answers are flat, errors come as HTTP 400.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hyper::{
    Request, Response,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde_json::{Map, Value, json};

use super::{BASE, OFFLINE, Refresh, UserToken, Wrong, scopes_of};
use crate::sim::{
    fault::FaultKind,
    http::{self, Body, Dropped, json_response, read_body},
    rate::Rate,
    shared::Shared,
    world::World,
};

/// code, HTTP status, `error`, `error_description`. The third is by RFC 6749: the platform's own words for it
/// are not published.
const ERRORS: &[(i64, u16, &str, &str)] = &[
    (20_001, 400, "invalid_request", "The request is missing a required parameter."),
    (20_002, 400, "invalid_client", "The client secret is invalid."),
    (
        20_003,
        400,
        "invalid_grant",
        "The authorization code is not found. Please note that an authorization code can only be used once.",
    ),
    (20_004, 400, "invalid_grant", "The authorization code has expired."),
    (20_008, 400, "invalid_grant", "The user does not exist."),
    (20_009, 400, "unauthorized_client", "The specified app is not installed."),
    (20_010, 400, "access_denied", "The user does not have permission to use this app."),
    (
        20_024,
        400,
        "invalid_grant",
        "The provided authorization code or refresh token does not match the provided client ID.",
    ),
    (20_026, 400, "invalid_grant", "The refresh token passed is invalid. Please check the value."),
    (20_036, 400, "unsupported_grant_type", "The specified grant_type is not supported."),
    (20_037, 400, "invalid_grant", "The refresh token passed has expired. Please generate a new one."),
    (20_048, 400, "invalid_client", "The specified app does not exist."),
    (20_049, 400, "invalid_grant", "PKCE code challenge failed."),
    (20_050, 500, "server_error", "An unexpected server error occurred. Please retry your request."),
    (20_063, 400, "invalid_request", "The request is malformed. Please check your request."),
    (
        20_064,
        400,
        "invalid_grant",
        "The refresh token has been revoked. Please note that a refresh token can only be used once.",
    ),
    (
        20_065,
        400,
        "invalid_grant",
        "The authorization code has been used. Please note that an authorization code can only be used once.",
    ),
    (20_066, 400, "invalid_grant", "The user status is invalid."),
    (
        20_067,
        400,
        "invalid_scope",
        "The provided scope list contains duplicate scopes. Please ensure all scopes are unique.",
    ),
    (
        20_068,
        400,
        "invalid_scope",
        "The provided scope list contains scopes that are not permitted. Please ensure all scopes are allowed.",
    ),
    (20_069, 400, "unauthorized_client", "The specified app is not enabled."),
    (
        20_070,
        400,
        "invalid_request",
        "Multiple authentication methods were provided. Please only use one to proceed.",
    ),
    (
        20_071,
        400,
        "invalid_grant",
        "The provided redirect URI does not match the one used during authorization.",
    ),
    (
        20_072,
        503,
        "temporarily_unavailable",
        "The server is temporarily unavailable. Please retry your request.",
    ),
    (
        20_073,
        400,
        "invalid_grant",
        "The refresh token has been used. Please note that a refresh token can only be used once.",
    ),
    (20_074, 400, "unauthorized_client", "The specified app is not allowed to refresh token."),
    (99_991_400, 429, "slow_down", "request trigger frequency limit"),
];

const BAD_SCOPE: i64 = 20_068;

fn error_response(code: i64, status: Option<u16>) -> Response<Body> {
    let known = ERRORS.iter().find(|(known, ..)| *known == code);
    let (usual, error, text) = known.map_or((400, "invalid_request", "error"), |(_, s, e, t)| (*s, *e, *t));
    let body = json!({"code": code, "error": error, "error_description": text});
    json_response(status.unwrap_or(usual), &body)
}

/// What of a grant a new token gets.
struct Grant {
    app: usize,
    person: usize,
    scopes: BTreeSet<String>,
    /// When the person has to agree again.
    ends_at: tokio::time::Instant,
}

struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    fn text(&self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn required(&self, name: &str) -> Result<&'a str, i64> {
        let text = self.text(name);
        if text.is_empty() { Err(20_001) } else { Ok(text) }
    }
}

impl World {
    fn client(&self, fields: &Fields<'_>, headers: &HeaderMap) -> Result<usize, i64> {
        let id = fields.required("client_id")?;
        let has_basic = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("Basic "));
        let secret = fields.required("client_secret")?;
        if has_basic {
            return Err(20_070);
        }
        let app = self.apps.iter().position(|app| app.is_callable && app.plan.app_id == id);
        let no = app.ok_or(20_048)?;
        let is_right = self.apps.get(no).is_some_and(|app| app.plan.app_secret == secret);
        if is_right { Ok(no) } else { Err(20_002) }
    }

    fn by_code(&mut self, app: usize, fields: &Fields<'_>) -> Result<Grant, i64> {
        let text = fields.required("code")?;
        let now = self.clock.instant();
        let year = self.clock.span(Duration::from_secs(self.plan.oauth.renew_days * 86_400));
        let code = self.oauth.codes.get_mut(text).ok_or(20_003)?;
        if code.app != app {
            return Err(20_024);
        }
        if code.is_used {
            return Err(20_065);
        }
        if code.until <= now {
            return Err(20_004);
        }
        let uri = fields.text("redirect_uri");
        if !uri.is_empty() && uri != code.redirect_uri {
            return Err(20_071);
        }
        let verifier = fields.text("code_verifier");
        let is_proved = match &code.challenge {
            Some(challenge) => challenge.fits(verifier),
            // A verifier without a challenge: somebody took the challenge out on the way.
            None => verifier.is_empty(),
        };
        if !is_proved {
            return Err(20_049);
        }
        let scopes = narrowed(&code.scopes, fields.text("scope"))?;
        code.is_used = true;
        Ok(Grant { app, person: code.person, scopes, ends_at: now + year })
    }

    fn by_refresh(&mut self, app: usize, fields: &Fields<'_>) -> Result<Grant, i64> {
        if !self.plan.oauth.refresh {
            return Err(20_074);
        }
        let text = fields.required("refresh_token")?;
        let now = self.clock.instant();
        let known = self.oauth.refreshes.get_mut(text).ok_or(20_026)?;
        if known.app != app {
            return Err(20_024);
        }
        if known.is_used {
            return Err(20_073);
        }
        if known.is_revoked {
            return Err(20_064);
        }
        if known.until <= now || known.ends_at <= now {
            return Err(20_037);
        }
        let scopes = narrowed(&known.scopes, fields.text("scope"))?;
        known.is_used = true;
        Ok(Grant { app, person: known.person, scopes, ends_at: known.ends_at })
    }

    fn give_tokens(&mut self, grant: Grant) -> Result<Value, i64> {
        let person = self.people.get(grant.person).ok_or(20_008)?;
        if person.is_resigned {
            return Err(20_008);
        }
        if person.is_frozen {
            return Err(20_066);
        }
        let now = self.clock.instant();
        let plan = self.plan.oauth.clone();
        let access = self.long_text();
        let until = now + self.clock.span(Duration::from_secs(plan.token_s));
        let Grant { app, person, scopes, ends_at } = grant;
        let mut body = Map::new();
        body.insert("code".to_owned(), json!(0));
        body.insert("access_token".to_owned(), json!(access));
        body.insert("expires_in".to_owned(), json!(plan.token_s));
        if scopes.contains(OFFLINE) {
            let text = self.long_text();
            let until = now + self.clock.span(Duration::from_secs(plan.refresh_s));
            let refresh = Refresh {
                app,
                person,
                scopes: scopes.clone(),
                until,
                ends_at,
                is_used: false,
                is_revoked: false,
            };
            body.insert("refresh_token".to_owned(), json!(text));
            body.insert("refresh_token_expires_in".to_owned(), json!(plan.refresh_s));
            self.oauth.refreshes.insert(text, refresh);
        }
        body.insert("token_type".to_owned(), json!("Bearer"));
        let list: Vec<&str> = scopes.iter().map(String::as_str).collect();
        body.insert("scope".to_owned(), json!(list.join(" ")));
        self.oauth.tokens.insert(access, UserToken { app, person, scopes, until });
        Ok(Value::Object(body))
    }

    /// As long as the real ones, which do not fit into a short column.
    fn long_text(&mut self) -> String {
        let digits: String = (0..36).map(|_| self.dice.hex32()).collect();
        format!("eyJhbGciOiJFUzI1NiJ9.{digits}")
    }

    fn exchange(&mut self, body: &Value, headers: &HeaderMap) -> Result<Value, i64> {
        let fields = Fields(body);
        let kind = fields.required("grant_type")?;
        let app = self.client(&fields, headers)?;
        let grant = match kind {
            "authorization_code" => self.by_code(app, &fields)?,
            "refresh_token" => self.by_refresh(app, &fields)?,
            _ => return Err(20_036),
        };
        self.give_tokens(grant)
    }
}

/// The part of `given` that is asked for: all of it, when nothing is.
fn narrowed(given: &BTreeSet<String>, asked: &str) -> Result<BTreeSet<String>, i64> {
    if asked.is_empty() {
        return Ok(given.clone());
    }
    let mut asked = scopes_of(asked).map_err(|Wrong(code, _)| code)?;
    if !asked.iter().all(|scope| given.contains(scope)) {
        return Err(BAD_SCOPE);
    }
    asked.insert(BASE.to_owned());
    Ok(asked)
}

/// `POST /open-apis/authen/v2/oauth/token` and `POST /oauth/v3/token`.
pub(in crate::sim) async fn token(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    log_id: &str,
) -> Result<Response<Body>, Dropped> {
    let fault = http::struck(shared, "oauth.token");
    if let Some(FaultKind::Code { status, code }) = fault {
        return Ok(error_response(code, Some(status)));
    }
    if let Some(response) = http::before(shared, fault.as_ref(), log_id).await? {
        return Ok(response);
    }
    let at = tokio::time::Instant::now();
    let headers = request.headers().clone();
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    let Some(raw) = read_body(request.into_body()).await else { return Err(Dropped) };
    let body: Option<Value> =
        serde_json::from_slice(&raw).ok().filter(|body: &Value| is_json && body.is_object());
    let answer = shared.peek(|world| {
        let limits = &world.plan.limits;
        let rates =
            [Rate { calls: limits.per_minute, window_s: 60 }, Rate { calls: limits.per_second, window_s: 1 }];
        world.rates.arrive("oauth.token", &rates, true, at).map_err(|_| 99_991_400)?;
        world.exchange(&body.ok_or(20_063)?, &headers)
    });
    let response = match answer {
        Ok(body) => json_response(200, &body),
        Err(code) => error_response(code, None),
    };
    http::after(fault.as_ref(), response)
}
