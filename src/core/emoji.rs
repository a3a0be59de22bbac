//! Reactions: the platform's emoji types, and the character that looks most like each.
//!
//! The platform draws pictures of its own for about 180 types. Here each has one character of two cells: those
//! with a variation selector are of one cell in some terminals and of two in others, and break a line there.

/// The emoji types of the platform that have a character here, with it.
const PICTURES: &[(&str, &str)] = &[
    ("THUMBSUP", "👍"),
    ("ThumbsDown", "👎"),
    ("MinusOne", "👎"),
    ("OK", "👌"),
    ("DONE", "✅"),
    ("CheckMark", "✅"),
    ("Yes", "✅"),
    ("No", "❌"),
    ("CrossMark", "❌"),
    ("ERROR", "❌"),
    ("OnIt", "🏃"),
    ("Get", "🙋"),
    ("OneSecond", "⏳"),
    ("LGTM", "🆗"),
    ("THANKS", "🙏"),
    ("SALUTE", "🫡"),
    ("APPLAUSE", "👏"),
    ("CLAP", "👏"),
    ("PRAISE", "💯"),
    ("Hundred", "💯"),
    ("MUSCLE", "💪"),
    ("STRIVE", "💪"),
    ("JIAYI", "🙌"),
    ("HIGHFIVE", "🙌"),
    ("FISTBUMP", "👊"),
    ("SHAKE", "🤝"),
    ("FINGERHEART", "🫰"),
    ("YouAreTheBest", "🤩"),
    ("SMILE", "🙂"),
    ("INNOCENTSMILE", "😇"),
    ("BLUSH", "😊"),
    ("JOYFUL", "😄"),
    ("LAUGH", "😆"),
    ("LOL", "😂"),
    ("CHUCKLE", "🤭"),
    ("SMIRK", "😏"),
    ("SMUG", "😏"),
    ("WINK", "😉"),
    ("PROUD", "😎"),
    ("SMART", "🤓"),
    ("WITTY", "😜"),
    ("TRICK", "😜"),
    ("TEASE", "😛"),
    ("TONGUE", "😛"),
    ("YEAH", "🥳"),
    ("LOVE", "😍"),
    ("OBSESSED", "😍"),
    ("KISS", "😘"),
    ("SMOOCH", "😘"),
    ("HUG", "🤗"),
    ("COMFORT", "🤗"),
    ("THINKING", "🤔"),
    ("GLANCE", "👀"),
    ("LOOKDOWN", "🙄"),
    ("WHAT", "🤨"),
    ("SILENT", "🤐"),
    ("SHHH", "🤫"),
    ("DULL", "😐"),
    ("SPEECHLESS", "😶"),
    ("EMBARRASSED", "😅"),
    ("SWEAT", "😓"),
    ("FACEPALM", "🤦"),
    ("FROWN", "🙁"),
    ("Sigh", "😮"),
    ("WOW", "😮"),
    ("SHOCKED", "😱"),
    ("TERROR", "😱"),
    ("PETRIFIED", "😨"),
    ("CRY", "😢"),
    ("TEARS", "🥲"),
    ("WHIMPER", "🥺"),
    ("WRONGED", "🥺"),
    ("SOB", "😭"),
    ("WAIL", "😭"),
    ("BLUBBER", "😭"),
    ("ANGRY", "😠"),
    ("SCOWL", "😡"),
    ("CRAZY", "🤪"),
    ("DIZZY", "😵"),
    ("DROOL", "🤤"),
    ("SLEEP", "😴"),
    ("DROWSY", "🥱"),
    ("YAWN", "🥱"),
    ("SICK", "🤒"),
    ("PUKE", "🤮"),
    ("RAINBOWPUKE", "🤮"),
    ("SKULL", "💀"),
    ("HAMMER", "🔨"),
    ("HUSKY", "🐶"),
    ("BEAR", "🐻"),
    ("BULL", "🐂"),
    ("WAVE", "👋"),
    ("Typing", "💬"),
    ("HEART", "💗"),
    ("HEARTBROKEN", "💔"),
    ("ROSE", "🌹"),
    ("PARTY", "🎉"),
    ("FIREWORKS", "🎆"),
    ("GIFT", "🎁"),
    ("CAKE", "🎂"),
    ("BEER", "🍺"),
    ("Coffee", "☕"),
    ("BubbleTea", "🧋"),
    ("Lemon", "🍋"),
    ("MONEY", "🤑"),
    ("REDPACKET", "🧧"),
    ("Alarm", "⏰"),
    ("Pin", "📌"),
    ("Loudspeaker", "📢"),
    ("Trophy", "🏆"),
    ("Fire", "🔥"),
    ("BOMB", "💣"),
    ("POOP", "💩"),
    ("Music", "🎵"),
];

/// Reactions that a person chooses from: what is said in an incident.
pub const CHOICES: [&str; 12] = [
    "THUMBSUP",
    "OK",
    "DONE",
    "OnIt",
    "Get",
    "GLANCE",
    "THANKS",
    "APPLAUSE",
    "HEART",
    "CRY",
    "Alarm",
    "CrossMark",
];

/// The character for an emoji type; types are told apart without case, as the platform's own documents are
/// not of one mind about it.
pub fn picture_of(emoji_type: &str) -> Option<&'static str> {
    PICTURES.iter().find(|(name, _)| name.eq_ignore_ascii_case(emoji_type)).map(|(_, picture)| *picture)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::text::width;

    #[test]
    fn every_picture_takes_two_cells_and_every_choice_has_one() {
        for (name, picture) in PICTURES {
            assert_eq!(width(picture), 2, "{name} {picture}");
        }
        let names: BTreeSet<String> = PICTURES.iter().map(|(name, _)| name.to_lowercase()).collect();
        assert_eq!(names.len(), PICTURES.len());
        assert!(CHOICES.iter().all(|name| picture_of(name).is_some()));
        assert_eq!(picture_of("facepalm"), Some("🤦"));
        assert_eq!(picture_of("\u{1b}[2J"), None);
    }
}
