//! Signing in on the simulator, with a bare HTTP client in the browser's place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod sim;

use std::collections::HashMap;

use larkdeck::sim::{Fault, FaultKind, PersonChange, Scenario, SignIn};
use reqwest::Response;
use serde_json::{Value, json};
use sim::Desk;

const BACK: &str = "http://127.0.0.1:9/oauth/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct Browser {
    desk: Desk,
    http: reqwest::Client,
}

impl Browser {
    async fn start(change: impl FnOnce(&mut Scenario)) -> Self {
        let mut scenario = Scenario::still().unwrap();
        scenario.app.redirect_urls = vec![BACK.to_owned()];
        for scope in ["offline_access", "contact:user.email:readonly"] {
            scenario.app.scopes.push(scope.to_owned());
        }
        change(&mut scenario);
        let desk = Desk::start(scenario).await;
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(redirects).build().unwrap();
        Self { desk, http }
    }

    fn page(&self, more: &[(&str, &str)]) -> String {
        let mut query = vec![
            ("client_id", self.desk.access.app_id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", BACK),
            ("state", "s t&te"),
        ];
        query.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
        query.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        format!("{}/open-apis/authen/v1/authorize?{query}", self.desk.access.base_url)
    }

    async fn open(&self, more: &[(&str, &str)]) -> Response {
        self.http.get(self.page(more)).send().await.unwrap()
    }

    async fn code(&self, more: &[(&str, &str)]) -> String {
        let answer = self.open(more).await;
        assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
        query(&answer)["code"].clone()
    }

    async fn exchange(&self, body: &Value) -> (u16, Value) {
        let url = format!("{}/open-apis/authen/v2/oauth/token", self.desk.access.base_url);
        let answer = self
            .http
            .post(url)
            .header("content-type", "application/json; charset=utf-8")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn by_code(&self, code: &str) -> Value {
        json!({
            "grant_type": "authorization_code", "client_id": self.desk.access.app_id,
            "client_secret": self.desk.access.app_secret, "code": code, "redirect_uri": BACK,
        })
    }

    fn by_refresh(&self, token: &Value) -> Value {
        json!({
            "grant_type": "refresh_token", "client_id": self.desk.access.app_id,
            "client_secret": self.desk.access.app_secret, "refresh_token": token,
        })
    }

    async fn refused(&self, body: &Value) -> Value {
        let (status, answer) = self.exchange(body).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].is_string() && answer["error_description"].is_string(), "{answer}");
        answer["code"].clone()
    }

    async fn user_info(&self, token: &str) -> Value {
        let url = format!("{}/open-apis/authen/v1/user_info", self.desk.access.base_url);
        let answer = self.http.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }
}

fn query(answer: &Response) -> HashMap<String, String> {
    let location = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    location.query_pairs().into_owned().collect()
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

#[tokio::test]
async fn a_person_signs_in_by_the_page_alone() {
    let browser = Browser::start(|_| {}).await;
    let scope = ("scope", "contact:user.email:readonly offline_access");
    let page = browser.open(&[scope]).await;
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("王伟") && text.contains("contact:user.email:readonly"), "{text}");
    assert!(text.contains("<form method=\"post\"") && !text.contains("<script"), "{text}");
    let id = text.split("<option value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("person={id}&other=&decision=allow");
    let answer = browser.http.post(browser.page(&[scope])).body(form).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let back = query(&answer);
    assert_eq!(back["state"], "s t&te");
    let (status, token) = browser.exchange(&browser.by_code(&back["code"])).await;
    assert_eq!((status, &token["code"]), (200, &json!(0)), "{token}");
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["scope"], "auth:user.id:read contact:user.email:readonly offline_access");
    assert!(token["access_token"].as_str().unwrap().len() > 1000 && token.get("data").is_none());
    assert_eq!(token["refresh_token_expires_in"], 604_800);
    let info = browser.user_info(token["access_token"].as_str().unwrap()).await;
    assert_eq!(info["data"]["open_id"], id);
    assert_eq!(info["data"]["email"], "wang.wei@lumenpay.example");
    assert_eq!(info["data"]["tenant_key"], "tk0000000000test");
    assert!(info["data"].get("mobile").is_none() && info["data"].get("user_id").is_none(), "{info}");
}

