//! Reactions to messages.

use serde_json::{Value, json};

use super::{Call, Refusal, Reply, Spec, page, page_body, refuse};
use crate::sim::{
    people::IdType,
    world::{Actor, Reaction, World},
};

const WRITE: &[&str] = &["im:message", "im:message.reactions:write_only"];
const READ: &[&str] = &["im:message.reactions:read", "im:message:readonly"];

pub(super) const SPECS: &[Spec] = &[
    Spec::new("im.reaction.create", "POST", "im/v1/messages/:message_id/reactions", WRITE, create),
    Spec::new("im.reaction.list", "GET", "im/v1/messages/:message_id/reactions", READ, list),
    Spec::new(
        "im.reaction.delete",
        "DELETE",
        "im/v1/messages/:message_id/reactions/:reaction_id",
        WRITE,
        delete,
    ),
];

/// The emoji types that are known here, out of about 180.
const EMOJI: &[&str] = &[
    "OK",
    "THUMBSUP",
    "THANKS",
    "MUSCLE",
    "FINGERHEART",
    "APPLAUSE",
    "FISTBUMP",
    "JIAYI",
    "DONE",
    "SMILE",
    "BLUSH",
    "LAUGH",
    "SMIRK",
    "LOL",
    "FACEPALM",
    "LOVE",
    "WINK",
    "PROUD",
    "WITTY",
    "SMART",
    "SCOWL",
    "THINKING",
    "SOB",
    "CRY",
    "ERROR",
    "NOSEPICK",
    "HAUGHTY",
    "SLAP",
    "SPITBLOOD",
    "TOASTED",
    "GLANCE",
    "DULL",
    "INNOCENTSMILE",
    "JOYFUL",
    "WOW",
    "TRICK",
    "YEAH",
    "ENOUGH",
    "TEARS",
    "EMBARRASSED",
    "KISS",
    "SMOOCH",
    "DROOL",
    "OBSESSED",
    "MONEY",
    "TEASE",
    "SHOWOFF",
    "COMFORT",
    "CLAP",
    "PRAISE",
    "STRIVE",
    "XBLUSH",
    "SILENT",
    "WAVE",
    "WHAT",
    "FROWN",
    "SHY",
    "DIZZY",
    "LOOKDOWN",
    "CHUCKLE",
    "WAIL",
    "CRAZY",
    "WHIMPER",
    "HUG",
    "BLUBBER",
    "WRONGED",
    "HUSKY",
    "SHHH",
    "SMUG",
    "ANGRY",
    "HAMMER",
    "SHOCKED",
    "TERROR",
    "PETRIFIED",
    "SKULL",
    "SWEAT",
    "SPEECHLESS",
    "SLEEP",
    "DROWSY",
    "YAWN",
    "SICK",
    "PUKE",
    "BETRAYED",
    "HEADSET",
    "EatingFood",
    "MeMeMe",
    "Sigh",
    "Typing",
    "Lemon",
    "Get",
    "LGTM",
    "OnIt",
    "OneSecond",
    "VRHeadset",
    "YouAreTheBest",
    "SALUTE",
    "SHAKE",
    "HIGHFIVE",
    "UPPERLEFT",
    "ThumbsDown",
    "SLIGHT",
    "TONGUE",
    "EYESCLOSED",
    "RoarForYou",
    "CALF",
    "BEAR",
    "BULL",
    "RAINBOWPUKE",
    "ROSE",
    "HEART",
    "PARTY",
    "LIPS",
    "BEER",
    "CAKE",
    "GIFT",
    "CUCUMBER",
    "Drumstick",
    "Pepper",
    "CANDIEDHAWS",
    "BubbleTea",
    "Coffee",
    "Yes",
    "No",
    "OKR",
    "CheckMark",
    "CrossMark",
    "MinusOne",
    "Hundred",
    "AWESOMEN",
    "Pin",
    "Alarm",
    "Loudspeaker",
    "Trophy",
    "Fire",
    "BOMB",
    "Music",
    "XmasTree",
    "Snowman",
    "XmasHat",
    "FIREWORKS",
    "2022",
    "REDPACKET",
    "FORTUNE",
    "LUCK",
    "FIRECRACKER",
    "StickyRiceBalls",
    "HEARTBROKEN",
    "POOP",
    "StatusFlashOfInspiration",
    "18X",
    "CLEAVER",
    "Soccer",
    "Basketball",
    "GeneralDoNotDisturb",
    "Status_PrivateMessage",
    "GeneralInMeetingBusy",
    "StatusReading",
    "StatusInFlight",
    "GeneralBusinessTrip",
    "GeneralWorkFromHome",
    "StatusEnjoyLife",
    "GeneralTravellingCar",
    "StatusBus",
    "GeneralSun",
    "GeneralMoonRest",
];

fn object(world: &World, app: usize, reaction: &Reaction, id_type: IdType) -> Value {
    let (id, kind) = match reaction.who {
        Actor::Person(no) => (world.person_id(app, no, id_type), "user"),
        Actor::App(bot) => (world.app_id(bot).to_owned(), "app"),
        Actor::System => (String::new(), "user"),
    };
    json!({
        "reaction_id": reaction.id,
        "operator": {"operator_id": id, "operator_type": kind},
        "action_time": reaction.at_ms.to_string(),
        "reaction_type": {"emoji_type": reaction.emoji},
    })
}

fn message(world: &World, call: &Call) -> Result<usize, Refusal> {
    let no = world.message_of(call).map_err(|refusal| match refusal.code {
        230_001 => refuse(231_003),
        230_002 => refuse(231_008),
        _ => refusal,
    })?;
    match world.messages.get(no) {
        Some(message) if !message.is_deleted => {
            let is_open = world.chats.get(message.chat).is_some_and(crate::sim::world::Chat::is_open);
            if is_open { Ok(no) } else { Err(refuse(232_009)) }
        }
        _ => Err(refuse(231_003)),
    }
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let emoji =
        call.body.pointer("/reaction_type/emoji_type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let no = message(world, call)?;
    if !EMOJI.contains(&emoji.as_str()) {
        return Err(refuse(231_001));
    }
    let reaction = world.react(no, Actor::App(call.app), &emoji, true).ok_or_else(|| refuse(231_003))?;
    Ok(Reply::Data(object(world, call.app, &reaction, IdType::Open)))
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id_type = call.id_type("user_id_type")?;
    let no = message(world, call)?;
    let emoji = call.query("reaction_type");
    let all: Vec<&Reaction> = world
        .messages
        .get(no)
        .into_iter()
        .flat_map(|message| &message.reactions)
        .filter(|reaction| emoji.is_empty() || reaction.emoji == emoji)
        .collect();
    let (places, next) = page(&all, call.query("page_token"), call.page_size(20, 50)?, 231_012)?;
    let items = places
        .into_iter()
        .filter_map(|at| all.get(at))
        .map(|it| object(world, call.app, it, id_type))
        .collect();
    Ok(Reply::Data(page_body(items, next)))
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = message(world, call)?;
    let id = call.param(1).to_owned();
    let found =
        world.messages.get(no).and_then(|it| it.reactions.iter().find(|reaction| reaction.id == id).cloned());
    let Some(reaction) = found else {
        let is_elsewhere =
            world.messages.iter().any(|it| it.reactions.iter().any(|reaction| reaction.id == id));
        return Err(refuse(if is_elsewhere { 231_010 } else { 231_011 }));
    };
    if reaction.who != Actor::App(call.app) {
        return Err(refuse(231_007));
    }
    world.unreact(no, &id);
    Ok(Reply::Data(object(world, call.app, &reaction, IdType::Open)))
}
