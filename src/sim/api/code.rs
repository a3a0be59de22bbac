//! Refusals: code, HTTP status and text as the platform's pages list them (read 2026-05).

use serde_json::{Value, json};

use crate::sim::rate::Exceeded;

/// A call that is answered with an error.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Refusal {
    /// HTTP status.
    pub(in crate::sim) status: u16,
    /// The platform's code.
    pub(in crate::sim) code: i64,
    /// Its text.
    pub(in crate::sim) msg: String,
    /// Members of `error` besides the log id.
    pub(in crate::sim) detail: Option<Box<Value>>,
    /// Limit and reset, for the headers of a call that is limited.
    pub(in crate::sim) limited: Option<(u32, u64)>,
}

/// code, HTTP status, text.
const CODES: &[(i64, u16, &str)] = &[
    (9_499, 400, "Bad Request"),
    (10_002, 400, "Your request contains an invalid request parameter."),
    (10_003, 400, "invalid param"),
    (10_014, 400, "app unauthorized"),
    (10_015, 200, "wrong app secret"),
    (11_205, 200, "app do not have bot"),
    (20_005, 200, "The user access token passed is invalid. Please check the value"),
    (20_008, 200, "User not exist"),
    (20_021, 200, "User resigned"),
    (20_022, 200, "User frozen"),
    (40_001, 400, "param is invalid"),
    (40_004, 403, "no dept authority error"),
    (40_011, 400, "page size is invalid"),
    (40_012, 400, "page token is invalid error"),
    (41_012, 400, "user id invalid error"),
    (41_050, 400, "no user authority error"),
    (200_220, 400, "Failed to generate card content"),
    (200_510, 400, "Card streaming timeout"),
    (200_740, 400, "The card entity does not exist"),
    (200_750, 400, "The card entity has expired"),
    (200_770, 400, "UUID conflict"),
    (200_850, 400, "Card streaming timeout"),
    (200_860, 400, "Card content exceeds limit."),
    (230_001, 400, "Your request contains an invalid request parameter."),
    (230_002, 400, "The bot can not be outside the group."),
    (230_006, 400, "Bot ability is not activated."),
    (230_011, 400, "The message is recalled."),
    (230_012, 400, "Bot is NOT the sender of the message."),
    (230_013, 400, "Bot has NO availability to this user."),
    (230_017, 400, "Bot is NOT the owner of the resource."),
    (230_020, 400, "This operation triggers the frequency limit."),
    (230_025, 400, "The length of the message content reaches its limit."),
    (230_026, 400, "No permission to recall this message."),
    (230_027, 400, "Lack of necessary permissions."),
    (230_029, 400, "User has resigned."),
    (230_031, 400, "Message can only be modified within 14 days after sending."),
    (230_034, 400, "The receive_id is invalid."),
    (230_049, 400, "The message is being sent."),
    (230_054, 400, "This operation is not supported for this message type."),
    (230_055, 400, "The type of file upload does not match the type of message being sent."),
    (230_071, 400, "The operator is not the sender of the message."),
    (230_072, 400, "The message has reached the number of times it can be edited."),
    (230_073, 400, "The thread is invisible to the operator."),
    (230_099, 400, "Failed to create card content."),
    (230_110, 400, "Action unavailable as the message has been deleted."),
    (231_001, 400, "reaction type is invalid."),
    (231_003, 400, "The message is not found, maybe not exist or deleted."),
    (231_007, 400, "The operator has no permission to delete this reaction."),
    (231_008, 400, "The operator has no access to the message."),
    (231_010, 400, "The reaction does not belong to the message."),
    (231_011, 400, "The request has an invalid reaction_id."),
    (231_012, 400, "The request has an invalid pageToken."),
    (232_001, 400, "Your request contains an invalid request parameter."),
    (232_006, 400, "Your request specifies a chat_id which is invalid."),
    (232_009, 400, "Your request specifies a chat which has already been dissolved."),
    (232_011, 400, "Operator can NOT be out of the chat."),
    (232_013, 400, "You have reached the limit of maximum number of members a chat can have."),
    (232_016, 400, "Non-chat-owner or Non-chat-admin can only edit certain parts."),
    (
        232_017,
        400,
        "No Permission: If the operator is NOT owner or creator with the scope, the operator can NOT complete the request.",
    ),
    (232_019, 400, "The request has been rate limited."),
    (232_020, 400, "Name can NOT be less than two characters for public chats."),
    (232_021, 400, "Bot can NOT be found."),
    (
        232_024,
        400,
        "Users do not have the visibility of the app, or the operator does not have collaboration permissions with the target users.",
    ),
    (232_025, 400, "Bot ability is not activated."),
    (232_027, 400, "There are no valid members in the ID list specified in your request."),
    (232_035, 400, "Your request specifies an owner_id which is invalid."),
    (232_043, 400, "Your request contains unavailable ids."),
    (232_076, 400, "Can't kick chat owner."),
    (234_001, 400, "Invalid request param."),
    (234_003, 400, "File not in message."),
    (234_004, 400, "App not in chat."),
    (234_006, 400, "The file size exceed the max value."),
    (234_008, 400, "The app is not the resource sender"),
    (234_010, 400, "File's size can't be 0."),
    (234_011, 400, "Can't regonnize the image format."),
    (234_043, 400, "Unsupported message type."),
    (300_090, 400, "openid empty"),
    (300_301, 400, "Duplicate element_id in card component."),
    (300_302, 400, "update_multi property is false"),
    (300_303, 400, "Only schema 2.0 is supported"),
    (300_305, 400, "The number of card components exceeds 200"),
    (300_307, 400, "The card DSL is empty"),
    (300_309, 400, "Card streaming closed"),
    (300_310, 400, "Only update text"),
    (300_311, 400, "The current application does not have permission to update/use this card"),
    (300_312, 400, "Unable to update element tag"),
    (300_313, 400, "Failed to update element properties"),
    (300_314, 400, "Failed to delete element"),
    (300_315, 400, "Failed to add element"),
    (300_317, 400, "The sequence number for operating on the card did not increment consecutively"),
    (99_991_301, 405, "request method doesn't match"),
    (99_991_400, 429, "request trigger frequency limit"),
    (99_991_403, 429, "This month's API call quota has been exceeded"),
    (99_991_661, 400, "Missing access token for authorization. Please make a request with token attached."),
    (99_991_663, 400, "Invalid access token for authorization. Please make a request with token attached."),
    (99_991_668, 400, "Invalid access token for authorization. Please make a request with token attached."),
    (99_991_671, 400, "Invalid token: must start with t-/u-"),
    (99_992_351, 400, "Your request contains not existed id."),
    (99_992_361, 400, "open_id cross app"),
];

