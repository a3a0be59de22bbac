//! What the platform's numeric codes mean for larkdeck: one table (`feishu/limits` 5, `auth` 3, `im`,
//! `contact`, `longconn`; read 2026-05). Those of a login are in `auth` 4.

use crate::core::permit::LimitScope;

/// What to do about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Too fast: the limit named pauses, then again.
    Limited(LimitScope),
    /// The month's calls are used up.
    Exhausted,
    /// The access token is not taken: a new one, then again, once.
    Token,
    /// App ID or App Secret are wrong.
    Credentials,
    /// A scope or a right is missing.
    Permission,
    /// What was named does not exist.
    NotFound,
    /// Not done; worth trying again in a moment.
    Busy,
    /// Trouble inside: it may have been done. Worth trying again where that does no harm.
    Internal,
    /// Anything else: final.
    Final,
}

/// What to do about `code`.
pub(super) fn verdict(code: i64) -> Verdict {
    match code {
        99_991_400 => Verdict::Limited(LimitScope::Endpoint),
        230_020 | 232_019 => Verdict::Limited(LimitScope::Target),
        11_232 | 11_233 | 11_247 => Verdict::Limited(LimitScope::Sends),
        99_991_403 => Verdict::Exhausted,
        99_991_663 | 99_991_664 | 99_991_671 => Verdict::Token,
        10_012..=10_015 | 20_002 | 20_048 | 99_991_543 | 1_000_040_344 | 1_000_040_345 => {
            Verdict::Credentials
        }
        20_009 | 20_010 | 20_069 | 99_991_401 | 99_991_662 | 99_991_665 | 99_991_672 | 99_991_673
        | 99_991_676 | 99_991_679 | 10_002 | 10_030 | 11_205 | 11_240 | 40_004 | 40_014 | 41_050
        | 210_508 | 212_100 | 230_002 | 230_006 | 230_013 | 230_018 | 230_026 | 230_027 | 230_035
        | 230_050 | 230_053 | 231_002 | 231_008 | 231_018 | 231_021 | 231_022 | 232_010 | 232_011
        | 232_014 | 232_024 | 232_025 | 232_033 | 232_034 => Verdict::Permission,
        99_992_351..=99_992_360
        | 11_213
        | 11_231
        | 40_015
        | 41_012
        | 230_011
        | 230_019
        | 230_029
        | 230_034
        | 230_045
        | 230_110
        | 231_003
        | 231_004
        | 231_011
        | 232_006
        | 232_009 => Verdict::NotFound,
        20_072 | 200_810 | 230_049 | 231_015 | 232_068 => Verdict::Busy,
        1 | 1_500 | 2_200 | 5_000 | 20_050 | 40_003 | 300_120 | 1_000_040_343 => Verdict::Internal,
        _ => Verdict::Final,
    }
}

/// What a person can do about `code`; `None` where the platform's own words say all.
pub(super) fn advice(code: i64) -> Option<&'static str> {
    Some(match code {
        99_991_401 => {
            "Add this host's outgoing IP address to the app's IP allow list (Security Settings), or empty the list."
        }
        20_009 | 20_069 => "Publish a version of the app and have it approved and enabled, then try again.",
        20_010 => "Widen the app's visibility so that it includes this person, and publish a version.",
        20_071 => {
            "Put the integration's Redirect URL on the app's list of redirect URLs (Security Settings), exactly as it is shown."
        }
        20_021..=20_023 | 20_066 => {
            "Ask a tenant admin about this account: it has left, is frozen, or is not active."
        }
        99_991_662 | 99_991_673 | 232_034 => "Ask a tenant admin to enable the app, then try again.",
        212_100 => "Publish a version of the app and have it approved, then try again.",
        11_205 | 11_240 | 230_006 | 232_025 => {
            "Enable the Bot capability (Add App Capabilities) and publish a version."
        }
        10_002 | 10_030 | 230_002 | 231_008 | 232_011 => "Add the bot to the chat, then try again.",
        230_013 | 231_022 | 232_024 => {
            "Widen the app's visibility so that it includes this person, and publish a version."
        }
        40_004 | 40_014 | 41_050 => "Widen the app's contact data range and publish a version.",
        230_018 => "The chat lets only its owner and managers speak: ask one of them.",
        230_027 => {
            "Check the app's permissions (group messages need im:message.group_msg) and whether the chat is external."
        }
        230_035 => "The bot may not speak in this chat: ask its owner.",
        230_053 => "The person has blocked the bot: only that person can undo it.",
        230_011 | 230_110 => "The message is gone: nothing to do.",
        232_009 => "The chat was disbanded: its history stays here.",
        99_992_361 => "The id belongs to another app: link the member again.",
        230_022 | 230_028 => "The platform's content check refused the text: change it.",
        230_025 => "Shorten it: a text may have 150 KB, a post or card 30 KB.",
        1_000_040_350 => "The app has 50 connections already: stop the other programs that use it.",
        1_000_040_344 | 1_000_040_345 => "Check App ID and App Secret.",
        _ => return None,
    })
}
