//! The tenant access token: kept, renewed before it ends, fetched by one caller at a time.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::sync::Mutex;

use crate::core::secret::Secret;

use super::{
    answer::{Answer, Loose},
    error::FeishuError,
};

/// So long before its end a token is renewed. The platform gives a new one in the last 30 min and lets the
/// old one live on (`feishu/auth` 3, read 2026-05).
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// What a token is taken to live when the answer does not say.
const USUAL_LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// A token and which one it is.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) secret: Arc<Secret>,
    serial: u64,
}

struct Kept {
    token: Token,
    renew_at: Instant,
}

/// Where the token is kept.
#[derive(Default)]
pub(super) struct TokenCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    serial: u64,
}

#[derive(Deserialize)]
struct TokenWire {
    #[serde(default)]
    tenant_access_token: Loose,
    #[serde(default)]
    expire: Loose,
}

impl TokenCache {
    /// The kept token, or the one that `fetch` brings. While one caller fetches, the others wait for it.
    pub(super) async fn get<F>(
        &self,
        now: impl Fn() -> Instant,
        fetch: impl FnOnce() -> F,
    ) -> Result<Token, FeishuError>
    where
        F: Future<Output = Result<Answer, FeishuError>>,
    {
        let mut state = self.state.lock().await;
        if let Some(kept) = state.kept.as_ref().filter(|kept| now() < kept.renew_at) {
            return Ok(kept.token.clone());
        }
        let answer = fetch().await?;
        let wire: TokenWire = answer.flat()?;
        let text = wire.tenant_access_token.text();
        if text.is_empty() {
            return Err(answer.malformed("a success without a token"));
        }
        let life =
            wire.expire.int().and_then(|s| u64::try_from(s).ok()).map_or(USUAL_LIFE, Duration::from_secs);
        state.serial += 1;
        let token = Token { secret: Arc::new(Secret::new(text)), serial: state.serial };
        // A token that lives shorter than the margin is used for half its life.
        let use_for = life.checked_sub(MARGIN).unwrap_or(life / 2);
        state.kept = Some(Kept { token: token.clone(), renew_at: now() + use_for });
        Ok(token)
    }

    /// Forgets `token`, unless it has been replaced already.
    pub(super) async fn forget(&self, token: &Token) {
        let mut state = self.state.lock().await;
        if state.kept.as_ref().is_some_and(|kept| kept.token.serial == token.serial) {
            state.kept = None;
        }
    }
}
