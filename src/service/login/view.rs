//! What the pages of a login are made from.

use std::time::Duration;

use crate::core::{
    error::Fault,
    ids::OpenId,
    integration::ImKind,
    member::{Link, Member},
    secret::Secret,
    time::Timestamp,
};

/// A cookie that a browser is to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCookie {
    /// Its name.
    pub name: String,
    /// Its value: letters that need no quoting.
    pub value: Secret,
    /// How long it is good.
    pub max_age: Duration,
}

/// A login that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginStart {
    /// Where the browser goes: a page of the platform.
    pub authorize_url: String,
    /// What binds the login to the browser.
    pub cookie: NewCookie,
}

/// What a browser comes back with from the platform.
#[derive(Debug, Clone, Copy)]
pub struct LoginBack<'a> {
    /// As it was given to the platform.
    pub state: &'a str,
    /// What the platform gave; empty where the person said no.
    pub code: &'a str,
    /// What the platform said instead; empty where it gave a code.
    pub error: &'a str,
    /// The cookie named by [`super::login_cookie`], where the browser has it.
    pub cookie: Option<&'a str>,
}

/// How a login ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginEnd {
    /// The browser has a session now.
    SignedIn {
        /// Its cookie.
        session: NewCookie,
        /// Whether the login made the link.
        is_new_link: bool,
    },
    /// It has not.
    Refused {
        /// Why.
        refusal: LoginRefusal,
        /// The name of the account, where it got that far. Foreign text.
        account: Option<String>,
    },
}

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The state was never given out here.
    StateUnknown,
    /// The login took too long.
    StateExpired,
    /// The login has come back before.
    StateUsed,
    /// The browser keeps no cookies, or the login began in another one.
    NoCookie,
    /// The login began in another browser.
    OtherBrowser,
    /// The person said no.
    Denied,
    /// The platform does not take the code: unknown, used, expired.
    CodeRefused(Fault),
    /// The platform does not let this account in: left, frozen, outside the app's visibility.
    AccountRefused(Fault),
    /// The account belongs to another tenant.
    OtherTenant,
    /// It could not be proven that the account belongs to the integration's tenant.
    TenantUnproven,
    /// No member has the account's email or phone.
    NoMember,
    /// The account's email and phone name more than one member.
    SeveralMembers,
    /// The member's other key belongs to another account.
    TwoPeople,
    /// The account is linked to another member.
    AccountTaken,
    /// The member is linked to another account.
    MemberTaken,
    /// The invitation is not good.
    Invitation(InvitationFlaw),
    /// This gateway changes nothing.
    ReadOnly,
    /// The app is not set up for logins: its secret, its redirect URL, its version.
    Setup(Fault),
    /// The platform cannot be reached, or is too busy.
    Platform(Fault),
}

/// What is wrong with an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationFlaw {
    /// It was never given out here, or somebody changed it.
    Unknown,
    /// It has ended.
    Expired,
    /// It was used, or the member is linked.
    Used,
    /// The member is no longer on the roster.
    MemberGone,
}

/// An invitation that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// Who is invited.
    pub member: Member,
    /// The link for that person alone.
    pub url: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What stands around every page of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFrame {
    /// The integration's name.
    pub name: String,
    /// The platform.
    pub kind: ImKind,
    /// The app's own name, where the platform has told it. Foreign text.
    pub app_name: Option<String>,
}

/// A visit with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The account that signed in.
    pub account: VisitAccount,
    /// The member it is linked to.
    pub member: Option<(Member, Link)>,
    /// What forms of this page carry.
    pub csrf: String,
    /// The cookie for the next visit, where it changes.
    pub session: Option<NewCookie>,
}

/// The account of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitAccount {
    /// As the app knows it.
    pub open_id: OpenId,
    /// Its name when it signed in. Foreign text.
    pub name: String,
    /// When it signed in.
    pub signed_in_at: Timestamp,
}

/// What came of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormEnd {
    /// Done.
    Done,
    /// The session has ended in the meantime.
    NoSession,
    /// The form is no page's of this session.
    Forged,
}

impl From<LoginRefusal> for LoginEnd {
    /// Refused before it was known who it is.
    fn from(refusal: LoginRefusal) -> Self {
        Self::Refused { refusal, account: None }
    }
}

impl LoginRefusal {
    /// Why, in a few words, for the operation log.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::StateUnknown => "the state of the login was never given out here",
            Self::StateExpired => "the login took too long",
            Self::StateUsed => "the login has come back before",
            Self::NoCookie => "the browser kept no cookie",
            Self::OtherBrowser => "the login began in another browser",
            Self::Denied => "the person said no",
            Self::CodeRefused(_) => "the platform does not take the code",
            Self::AccountRefused(_) => "the platform does not let the account in",
            Self::OtherTenant => "the account belongs to another tenant",
            Self::TenantUnproven => "it could not be proven that the account belongs to the tenant",
            Self::NoMember => "no member has the account's email or phone",
            Self::SeveralMembers => "the account's email and phone name more than one member",
            Self::TwoPeople => "the member's phone and email are two people",
            Self::AccountTaken => "the account is linked to another member",
            Self::MemberTaken => "the member is linked to another account",
            Self::Invitation(InvitationFlaw::Unknown) => "the invitation was never given out here",
            Self::Invitation(InvitationFlaw::Expired) => "the invitation has ended",
            Self::Invitation(InvitationFlaw::Used) => "the invitation was used",
            Self::Invitation(InvitationFlaw::MemberGone) => "the invited member is gone",
            Self::ReadOnly => "read-only: nobody is linked",
            Self::Setup(_) => "the app is not set up for logins",
            Self::Platform(_) => "the platform did not answer",
        }
    }

    /// What an admin can do about it, for the operation log.
    pub const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoMember => {
                "Correct the member's email or phone, or make an invitation: larkdeck link invite MEMBER. Without \
                 contact:user.email:readonly and contact:user.phone:readonly a login tells neither."
            }
            Self::SeveralMembers | Self::TwoPeople => {
                "Correct the email or phone of the members: each belongs to one person."
            }
            Self::AccountTaken | Self::MemberTaken => {
                "Unlink first, if the login is right: larkdeck unlink MEMBER."
            }
            Self::TenantUnproven => {
                "Widen the app's contact data range so that it includes this person, and publish a version."
            }
            Self::ReadOnly => "Start `larkdeck serve` with --write.",
            _ => return None,
        })
    }

    /// What the platform said, where it did.
    pub const fn fault(&self) -> Option<&Fault> {
        match self {
            Self::CodeRefused(fault)
            | Self::AccountRefused(fault)
            | Self::Setup(fault)
            | Self::Platform(fault) => Some(fault),
            _ => None,
        }
    }
}
