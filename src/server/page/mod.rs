//! The pages for people: the Web Configuration URL, which opens inside the client, the Redirect URL, and
//! invitations. Plain HTML, without a script; every address is a sibling of the others and is named without
//! its folder, so that a path prefix of the public URL needs no care.

mod cookie;
mod frame;
mod language;
mod refusal;
mod status;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
};

use super::gateway::Gateway;
use crate::{
    core::{
        error::{Fault, Kind},
        ids::IntegrationId,
        integration::IntegrationUrls,
        lang::Lang,
    },
    service::login::{FormEnd, LoginBack, LoginEnd, LoginRefusal, PageFrame, SESSION_COOKIE, login_cookie},
};

use self::{
    cookie::Jar,
    frame::{Look, go_to, respond},
};

/// Forms have one field.
const FORM_MAX_BYTES: usize = 4096;

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/i/{id}", get(without_slash))
        .route("/i/{id}/", get(home))
        .route("/i/{id}/login", get(login))
        .route("/i/{id}/redirect", get(back))
        .route("/i/{id}/invite", get(invite))
        .route("/i/{id}/bye", get(bye))
        .route("/i/{id}/unlink", post(unlink))
        .route("/i/{id}/sign-out", post(sign_out))
        .layer(DefaultBodyLimit::max(FORM_MAX_BYTES))
}

type Shared = State<Arc<Gateway>>;

/// What a request for a page is about.
struct Visitor<'a> {
    gateway: &'a Gateway,
    headers: &'a HeaderMap,
    id: IntegrationId,
    urls: IntegrationUrls,
    frame: PageFrame,
    lang: Lang,
}

impl<'a> Visitor<'a> {
    /// The integration that is visited, or the page that says that there is none.
    async fn of(gateway: &'a Gateway, headers: &'a HeaderMap, id: &str) -> Result<Self, Response> {
        let lang = language::of(headers);
        let look = Look { lang, frame: None, zone: &gateway.zone };
        let nothing = || respond(StatusCode::NOT_FOUND, refusal::not_found(&look));
        let id: IntegrationId = id.parse().map_err(|_| nothing())?;
        match gateway.deck.page_frame(&id).await {
            Ok(frame) => Ok(Self { urls: gateway.urls(&id), gateway, headers, id, frame, lang }),
            Err(fault) if fault.kind == Kind::NotFound => Err(nothing()),
            Err(fault) => Err(trouble(&look, &fault)),
        }
    }

    fn look(&self) -> Look<'_> {
        Look { lang: self.lang, frame: Some(&self.frame), zone: &self.gateway.zone }
    }

    fn jar(&self) -> Jar {
        Jar::of(&self.urls.web_config_url)
    }

    fn session(&self) -> Option<&str> {
        cookie::read(self.headers, SESSION_COOKIE)
    }

    fn refused(&self, refusal: &LoginRefusal, account: Option<&str>) -> Response {
        let (status, page) = refusal::page(&self.look(), refusal, account);
        let mut response = respond(status, page);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }

    /// Sends the browser to the platform's login page.
    async fn begin(&self, invitation: Option<&str>) -> Response {
        let redirect_uri = &self.urls.redirect_url;
        match self.gateway.deck.begin_login(&self.id, redirect_uri, invitation).await {
            Ok(Ok(start)) => with_cookies(go_to(&start.authorize_url), [self.jar().set(&start.cookie)]),
            Ok(Err(refusal)) => self.refused(&refusal, None),
            Err(fault) => trouble(&self.look(), &fault),
        }
    }

    /// What came of a form, and where it leads.
    fn after_form(&self, done: Result<FormEnd, Fault>, place: &str) -> Response {
        match done {
            Ok(FormEnd::Done) => go_to(place),
            Ok(FormEnd::NoSession | FormEnd::Forged) => {
                respond(StatusCode::FORBIDDEN, refusal::forged(&self.look()))
            }
            Err(fault) if fault.kind == Kind::Refused => self.refused(&LoginRefusal::ReadOnly, None),
            Err(fault) => trouble(&self.look(), &fault),
        }
    }
}

/// Says that something inside failed; what, is for the log.
fn trouble(look: &Look<'_>, fault: &Fault) -> Response {
    tracing::error!(%fault, "a page could not be made");
    let status = match fault.kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    respond(status, refusal::trouble(look))
}