#[tokio::test]
async fn a_person_may_refuse_or_be_unable() {
    let browser = Browser::start(|_| {}).await;
    let answer = browser.http.post(browser.page(&[])).body("decision=deny").send().await.unwrap();
    assert_eq!(query(&answer)["error"], "access_denied");
    assert_eq!(query(&answer)["state"], "s t&te");
    let control = browser.desk.sim.control();
    control.set_sign_in(Some(SignIn { who: "李娜".into(), refuses: true }));
    assert!(!query(&browser.open(&[]).await).contains_key("code"));
    control.set_sign_in(Some(SignIn { who: "李娜".into(), refuses: false }));
    assert!(query(&browser.open(&[]).await).contains_key("code"));
    let gone = PersonChange { is_resigned: Some(true), ..PersonChange::default() };
    control.change_person("李娜", &gone).unwrap();
    let page = browser.open(&[]).await;
    assert_eq!(page.status(), 400);
    assert!(page.text().await.unwrap().contains("20008"));
    let blind = PersonChange { is_blind: Some(true), ..PersonChange::default() };
    control.change_person("王伟", &blind).unwrap();
    assert!(browser.open(&[("sim_person", "王伟")]).await.text().await.unwrap().contains("20010"));
}

#[tokio::test]
async fn the_page_shows_what_is_wrong_with_a_request_and_leads_nowhere() {
    let browser = Browser::start(|_| {}).await;
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&[("client_id", "")], "20001"),
        (&[("response_type", "")], "20001"),
        (&[("client_id", "cli_0000000000000000")], "20048"),
        (&[("response_type", "token")], "20063"),
        (&[("redirect_uri", "http://evil.example/cb")], "20029"),
        (&[("redirect_uri", "http://127.0.0.1:9/oauth/callback/../x")], "20029"),
        (&[("scope", "im:chat docx:document")], "20027"),
        (&[("scope", "im:chat im:chat")], "20067"),
        (&[("code_challenge", "short"), ("code_challenge_method", "S256")], "20063"),
        (&[("code_challenge", CHALLENGE), ("code_challenge_method", "S512")], "20063"),
    ];
    for (more, code) in cases {
        let mut more = more.to_vec();
        more.push(("sim_person", "王伟"));
        let answer = browser.open(&more).await;
        assert_eq!(answer.status(), 400, "{more:?}");
        assert!(!answer.headers().contains_key("location"));
        assert!(answer.text().await.unwrap().contains(code), "{more:?}");
    }
    let fragment = format!("{BACK}#part");
    let answer = browser.open(&[("redirect_uri", &fragment), ("sim_person", "王伟")]).await;
    assert!(answer.headers()["location"].to_str().unwrap().ends_with("#part"));
}

