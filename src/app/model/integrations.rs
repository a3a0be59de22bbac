//! Pane 1: integrations, their details and URLs.

use super::Load;
use crate::{
    app::event::IntegrationRow,
    core::{
        ids::IntegrationId,
        integration::IntegrationUrls,
        lang::{Phrase, phrase},
        text::SafeText,
    },
};

/// Pane 1.
#[derive(Debug, Clone, Default)]
pub struct Integrations {
    /// How far the list is.
    pub load: Load,
    /// All of them: those with an app first, by name.
    pub items: Vec<IntegrationItem>,
    /// The one whose details are shown.
    pub selected: Option<IntegrationId>,
    /// List or details.
    pub focus: IntegrationFocus,
    /// The selected row of the details.
    pub detail: usize,
}

/// Which part of pane 1 has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntegrationFocus {
    /// The list.
    #[default]
    List,
    /// The rows of the details.
    Details,
}

/// An integration, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationItem {
    /// Its data.
    pub row: IntegrationRow,
    /// Its name.
    pub name: SafeText,
    /// The app's own name on the platform.
    pub bot_name: Option<SafeText>,
}

impl IntegrationItem {
    /// Makes it ready to show.
    pub fn new(row: IntegrationRow) -> Self {
        let name = SafeText::line(&row.integration.name);
        let bot = row.integration.app.as_ref().and_then(|app| app.bot_name.as_deref());
        Self { name, bot_name: bot.map(SafeText::line), row }
    }

    /// Its id.
    pub const fn id(&self) -> &IntegrationId {
        &self.row.integration.id
    }
}

impl Integrations {
    /// The integration of that id.
    pub fn get(&self, id: &IntegrationId) -> Option<&IntegrationItem> {
        self.items.iter().find(|item| item.id() == id)
    }

    /// The selected one.
    pub fn current(&self) -> Option<&IntegrationItem> {
        self.selected.as_ref().and_then(|id| self.get(id))
    }

    /// Where the selected one stands in the list.
    pub fn position(&self) -> Option<usize> {
        self.items.iter().position(|item| Some(item.id()) == self.selected.as_ref())
    }

    /// The one that has War Room.
    pub fn war_room_holder(&self) -> Option<&IntegrationItem> {
        self.items.iter().find(|item| item.row.integration.war_room)
    }
}

/// A row of the details that can be selected: each can be copied, URLs can be shown as QR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DetailRow {
    /// Web Configuration URL.
    WebConfigUrl,
    /// Redirect URL.
    RedirectUrl,
    /// Message Card Request URL.
    MessageCardRequestUrl,
    /// App ID.
    AppId,
}

impl DetailRow {
    /// All of them, in the order of the screen.
    pub const ALL: [Self; 4] =
        [Self::WebConfigUrl, Self::RedirectUrl, Self::MessageCardRequestUrl, Self::AppId];
}

/// One of the three URLs and where it is pasted.
#[derive(Debug, Clone, Copy)]
pub struct UrlInfo {
    /// Its row.
    pub row: DetailRow,
    /// Its name.
    pub label: Phrase,
    /// Where in the developer console it is pasted.
    pub place: Phrase,
    /// The URL itself.
    pub get: fn(&IntegrationUrls) -> &str,
}

/// The three URLs (R20) with their places (R22, R23, R26, R29).
pub const URLS: [UrlInfo; 3] = [
    UrlInfo {
        row: DetailRow::WebConfigUrl,
        label: phrase("Web Configuration URL", "网页配置 URL"),
        place: phrase(
            "Add App Capabilities → Web App: Desktop Homepage and Mobile Homepage",
            "添加应用能力 → 网页应用：桌面端主页与移动端主页",
        ),
        get: |urls| &urls.web_config_url,
    },
    UrlInfo {
        row: DetailRow::RedirectUrl,
        label: phrase("Redirect URL", "重定向 URL"),
        place: phrase("Security Settings → Redirect URL", "安全设置 → 重定向 URL"),
        get: |urls| &urls.redirect_url,
    },
    UrlInfo {
        row: DetailRow::MessageCardRequestUrl,
        label: phrase("Message Card Request URL", "消息卡片请求网址"),
        place: phrase(
            "Events & Callbacks → Subscription Method, of Event Configuration and of Callback Configuration",
            "事件与回调 → 订阅方式：事件配置与回调配置两处",
        ),
        get: |urls| &urls.message_card_request_url,
    },
];
