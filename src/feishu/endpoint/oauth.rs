//! Signing in by browser: the authorize page, the code, who it was (`feishu/auth` 4, read 2026-05).

use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::core::{
    ids::{OpenId, TenantKey},
    secret::Secret,
};

use super::super::{
    answer::Loose,
    client::{Ask, Client},
    error::FeishuError,
    event::crypto,
    transport::Request,
};
use super::{USER_INFO, USER_TOKEN};

const AUTHORIZE_PATH: &str = "/open-apis/authen/v1/authorize";

/// Hosts whose pages for people are on another host than their API. Any other base URL is one for all.
const ACCOUNTS: &[(&str, &str)] = &[
    ("https://open.feishu.cn", "https://accounts.feishu.cn"),
    ("https://open.larksuite.com", "https://accounts.larksuite.com"),
];

/// A login that a browser is about to be sent to.
#[derive(Debug, Clone, Copy)]
pub struct Authorize<'a> {
    /// Where the platform sends the browser back to; on the app's list of redirect URLs.
    pub redirect_uri: &'a str,
    /// Comes back as it is.
    pub state: &'a str,
    /// The secret of this login whose hash travels (PKCE, S256): 43 to 128 characters.
    pub verifier: &'a Secret,
    /// What is asked for beside the name; only scopes that the app has.
    pub scopes: &'a [&'a str],
}

/// What a code was redeemed for. Wiped when dropped; nothing keeps it.
#[derive(Debug)]
pub struct UserToken(Secret);

/// Who has signed in. Texts are foreign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account, as the app knows it.
    pub open_id: OpenId,
    /// The tenant that it belongs to.
    pub tenant: Option<TenantKey>,
    /// Its name.
    pub name: String,
    /// Contact email; absent without its scope.
    pub email: Option<String>,
    /// Enterprise mailbox; absent without the scope.
    pub enterprise_email: Option<String>,
    /// With its country code; absent without its scope.
    pub mobile: Option<String>,
}

#[derive(Deserialize)]
struct TokenWire {
    #[serde(default)]
    access_token: Loose,
}

#[derive(Deserialize)]
struct AccountWire {
    #[serde(default)]
    open_id: Loose,
    #[serde(default)]
    tenant_key: Loose,
    #[serde(default)]
    name: Loose,
    #[serde(default)]
    email: Loose,
    #[serde(default)]
    enterprise_email: Loose,
    #[serde(default)]
    mobile: Loose,
}

impl Client {
    /// The page at which a person says yes to `login`.
    ///
    /// # Errors
    /// [`FeishuError::Address`] where the base URL is no URL.
    pub fn authorize_url(&self, login: &Authorize<'_>) -> Result<String, FeishuError> {
        let base = &*self.app().base_url;
        let host = ACCOUNTS.iter().find(|(api, _)| *api == base).map_or(base, |(_, accounts)| accounts);
        let mut url = Url::parse(&format!("{host}{AUTHORIZE_PATH}"))
            .map_err(|_| FeishuError::Address(format!("{base:?} is not an http or https address")))?;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", self.app().app_id.as_str())
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", login.redirect_uri)
            .append_pair("state", login.state)
            .append_pair("code_challenge", &crypto::pkce_s256(login.verifier.reveal()))
            .append_pair("code_challenge_method", "S256");
        if !login.scopes.is_empty() {
            query.append_pair("scope", &login.scopes.join(" "));
        }
        drop(query);
        Ok(url.into())
    }