#[tokio::test]
async fn codes_are_for_one_use_of_their_own_client() {
    let browser = Browser::start(|plan| {
        plan.other_app.push(larkdeck::sim::AppPlan {
            app_id: "cli_00000000000000aa".to_owned(),
            ..larkdeck::sim::AppPlan::default()
        });
    })
    .await;
    let code = browser.code(&[("sim_person", "王伟")]).await;
    assert!(code.len() >= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    let good = browser.by_code(&code);
    for (key, value, expected) in [
        ("grant_type", json!("password"), 20_036),
        ("grant_type", Value::Null, 20_001),
        ("client_id", json!("cli_0000000000000000"), 20_048),
        ("client_id", json!("cli_00000000000000aa"), 20_024),
        ("client_secret", json!("no"), 20_002),
        ("client_secret", Value::Null, 20_001),
        ("code", json!("never-given"), 20_003),
        ("redirect_uri", json!("http://127.0.0.1:9/other"), 20_071),
        ("code_verifier", json!(VERIFIER), 20_049),
        ("scope", json!("im:chat"), 20_068),
    ] {
        assert_eq!(browser.refused(&with(good.clone(), key, value)).await, expected, "{key}");
    }
    let (status, token) = browser.exchange(&good).await;
    assert_eq!(status, 200, "none of those used the code up: {token}");
    assert!(token.get("refresh_token").is_none(), "offline_access was not asked for");
    assert_eq!(browser.refused(&good).await, 20_065);
    // Not JSON, and two ways to prove the client.
    let url = format!("{}/open-apis/authen/v2/oauth/token", browser.desk.access.base_url);
    let form = browser.http.post(&url).body("grant_type=authorization_code").send().await.unwrap();
    assert_eq!(form.json::<Value>().await.unwrap()["code"], 20_063);
    let basic = browser.http.post(&url).basic_auth("a", Some("b")).json(&good).send().await.unwrap();
    assert_eq!(basic.json::<Value>().await.unwrap()["code"], 20_070);
    let fault = FaultKind::Code { status: 503, code: 20_072 };
    browser.desk.sim.control().set_fault(Fault::on("oauth.token", fault).times(1));
    assert_eq!(browser.exchange(&good).await.0, 503);
}

#[tokio::test]
async fn pkce_binds_a_code_to_who_asked_for_it() {
    let browser = Browser::start(|_| {}).await;
    for (challenge, method) in [(CHALLENGE, "S256"), (VERIFIER, "plain"), (VERIFIER, "")] {
        let more = [("code_challenge", challenge), ("code_challenge_method", method), ("sim_person", "王伟")];
        let good = browser.by_code(&browser.code(&more).await);
        assert_eq!(browser.refused(&good).await, 20_049, "{method}: no verifier");
        let wrong = with(good.clone(), "code_verifier", json!("x".repeat(43)));
        assert_eq!(browser.refused(&wrong).await, 20_049, "{method}: another verifier");
        let (status, _) = browser.exchange(&with(good, "code_verifier", json!(VERIFIER))).await;
        assert_eq!(status, 200, "{method}");
    }
}

#[tokio::test]
async fn refresh_tokens_rotate_and_end() {
    let browser = Browser::start(|_| {}).await;
    let code = browser.code(&[("scope", "offline_access"), ("sim_person", "王伟")]).await;
    let (_, first) = browser.exchange(&browser.by_code(&code)).await;
    let (status, second) = browser.exchange(&browser.by_refresh(&first["refresh_token"])).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(browser.refused(&browser.by_refresh(&first["refresh_token"])).await, 20_073);
    assert_eq!(browser.refused(&browser.by_refresh(&json!("eyJ"))).await, 20_026);
    let old = first["access_token"].as_str().unwrap();
    assert_eq!(browser.user_info(old).await["code"], 0, "the old one is good until it ends");
    browser.desk.sim.control().end_consent("王伟").unwrap();
    assert_eq!(browser.user_info(old).await["code"], 20_005);
    assert_eq!(browser.refused(&browser.by_refresh(&second["refresh_token"])).await, 20_064);
    let answer = browser.desk.get("/open-apis/authen/v1/user_info").await;
    assert_eq!(answer["code"], 20_005, "the token of an app is nobody's");
}

#[tokio::test]
async fn what_is_too_old_is_told_apart() {
    // All of these lives are over in a moment.
    let browser = Browser::start(|plan| {
        plan.oauth.code_s = 0;
    })
    .await;
    let code = browser.code(&[("sim_person", "王伟")]).await;
    assert_eq!(browser.refused(&browser.by_code(&code)).await, 20_004);
    let browser = Browser::start(|plan| {
        plan.oauth.refresh_s = 0;
        plan.oauth.token_s = 0;
    })
    .await;
    let code = browser.code(&[("scope", "offline_access"), ("sim_person", "王伟")]).await;
    let (_, token) = browser.exchange(&browser.by_code(&code)).await;
    assert_eq!(browser.refused(&browser.by_refresh(&token["refresh_token"])).await, 20_037);
    assert_eq!(browser.user_info(token["access_token"].as_str().unwrap()).await["code"], 20_005);
}

#[tokio::test]
async fn an_account_shows_that_it_left_or_belongs_elsewhere() {
    let browser = Browser::start(|_| {}).await;
    let code = browser.code(&[("sim_person", "王伟")]).await;
    let url = format!("{}/oauth/v3/token", browser.desk.access.base_url);
    let answer = browser.http.post(url).json(&browser.by_code(&code)).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    let token = token["access_token"].as_str().unwrap();
    let control = browser.desk.sim.control();
    let change = |change: PersonChange| control.change_person("王伟", &change).unwrap();
    change(PersonChange { tenant_key: Some("tk_elsewhere".into()), ..PersonChange::default() });
    assert_eq!(browser.user_info(token).await["data"]["tenant_key"], "tk_elsewhere");
    change(PersonChange { is_frozen: Some(true), ..PersonChange::default() });
    assert_eq!(browser.user_info(token).await["code"], 20_022);
    change(PersonChange { is_resigned: Some(true), ..PersonChange::default() });
    assert_eq!(browser.user_info(token).await["code"], 20_021);
}

#[tokio::test]
async fn the_desk_steers_logins_too() {
    let browser = Browser::start(|plan| plan.app.redirect_urls.clear()).await;
    assert_eq!(browser.open(&[]).await.status(), 400);
    let desk = &browser.desk;
    assert_eq!(desk.post_raw("/_sim/redirect", &json!({"urls": [BACK]})).await["ok"], Value::Null);
    assert_eq!(browser.open(&[]).await.status(), 200);
    desk.post_raw("/_sim/sign_in", &json!({"who": "wang.wei@lumenpay.example"})).await;
    let answer = browser.open(&[]).await;
    assert_eq!(answer.status(), 302);
    let shown = desk.post_raw("/_sim/person", &json!({"who": "nobody", "change": {}})).await;
    assert!(shown["error"].is_string(), "{shown}");
    assert!(!browser.code(&[]).await.is_empty());
}
