//! What lies over the panes.

use tui_input::Input;

use super::MemberDetail;
use crate::{
    app::{
        command::{Command, Risk},
        effect::EffectId,
        event::{CheckReport, ConsolesView, LinkOutcome, LinkPlan, LinkProgress, Place, PressVerdict},
    },
    core::{
        error::Fault,
        ids::{ChatId, IntegrationId, MemberId, MessageId},
        integration::{ImKind, Receive},
        lang::Phrase,
        operation::Operation,
        secret::Secret,
        text::SafeText,
    },
};

/// Something that lies over the pane and has the keys.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// The keys of this place, from the keymap.
    Help(Help),
    /// All commands, found by typing.
    Palette(Palette),
    /// Adding or changing an integration.
    Form(Box<Form>),
    /// A question.
    Confirm(Box<Confirm>),
    /// Linking: preview, progress, result.
    Link(Box<LinkFlow>),
    /// A member in full.
    Member(Box<MemberDetail>),
    /// An operation in full, and the first row on screen.
    Operation(Box<Operation>, u16),
    /// A fault in full, and the first row on screen.
    Fault(Box<Fault>, u16),
    /// What would come of a press, and the first row on screen.
    Press(Box<PressVerdict>, u16),
    /// What a check found.
    Check(Box<CheckState>),
    /// Who is connected, once it is known, and the first row on screen.
    Consoles(Option<Box<ConsolesView>>, u16),
    /// A URL for a phone.
    Qr(Qr),
    /// Text to select with the terminal's own means.
    Plain(PlainText),
    /// Choosing a reaction.
    React(React),
}

impl Overlay {
    /// A rough name, for tests and traces.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Help(_) => "help",
            Self::Palette(_) => "palette",
            Self::Form(_) => "form",
            Self::Confirm(_) => "confirm",
            Self::Link(_) => "link",
            Self::Member(_) => "member",
            Self::Operation(..) => "operation",
            Self::Fault(..) => "fault",
            Self::Press(..) => "press",
            Self::Check(_) => "check",
            Self::Consoles(..) => "consoles",
            Self::Qr(_) => "qr",
            Self::Plain(_) => "plain",
            Self::React(_) => "react",
        }
    }
}

/// The help overlay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Help {
    /// Rows, generated from the keymap when it was opened.
    pub rows: Vec<HelpRow>,
    /// First row on screen.
    pub scroll: u16,
}

/// A row of the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelpRow {
    /// Begins the keys of a place.
    Title(Phrase),
    /// A command.
    Entry {
        /// Its keys, as text.
        keys: String,
        /// What it is called.
        label: Phrase,
        /// What it does.
        help: Phrase,
        /// Why it cannot be used now.
        disabled: Option<Phrase>,
        /// Whether it changes anything.
        risk: Risk,
    },
}

impl HelpRow {
    /// Why the command cannot be used now.
    pub const fn disabled(&self) -> Option<Phrase> {
        match self {
            Self::Entry { disabled, .. } => *disabled,
            Self::Title(_) => None,
        }
    }
}

/// The command palette.
#[derive(Debug, Clone)]
pub struct Palette {
    /// What is typed.
    pub input: Input,
    /// Commands that match, best first.
    pub rows: Vec<PaletteRow>,
    /// The selected row.
    pub selected: usize,
}

/// A row of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaletteRow {
    /// The command.
    pub command: Command,
    /// Its keys, as text; empty where it has none.
    pub keys: String,
    /// Why it cannot be used now.
    pub disabled: Option<Phrase>,
}

/// The form of an integration.
#[derive(Debug, Clone)]
pub struct Form {
    /// The one that is changed; `None` adds one.
    pub edit: Option<IntegrationId>,
    /// The platform; a choice, moved by left and right.
    pub kind: ImKind,
    /// How events come in; a choice.
    pub receive: Receive,
    /// The five fields (R18), in order.
    pub fields: [FormField; 5],
    /// The field that has the keys.
    pub focus: Field,
    /// What the platform or the store said to the last attempt.
    pub fault: Option<Box<Fault>>,
    /// Being saved: the keys are asleep.
    pub is_saving: bool,
    /// Ask the platform before saving.
    pub check: bool,
}