    /// Redeems the code that the platform sent the browser back with. A code is good once; where the answer
    /// is lost on the way, a retry says that it is used, which costs the person another login and no more.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn user_token(
        &self,
        ask: Ask,
        code: &str,
        redirect_uri: &str,
        verifier: &Secret,
    ) -> Result<UserToken, FeishuError> {
        let body = json!({
            "grant_type": "authorization_code",
            "client_id": self.app().app_id,
            "client_secret": self.transport.app_secret().reveal(),
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier.reveal(),
        });
        let request = Request::new(&USER_TOKEN).body(&body).idempotent();
        let answer = self.transport.run(&ask, &request, None).await?;
        let wire: TokenWire = answer.flat()?;
        match wire.access_token.filled() {
            Some(token) => Ok(UserToken(Secret::new(token))),
            None => Err(answer.malformed("a success without a token")),
        }
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn account(&self, ask: Ask, token: &UserToken) -> Result<Account, FeishuError> {
        let answer = self.transport.run(&ask, &Request::new(&USER_INFO), Some(&token.0)).await?;
        let wire: AccountWire = answer.data()?;
        Ok(Account {
            open_id: wire.open_id.parse().ok_or_else(|| answer.malformed("an account without an open_id"))?,
            tenant: wire.tenant_key.parse(),
            name: wire.name.text(),
            email: wire.email.filled(),
            enterprise_email: wire.enterprise_email.filled(),
            mobile: wire.mobile.filled(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::super::testkit::*, *};
    use crate::{core::permit::Outcome, feishu::Network};

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn login(verifier: &Secret) -> Authorize<'_> {
        Authorize {
            redirect_uri: "https://x.test/p/i/i_1/redirect",
            state: "a&b",
            verifier,
            scopes: &["s:a", "s:b"],
        }
    }

    #[test]
    fn people_and_programs_have_hosts_of_their_own() {
        let verifier = Secret::new(VERIFIER);
        let url = |base: &str| {
            client(base, &Arc::<Notes>::default(), &Network::direct())
                .authorize_url(&login(&verifier))
                .unwrap()
        };
        assert_eq!(
            url("https://open.feishu.cn"),
            "https://accounts.feishu.cn/open-apis/authen/v1/authorize?client_id=cli_a000000000000001&response_type=code\
             &redirect_uri=https%3A%2F%2Fx.test%2Fp%2Fi%2Fi_1%2Fredirect&state=a%26b\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&scope=s%3Aa+s%3Ab"
        );
        assert!(url("https://open.larksuite.com").starts_with("https://accounts.larksuite.com/"));
        assert!(url("http://127.0.0.1:9").starts_with("http://127.0.0.1:9/open-apis/authen/"));
    }

    #[tokio::test]
    async fn a_code_becomes_an_account_and_costs_no_month() {
        let permits = Arc::<Notes>::default();
        let server = Server::start([
            ok(r#"{"code":0,"access_token":"u-1","expires_in":7200,"token_type":"Bearer"}"#),
            ok(
                r#"{"code":0,"msg":"success","data":{"open_id":"ou_1","name":"Ann","email":"","mobile":"+8613000000000","tenant_key":"tk"}}"#,
            ),
        ])
        .await;
        let client = server.client(&permits);
        let token =
            client.user_token(ASK, "c0de", "https://x.test/cb", &Secret::new(VERIFIER)).await.unwrap();
        assert!(!format!("{token:?}").contains("u-1"));
        let account = client.account(ASK, &token).await.unwrap();
        assert_eq!((account.open_id.as_str(), account.email), ("ou_1", None));
        assert_eq!(account.mobile.as_deref(), Some("+8613000000000"));
        let seen = server.seen.lock().unwrap();
        let body: serde_json::Value = serde_json::from_str(&seen[0].body).unwrap();
        assert_eq!((&body["code_verifier"], &body["client_secret"]), (&VERIFIER.into(), &"s3cret".into()));
        assert!(!seen[0].headers.contains_key("authorization"));
        assert_eq!(seen[1].headers["authorization"], "Bearer u-1");
        let month = |name: &str| super::super::spec(name).unwrap().month;
        assert_eq!(month("oauth.token"), crate::core::permit::MonthClass::Exempt);
        assert_eq!(permits.outcomes("oauth.token"), [Outcome::Done]);
    }

    #[tokio::test]
    async fn a_refused_code_says_why() {
        use crate::core::error::{Kind, Problem as _};
        let server = Server::start([answer(
            400,
            r#"{"code":20071,"error":"invalid_grant","error_description":"redirect_uri mismatch"}"#,
        )])
        .await;
        let client = server.client(&Arc::<Notes>::default());
        let error =
            client.user_token(ASK, "c", "https://x.test/cb", &Secret::new(VERIFIER)).await.unwrap_err();
        assert_eq!(error.code(), Some(20_071));
        assert_eq!(error.kind(), Kind::Remote);
        assert!(error.to_string().contains("redirect_uri mismatch"), "{error}");
        assert!(error.hint().unwrap().contains("Redirect URL"));
    }
}