/// The refusal with this code.
pub(in crate::sim) fn refuse(code: i64) -> Refusal {
    let (status, msg) = CODES
        .iter()
        .find(|(known, _, _)| *known == code)
        .map_or((400, "error"), |(_, status, msg)| (*status, *msg));
    Refusal { status, code, msg: msg.to_owned(), detail: None, limited: None }
}

/// A field of the body that is not there.
pub(in crate::sim) fn missing_field(name: &str) -> Refusal {
    Refusal::field(name, "", &format!("{name} is required"))
}

impl Refusal {
    /// The same with another text.
    pub(in crate::sim) fn saying(mut self, msg: &str) -> Self {
        msg.clone_into(&mut self.msg);
        self
    }

    /// The same with another HTTP status.
    pub(in crate::sim) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// A field that does not validate.
    pub(in crate::sim) fn field(name: &str, value: &str, description: &str) -> Self {
        Self {
            status: 400,
            code: 99_992_402,
            msg: "field validation failed".to_owned(),
            detail: Some(Box::new(
                json!({"field_violations": [{"field": name, "value": value, "description": description}]}),
            )),
            limited: None,
        }
    }

    /// The app has none of the scopes of which one would do.
    pub(in crate::sim) fn missing_scopes(app_id: &str, scopes: &[&str]) -> Self {
        let list = scopes.join(", ");
        let url = format!(
            "https://open.feishu.cn/page/scope-apply?clientID={app_id}&scopes={}",
            scopes.join("%2C")
        );
        let violations: Vec<Value> = scopes
            .iter()
            .map(|scope| json!({"type": "action_scope_required", "subject": scope, "description": ""}))
            .collect();
        Self {
            status: 400,
            code: 99_991_672,
            msg: format!(
                "Access denied. One of the following scopes is required: [{list}].\
                 应用尚未开通所需的应用身份权限：[{list}]，点击链接申请并开通任一权限即可：{url}"
            ),
            detail: Some(Box::new(
                json!({"permission_violations": violations, "helps": [{"url": url, "description": ""}]}),
            )),
            limited: None,
        }
    }

    /// A rate limit of the gateway.
    pub(in crate::sim) fn too_fast(exceeded: Exceeded) -> Self {
        Self { limited: Some((exceeded.limit, exceeded.reset_s)), ..refuse(99_991_400) }
    }

    /// The body, with the log id where an `error` member belongs.
    pub(in crate::sim) fn body(&self, log_id: &str) -> Value {
        let mut error = self.detail.as_deref().cloned().unwrap_or_else(|| json!({}));
        if let Some(error) = error.as_object_mut() {
            error.insert("log_id".to_owned(), json!(log_id));
            error.insert(
                "troubleshooter".to_owned(),
                json!(format!("https://open.feishu.cn/search?log_id={log_id}&code={}", self.code)),
            );
        }
        json!({"code": self.code, "msg": self.msg, "error": error})
    }
}
