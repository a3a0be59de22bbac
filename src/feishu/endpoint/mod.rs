//! The endpoints that larkdeck calls, as one table, and a file for each family of them.

pub mod application;
pub mod chat;
pub mod contact;
pub mod message;
pub mod oauth;
pub mod reaction;

use http::Method;

use crate::core::permit::{Limit, MonthClass, limit};

/// Everything that is fixed about one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Stable and unique; the quota pane and the ledger know the endpoint by it.
    pub name: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path below the base URL; `{}` stands for an id, filled in order.
    pub path: &'static str,
    /// The endpoint's own limits; every one holds.
    pub limits: &'static [Limit],
    /// Whether a successful call counts against the month.
    pub month: MonthClass,
    /// Whether it is a send in the sense of R57.
    pub is_send: bool,
    /// Scopes of which any one is enough; empty where none is needed.
    pub scopes: &'static [&'static str],
    /// What the call does, to stand after "cannot".
    pub action: &'static str,
}

impl EndpointSpec {
    /// The method as the HTTP library wants it.
    pub(crate) fn method(&self) -> Method {
        Method::from_bytes(self.method.as_bytes()).unwrap_or(Method::GET)
    }
}

/// Tier 4 of the platform: 1000/min and 50/s (`feishu/limits`, read 2026-05).
const TIER_4: &[Limit] = &[limit(1000, 60), limit(50, 1)];
/// Limits that the platform does not publish: the app-wide one holds.
const UNPUBLISHED: &[Limit] = &[];
/// Special low rate, figure not published: poll seldom, at most so often.
const SELDOM: &[Limit] = &[limit(5, 1)];

const READ_CHAT: &[&str] = &["im:chat", "im:chat:read", "im:chat:readonly"];
const READ_MEMBERS: &[&str] =
    &["im:chat", "im:chat.members:read", "im:chat.group_info:readonly", "im:chat:readonly"];
const SEND: &[&str] = &["im:message", "im:message:send_as_bot", "im:message:send"];
const LIST_MESSAGES: &[&str] = &["im:message", "im:message:readonly", "im:message.history:readonly"];
const READ_MESSAGE: &[&str] = &["im:message", "im:message:readonly"];
const REACT: &[&str] = &["im:message", "im:message.reactions:write_only"];
const READ_REACTIONS: &[&str] = &["im:message.reactions:read", "im:message:readonly"];
const READ_USERS: &[&str] = &[
    "contact:contact.base:readonly",
    "contact:contact:access_as_app",
    "contact:contact:readonly",
    "contact:contact:readonly_as_app",
];

const fn spec_of(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    scopes: &'static [&'static str],
    action: &'static str,
) -> EndpointSpec {
    EndpointSpec {
        name,
        method,
        path,
        limits: TIER_4,
        month: MonthClass::Counted,
        is_send: false,
        scopes,
        action,
    }
}

pub(crate) const TOKEN: EndpointSpec = EndpointSpec {
    limits: UNPUBLISHED,
    month: MonthClass::Exempt,
    ..spec_of(
        "auth.tenant_token",
        "POST",
        "/open-apis/auth/v3/tenant_access_token/internal",
        &[],
        "get an access token",
    )
};
pub(crate) const USER_TOKEN: EndpointSpec = EndpointSpec {
    month: MonthClass::Exempt,
    ..spec_of("oauth.token", "POST", "/open-apis/authen/v2/oauth/token", &[], "redeem the code of a login")
};
pub(crate) const USER_INFO: EndpointSpec = EndpointSpec {
    month: MonthClass::Exempt,
    ..spec_of("authen.user_info", "GET", "/open-apis/authen/v1/user_info", &[], "read who has signed in")
};
pub(crate) const CONNECTION: EndpointSpec = EndpointSpec {
    limits: UNPUBLISHED,
    month: MonthClass::Exempt,
    ..spec_of("socket.discover", "POST", "/callback/ws/endpoint", &[], "open the long connection")
};
pub(crate) const CONNECTION_COUNT: EndpointSpec = EndpointSpec {
    limits: &[limit(10, 1)],
    ..spec_of(
        "event.connection.get",
        "GET",
        "/open-apis/event/v1/connection",
        &[],
        "count the app's long connections",
    )
};
pub(crate) const BOT_INFO: EndpointSpec =
    spec_of("bot.info", "GET", "/open-apis/bot/v3/info", &[], "read the bot's own data");
