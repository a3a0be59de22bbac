//! The app itself: its bot, its permissions, its connections (`feishu/app`, read 2026-05).

use serde::Deserialize;

use crate::core::ids::OpenId;

use super::super::{
    answer::Loose,
    client::{Ask, Client},
    error::FeishuError,
    transport::Request,
};
use super::{BOT_INFO, CONNECTION_COUNT, SCOPES};

/// The bot of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotInfo {
    /// The bot's own id: how mentions of it are recognised. Absent until the bot capability is on.
    pub open_id: Option<OpenId>,
    /// Foreign text.
    pub app_name: String,
    /// 0 not installed, 1 disabled by the tenant, 2 enabled, 3 to be enabled, 4 upgrade waiting, 5 licence
    /// expired, 6 plan expired.
    pub activate_status: i64,
}

/// A permission that the app has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppScope {
    /// The official name, such as `im:message`.
    pub name: String,
    /// Whether it has been granted.
    pub is_granted: bool,
}

#[derive(Deserialize)]
struct BotWire {
    #[serde(default)]
    open_id: Loose,
    #[serde(default)]
    app_name: Loose,
    #[serde(default)]
    activate_status: Loose,
}

#[derive(Deserialize)]
struct ScopesWire {
    #[serde(default)]
    scopes: Vec<ScopeWire>,
}

#[derive(Deserialize)]
struct ScopeWire {
    #[serde(default)]
    scope_name: Loose,
    #[serde(default)]
    grant_status: Loose,
}

#[derive(Deserialize)]
struct CountWire {
    #[serde(default)]
    online_instance_cnt: Loose,
}

impl Client {
    /// The bot of the app. Needs no scope.
    ///
    /// # Errors
    /// A refusal with a code other than a token code usually means that the bot capability is off.
    pub async fn bot_info(&self, ask: Ask) -> Result<BotInfo, FeishuError> {
        let answer = self.transport.call(&ask, Request::new(&BOT_INFO)).await?;
        let wire: BotWire = answer.member("bot")?;
        Ok(BotInfo {
            open_id: wire.open_id.parse(),
            app_name: wire.app_name.text(),
            activate_status: wire.activate_status.int().unwrap_or(-1),
        })
    }

    /// The permissions that the app has asked for. Needs no scope; a special low rate, so ask seldom.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn granted_scopes(&self, ask: Ask) -> Result<Vec<AppScope>, FeishuError> {
        let answer = self.transport.call(&ask, Request::new(&SCOPES)).await?;
        let wire: ScopesWire = answer.data()?;
        let scope = |scope: ScopeWire| AppScope {
            name: scope.scope_name.text(),
            is_granted: scope.grant_status.int() == Some(1),
        };
        Ok(wire.scopes.into_iter().map(scope).filter(|scope| !scope.name.is_empty()).collect())
    }

    /// How many long connections the app has now, larkdeck's own included (A18); `None` where the answer
    /// does not say.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn connection_count(&self, ask: Ask) -> Result<Option<u32>, FeishuError> {
        let answer = self.transport.call(&ask, Request::new(&CONNECTION_COUNT)).await?;
        let wire: CountWire = answer.data()?;
        Ok(wire.online_instance_cnt.int().and_then(|count| u32::try_from(count).ok()))
    }
}