fn with_cookies<const N: usize>(mut response: Response, cookies: [Option<HeaderValue>; N]) -> Response {
    for value in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// The first value of a name in a query or a form; empty where there is none.
fn value(pairs: &[u8], name: &str) -> String {
    let mut found = url::form_urlencoded::parse(pairs).filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn without_slash(State(gateway): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => go_to(&visitor.urls.web_config_url),
        Err(response) => response,
    }
}

/// The Web Configuration URL: known browsers see their page, others sign in first.
async fn home(
    State(gateway): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visitor = match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let visit = match visitor.session() {
        Some(cookie) => gateway.deck.visit(&visitor.id, cookie).await,
        None => Ok(None),
    };
    match visit {
        Ok(Some(visit)) => {
            let page = respond(StatusCode::OK, status::page(&visitor.look(), &visit));
            with_cookies(page, [visit.session.as_ref().and_then(|cookie| visitor.jar().set(cookie))])
        }
        // It has just signed in and comes without a session: another login would end here again, for ever.
        Ok(None) if query.as_deref() == Some(SIGNED_IN) => visitor.refused(&LoginRefusal::NoCookie, None),
        Ok(None) => visitor.begin(None).await,
        Err(fault) => trouble(&visitor.look(), &fault),
    }
}

/// Query of the page that a login leads to.
const SIGNED_IN: &str = "signed-in";

/// Begins a login, from the buttons of the pages.
async fn login(
    State(gateway): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let invitation = value(query.unwrap_or_default().as_bytes(), "invitation");
    match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => visitor.begin(Some(invitation.as_str()).filter(|token| !token.is_empty())).await,
        Err(response) => response,
    }
}

/// The Redirect URL: a login comes back.
async fn back(
    State(gateway): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visitor = match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let query = query.unwrap_or_default();
    let of = |name| value(query.as_bytes(), name);
    let (state, code, error) = (of("state"), of("code"), of("error"));
    let name = login_cookie(&state);
    let back = LoginBack { state: &state, code: &code, error: &error, cookie: cookie::read(&headers, &name) };
    match gateway.deck.finish_login(&visitor.id, &visitor.urls.redirect_url, back).await {
        Ok(LoginEnd::SignedIn { session, .. }) => {
            // Away from the address with the code in it.
            let jar = visitor.jar();
            with_cookies(go_to(&format!("./?{SIGNED_IN}")), [jar.set(&session), jar.clear(&name)])
        }
        Ok(LoginEnd::Refused { refusal, account }) => {
            let page = visitor.refused(&refusal, account.as_deref());
            let is_over = cookie::read(&headers, &name).is_some();
            with_cookies(page, [visitor.jar().clear(&name).filter(|_| is_over)])
        }
        Err(fault) => trouble(&visitor.look(), &fault),
    }
}

/// The page of an invitation. Looking at it uses nothing up: previews and scanners look too.
async fn invite(
    State(gateway): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visitor = match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let token = value(query.unwrap_or_default().as_bytes(), "t");
    match gateway.deck.invited_member(&visitor.id, &token).await {
        Ok(Ok(member)) => respond(StatusCode::OK, status::invitation(&visitor.look(), &member, &token)),
        Ok(Err(flaw)) => visitor.refused(&LoginRefusal::Invitation(flaw), None),
        Err(fault) => trouble(&visitor.look(), &fault),
    }
}

async fn bye(State(gateway): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => respond(StatusCode::OK, status::goodbye(&visitor.look())),
        Err(response) => response,
    }
}

async fn unlink(State(gateway): Shared, Path(id): Path<String>, headers: HeaderMap, form: Bytes) -> Response {
    let visitor = match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let session = visitor.session().unwrap_or_default();
    let done = gateway.deck.unlink_self(&visitor.id, session, &value(&form, "csrf")).await;
    visitor.after_form(done, "./")
}

async fn sign_out(
    State(gateway): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    let visitor = match Visitor::of(&gateway, &headers, &id).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let session = visitor.session().unwrap_or_default();
    let done = gateway.deck.sign_out(&visitor.id, session, &value(&form, "csrf")).await;
    let is_done = matches!(done, Ok(FormEnd::Done | FormEnd::NoSession));
    // Out is out: a session that has ended already is no error here.
    let done = done.map(|end| if end == FormEnd::NoSession { FormEnd::Done } else { end });
    with_cookies(visitor.after_form(done, "bye"), [visitor.jar().clear(SESSION_COOKIE).filter(|_| is_done)])
}