/// A place of the form that can have the keys, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The platform.
    Kind,
    /// `Name`.
    Name,
    /// `App ID`.
    AppId,
    /// `App Secret`.
    AppSecret,
    /// `Verification Token`.
    VerificationToken,
    /// `Encrypt Key`.
    EncryptKey,
    /// How events come in.
    Receive,
    /// Check before saving.
    Check,
    /// The button.
    Save,
}

/// A text field of the form.
#[derive(Debug, Clone)]
pub struct FormField {
    /// Which.
    pub field: Field,
    /// What is typed.
    pub input: Input,
    /// Show dots instead of it.
    pub is_secret: bool,
    /// A value is stored already; left empty, it stays.
    pub is_kept: bool,
    /// What is wrong with it.
    pub error: Option<Phrase>,
    /// Worth knowing, though it can be saved.
    pub warning: Option<Phrase>,
}

impl FormField {
    /// What may be shown of the value: dots for secrets.
    pub fn shown(&self) -> String {
        if self.is_secret {
            "•".repeat(self.input.value().chars().count())
        } else {
            self.input.value().to_owned()
        }
    }

    /// The value as a secret; `None` where it is empty.
    pub fn secret(&self) -> Option<Secret> {
        Some(Secret::new(self.input.value())).filter(|secret| !secret.is_empty())
    }
}

/// A question that keeps a command from happening by itself.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// What would happen, with the target's name in it.
    pub title: String,
    /// What follows from it, line by line.
    pub lines: Vec<String>,
    /// `Destroy` never takes Enter: `y`, or the name typed.
    pub risk: Risk,
    /// The name that has to be typed; `None`: `y` is enough.
    pub typed_name: Option<(SafeText, Input)>,
    /// What is to be done. Frozen when the question was asked.
    pub ask: ConfirmAsk,
}

/// What a question is about. The targets are those of the moment when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfirmAsk {
    /// Remove an integration.
    RemoveIntegration(IntegrationId),
    /// Switch War Room on or off.
    SetWarRoom(IntegrationId, bool),
    /// Go to the integration that has War Room.
    JumpTo(IntegrationId),
    /// Unlink members.
    Unlink(IntegrationId, Vec<MemberId>),
    /// Undo the latest links, or those of a run.
    UndoLink(IntegrationId, Option<String>),
    /// Put a large paste into the composer.
    Paste(ChatId, String),
    /// Take a message out of the outbox.
    DiscardSend(ChatId, String),
    /// Lift read-only.
    AllowWrites,
    /// Stop linking.
    CancelLink(EffectId),
}

/// Linking, from the preview to the results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFlow {
    /// Links to this one.
    pub integration: IntegrationId,
    /// Who; `None` for all that are unlinked.
    pub members: Option<Vec<MemberId>>,
    /// Who, in words, when it is one member.
    pub who: Option<SafeText>,
    /// How far it is.
    pub stage: LinkStage,
    /// Selected row of the results, and the first one on screen.
    pub selected: usize,
    /// First row of the results on screen.
    pub top: usize,
}

/// How far linking is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStage {
    /// The plan is awaited.
    Planning,
    /// Shown; nothing has happened yet. Enter begins.
    Preview(LinkPlan),
    /// Under way.
    Running(LinkPlan, LinkProgress),
    /// Over.
    Finished(Box<LinkOutcome>),
    /// It failed as a whole.
    Failed(Box<Fault>),
}

/// What a check of an integration found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckState {
    /// Which.
    pub integration: IntegrationId,
    /// Its name.
    pub name: SafeText,
    /// The lines; `None` while it runs.
    pub report: Option<CheckReport>,
    /// First row on screen.
    pub scroll: u16,
}

/// A URL as a QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qr {
    /// What the URL is.
    pub label: Phrase,
    /// The URL.
    pub url: String,
}

/// Plain text without borders, to select with the terminal's own means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainText {
    /// The text.
    pub text: SafeText,
    /// First row on screen.
    pub scroll: u16,
}

/// Choosing a reaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct React {
    /// Where.
    pub chat_id: ChatId,
    /// To which message.
    pub message: Place,
    /// Its id again, for the effect.
    pub message_id: MessageId,
    /// Who wrote it and how it begins.
    pub excerpt: SafeText,
    /// The selected one of [`CHOICES`](crate::core::emoji::CHOICES).
    pub selected: usize,
}
