//! The roles that things on screen play.

use ratatui::style::Modifier;

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident $text:literal -> $fallback:ident, $mono:expr, $kind:ident;)*) => {
        /// What something on screen is, as far as its looks go.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role { $($(#[$doc])* $name,)* }

        impl Role {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in theme files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Where it looks for what a theme does not give it.
            pub const fn fallback(self) -> Option<Self> {
                let to = match self { $(Self::$name => Self::$fallback,)* };
                if to as usize == self as usize { None } else { Some(to) }
            }

            /// How it stands out without colour.
            pub const fn mono(self) -> Modifier {
                match self { $(Self::$name => $mono,)* }
            }

            /// Whether text is written in it, which then has to be readable.
            pub const fn is_text(self) -> bool {
                matches!(match self { $(Self::$name => Kind::$kind,)* }, Kind::Words)
            }
        }
    };
}

enum Kind {
    Words,
    Surface,
}

const PLAIN: Modifier = Modifier::empty();
const BOLD: Modifier = Modifier::BOLD;
const DIM: Modifier = Modifier::DIM;
const REVERSED: Modifier = Modifier::REVERSED;
const UNDERLINED: Modifier = Modifier::UNDERLINED;

roles! {
    /// The empty screen.
    Ground "ground" -> Ground, PLAIN, Surface;
    /// Text.
    Text "text" -> Text, PLAIN, Words;
    /// Text that matters less: units, times, explanations.
    Dim "text.dim" -> Text, DIM, Words;
    /// Text that matters more.
    Strong "text.strong" -> Text, BOLD, Words;
    /// The one accent: what is active.
    Accent "accent" -> Text, BOLD, Words;
    /// Title of a pane, a column or a popup.
    Title "title" -> Dim, BOLD, Words;
    /// Lines that separate.
    Border "border" -> Dim, DIM, Surface;
    /// Lines around what has the keys.
    BorderFocus "border.focus" -> Accent, PLAIN, Surface;
    /// The selected row of what has the keys.
    Selection "selection" -> Selection, REVERSED, Surface;
    /// The selected row of what has not.
    SelectionIdle "selection.idle" -> Selection, UNDERLINED, Surface;
    /// What has not been read.
    Unread "unread" -> Strong, BOLD, Words;
    /// Somebody speaks to you.
    Mention "mention" -> Accent, BOLD, Words;
    /// Good.
    Ok "ok" -> Text, PLAIN, Words;
    /// To be looked at.
    Warn "warn" -> Text, BOLD, Words;
    /// Wrong.
    Error "error" -> Warn, BOLD, Words;
    /// A number on the header, a count on a tab.
    Badge "badge" -> Accent, REVERSED, Words;
    /// The tab of the pane in front.
    TabActive "tab.active" -> Accent, REVERSED, Words;
    /// A key in the footer.
    Key "key" -> Accent, BOLD, Words;
    /// A URL.
    Link "link" -> Accent, UNDERLINED, Words;
    /// Code, ids, file names.
    Code "code" -> Text, PLAIN, Words;
    /// The line at the first unread message.
    Divider "divider" -> Unread, BOLD, Words;
    /// The line where a gap was repaired.
    Seam "seam" -> Dim, DIM, Words;
    /// A card of a bot that is still being written.
    Streaming "streaming" -> Accent, BOLD, Words;
    /// The filled part of a gauge.
    Gauge "gauge" -> Accent, PLAIN, Surface;
    /// The same when it gets short.
    GaugeWarn "gauge.warn" -> Warn, BOLD, Surface;
    /// The same when it is used up.
    GaugeFull "gauge.full" -> Error, BOLD, Surface;
    /// The empty part of a gauge.
    GaugeRest "gauge.rest" -> Border, DIM, Surface;
    /// Ground of what lies over the pane.
    Popup "popup" -> Popup, PLAIN, Surface;
    /// Ground of a field to type in.
    Input "input" -> Popup, PLAIN, Surface;
    /// Dark modules of a QR code, on light ones: cameras want it that way round.
    Qr "qr" -> Text, REVERSED, Surface;
    /// Names of senders.
    Sender1 "sender.1" -> Strong, BOLD, Words;
    /// Names of senders.
    Sender2 "sender.2" -> Strong, BOLD, Words;
    /// Names of senders.
    Sender3 "sender.3" -> Strong, BOLD, Words;
    /// Names of senders.
    Sender4 "sender.4" -> Strong, BOLD, Words;
    /// Names of senders.
    Sender5 "sender.5" -> Strong, BOLD, Words;
    /// Names of senders.
    Sender6 "sender.6" -> Strong, BOLD, Words;
    /// Names of senders.
    Sender7 "sender.7" -> Strong, BOLD, Words;
    /// Names of senders.
    Sender8 "sender.8" -> Strong, BOLD, Words;
}

/// The roles of senders' names.
pub const SENDERS: [Role; 8] = [
    Role::Sender1,
    Role::Sender2,
    Role::Sender3,
    Role::Sender4,
    Role::Sender5,
    Role::Sender6,
    Role::Sender7,
    Role::Sender8,
];

impl Role {
    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }

    /// The name most like `name`, when one is like it at all.
    pub fn nearest(name: &str) -> Option<&'static str> {
        let near = Self::ALL.iter().map(|role| (distance(role.name(), name), role.name())).min()?;
        (near.0 <= 3).then_some(near.1)
    }
}

/// Edits from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        for (cell, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let cost = (diagonal + usize::from(a != b)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_end_and_names_come_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(*role));
            let mut steps = 0;
            let mut at = *role;
            while let Some(next) = at.fallback() {
                at = next;
                steps += 1;
                assert!(steps < 8, "{role:?} falls back for ever");
            }
        }
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("text.dim", "txt.dim"), 1);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(Role::nearest("selectoin"), Some("selection"));
        assert_eq!(Role::nearest("zzzzzzzzz"), None);
    }
}