pub(crate) const SCOPES: EndpointSpec = EndpointSpec {
    limits: SELDOM,
    ..spec_of(
        "application.scope.list",
        "GET",
        "/open-apis/application/v6/scopes",
        &[],
        "read the app's permissions",
    )
};
pub(crate) const BATCH_GET_ID: EndpointSpec = EndpointSpec {
    month: MonthClass::Exempt,
    ..spec_of(
        "contact.user.batch_get_id",
        "POST",
        "/open-apis/contact/v3/users/batch_get_id",
        &["contact:user.id:readonly"],
        "look accounts up by email and phone",
    )
};
pub(crate) const USERS: EndpointSpec = EndpointSpec {
    month: MonthClass::Exempt,
    ..spec_of(
        "contact.user.batch",
        "GET",
        "/open-apis/contact/v3/users/batch",
        READ_USERS,
        "read people's names",
    )
};
pub(crate) const CHATS: EndpointSpec =
    spec_of("im.chat.list", "GET", "/open-apis/im/v1/chats", READ_CHAT, "list the bot's chats");
pub(crate) const CHAT: EndpointSpec =
    spec_of("im.chat.get", "GET", "/open-apis/im/v1/chats/{}", READ_CHAT, "read the chat");
pub(crate) const CHAT_MEMBERS: EndpointSpec = spec_of(
    "im.chat.members.list",
    "GET",
    "/open-apis/im/v1/chats/{}/members",
    READ_MEMBERS,
    "list the chat's members",
);
pub(crate) const SEND_MESSAGE: EndpointSpec = EndpointSpec {
    is_send: true,
    ..spec_of("im.message.create", "POST", "/open-apis/im/v1/messages", SEND, "send the message")
};
pub(crate) const REPLY_MESSAGE: EndpointSpec = EndpointSpec {
    is_send: true,
    ..spec_of("im.message.reply", "POST", "/open-apis/im/v1/messages/{}/reply", SEND, "send the reply")
};
pub(crate) const MESSAGES: EndpointSpec =
    spec_of("im.message.list", "GET", "/open-apis/im/v1/messages", LIST_MESSAGES, "list the chat's messages");
pub(crate) const MESSAGE: EndpointSpec =
    spec_of("im.message.get", "GET", "/open-apis/im/v1/messages/{}", READ_MESSAGE, "read the message");
pub(crate) const PATCH_CARD: EndpointSpec = spec_of(
    "im.message.patch",
    "PATCH",
    "/open-apis/im/v1/messages/{}",
    &["im:message", "im:message:send_as_bot", "im:message:update"],
    "change the card",
);
pub(crate) const ADD_REACTION: EndpointSpec = spec_of(
    "im.reaction.create",
    "POST",
    "/open-apis/im/v1/messages/{}/reactions",
    REACT,
    "add the reaction",
);
pub(crate) const REACTIONS: EndpointSpec = spec_of(
    "im.reaction.list",
    "GET",
    "/open-apis/im/v1/messages/{}/reactions",
    READ_REACTIONS,
    "list the message's reactions",
);
pub(crate) const DELETE_REACTION: EndpointSpec = spec_of(
    "im.reaction.delete",
    "DELETE",
    "/open-apis/im/v1/messages/{}/reactions/{}",
    REACT,
    "remove the reaction",
);

/// Every endpoint that larkdeck calls.
pub const TABLE: &[EndpointSpec] = &[
    TOKEN,
    USER_TOKEN,
    USER_INFO,
    CONNECTION,
    CONNECTION_COUNT,
    BOT_INFO,
    SCOPES,
    BATCH_GET_ID,
    USERS,
    CHATS,
    CHAT,
    CHAT_MEMBERS,
    SEND_MESSAGE,
    REPLY_MESSAGE,
    MESSAGES,
    MESSAGE,
    PATCH_CARD,
    ADD_REACTION,
    REACTIONS,
    DELETE_REACTION,
];

/// The endpoint called `name`.
pub fn spec(name: &str) -> Option<&'static EndpointSpec> {
    TABLE.iter().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_paths_are_absolute() {
        for (at, spec) in TABLE.iter().enumerate() {
            assert!(spec.path.starts_with('/'), "{}", spec.name);
            assert_eq!(spec.method().as_str(), spec.method);
            assert!(TABLE.iter().skip(at + 1).all(|other| other.name != spec.name), "{}", spec.name);
        }
        assert_eq!(spec("im.message.create").map(|s| s.is_send), Some(true));
        assert_eq!(spec("nothing"), None);
    }

    #[test]
    fn tokens_and_contacts_are_free() {
        let exempt: Vec<_> = TABLE.iter().filter(|s| s.month == MonthClass::Exempt).map(|s| s.name).collect();
        assert_eq!(
            exempt,
            [
                "auth.tenant_token",
                "oauth.token",
                "authen.user_info",
                "socket.discover",
                "contact.user.batch_get_id",
                "contact.user.batch"
            ]
        );
    }
}
