//! Team members and whether they are linked to an account of the platform.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    ids::{MemberId, OpenId},
    lang::{Lang, Phrase, phrase},
    time::Timestamp,
};

/// A team member, with the link to one integration's platform where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Of the roster; given by the import or made.
    pub id: MemberId,
    /// Foreign text, as all of the roster.
    pub name: String,
    /// Contact email.
    pub email: Option<String>,
    /// E.164: `+` and digits.
    pub phone: Option<String>,
    /// Team.
    pub team: Option<String>,
    /// The licence, where the source of the roster tells.
    pub licence: Option<Licence>,
    /// The linked account.
    pub link: Option<Link>,
    /// Why there is no link, as far as it is known.
    pub reason: Option<Reason>,
    /// When the platform was last asked about this member.
    pub looked_up_at: Option<Timestamp>,
}

/// A member's licence at the console (D11): it takes one to view and handle incidents, not to be told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Licence {
    /// The member's own.
    Fixed,
    /// Given for a cycle, and released with it.
    Temporary,
    /// Without one.
    None,
}

impl Licence {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fixed, Self::Temporary, Self::None];

    /// As commands, files and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Temporary => "temporary",
            Self::None => "none",
        }
    }

    /// In a word.
    pub const fn text(self) -> Phrase {
        match self {
            Self::Fixed => phrase("fixed", "固定"),
            Self::Temporary => phrase("temporary", "临时"),
            Self::None => phrase("none", "无"),
        }
    }
}

impl FromStr for Licence {
    type Err = String;

    /// Reads what [`Self::as_str`] or [`Self::text`] says.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let is_it = |one: &Self| one.as_str().eq_ignore_ascii_case(text) || one.text().get(Lang::Zh) == text;
        let found = Self::ALL.into_iter().find(is_it);
        found.ok_or_else(|| format!("{text:?} is no licence: fixed, temporary or none"))
    }
}

/// A link between a member and an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The account.
    pub open_id: OpenId,
    /// When it was made.
    pub linked_at: Timestamp,
    /// How it was made.
    pub origin: LinkOrigin,
}

/// How a link was made (R45: all are equal, but the origin is recorded).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkOrigin {
    /// One-Click Link.
    OneClick,
    /// The member signed in.
    Login,
    /// By hand, or by undo.
    Manual,
}

impl LinkOrigin {
    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneClick => "one_click",
            Self::Login => "login",
            Self::Manual => "manual",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::OneClick, Self::Login, Self::Manual].into_iter().find(|origin| origin.as_str() == text)
    }
}

/// The three filters (R39-R41).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// All team members.
    #[default]
    All,
    /// Those who are linked.
    Linked,
    /// Those who are not.
    Unlinked,
}

/// How many members each filter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemberCounts {
    /// All.
    pub all: u64,
    /// Linked.
    pub linked: u64,
}

impl MemberCounts {
    /// Not linked.
    pub const fn unlinked(self) -> u64 {
        self.all.saturating_sub(self.linked)
    }

    /// What `filter` shows.
    pub const fn of(self, filter: Filter) -> u64 {
        match filter {
            Filter::All => self.all,
            Filter::Linked => self.linked,
            Filter::Unlinked => self.unlinked(),
        }
    }
}

/// Who can put a reason right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fixer {
    /// The member.
    Member,
    /// Who runs larkdeck.
    Admin,
    /// Who runs the tenant.
    FeishuAdmin,
    /// Nobody has to: time does.
    Wait,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $code:literal $fixer:ident
        [$en:literal $zh:literal] [$fix_en:literal $fix_zh:literal];)*) => {
        /// Why a member is not linked (G1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable code, as JSON and the store write it.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Who can put it right.
            pub const fn fixer(self) -> Fixer {
                match self { $(Self::$name => Fixer::$fixer,)* }
            }

            /// In a few words.
            pub const fn text(self) -> Phrase {
                match self { $(Self::$name => phrase($en, $zh),)* }
            }

            /// What to do about it.
            pub const fn fix(self) -> Phrase {
                match self { $(Self::$name => phrase($fix_en, $fix_zh),)* }
            }
        }
    };
}

reasons! {
    /// Nobody has tried yet.
    NeverTried "never_tried" Admin ["not tried yet" "尚未尝试"]
        ["Run one-click linking." "执行一键绑定。"];
    /// Neither email nor phone.
    NoContact "no_contact" Admin ["no phone, no email" "没有手机号和邮箱"]
        ["Add a phone number or an email to the member." "为该成员补充手机号或邮箱。"];
    /// The contact is not verified.
    ContactUnverified "contact_unverified" Member ["contact not verified" "联系方式未验证"]
        ["The member verifies phone or email in the own profile." "请成员在个人资料中验证手机号或邮箱。"];
    /// The member has not joined yet.
    MemberPending "member_pending" Member ["invitation pending" "邀请待接受"]
        ["The member accepts the invitation first." "请成员先接受邀请。"];
    /// A phone outside mainland China without its country code.
    PhoneNeedsCountryCode "phone_needs_country_code" Admin ["phone lacks its country code" "手机号缺少国家/地区码"]
        ["Write the phone with + and the country code." "请以“+国家/地区码”的形式填写手机号。"];
    /// The platform knows neither key, and cannot say why.
    NotFound "not_found" Member ["not found by phone or email" "手机号和邮箱均未找到"]
        ["Check that phone or email matches the Feishu account (not an enterprise mailbox), or sign in once: Workspace → the app → Open App. The account may also be outside the app's contact range, or resigned."
         "请核对手机号或邮箱与飞书账号一致（企业邮箱不可用），或在工作台打开该应用登录一次。账号也可能不在应用的通讯录权限范围内，或已离职。"];
    /// An enterprise mailbox: the lookup refuses those.
    EnterpriseMailbox "enterprise_mailbox" Admin ["enterprise mailbox: needs phone" "企业邮箱：需要手机号"]
        ["Add the phone number: enterprise mailbox addresses are not looked up." "请补充手机号：企业邮箱无法用于查找。"];
    /// Outside the app's contact range.
    OutsideContactRange "outside_contact_range" FeishuAdmin ["outside the app's contact range" "不在应用的通讯录权限范围内"]
        ["Widen the app's contact data range and publish." "请扩大应用的通讯录权限范围并发布。"];
    /// Outside the app's visibility.
    NotVisible "not_visible" FeishuAdmin ["cannot see the app" "不在应用可用范围内"]
        ["Widen the app's visibility to all employees and publish." "请将应用可用范围设为全体成员并发布。"];
    /// Left the company.
    Resigned "resigned" Admin ["has left" "已离职"]
        ["Remove the member from the roster." "请将该成员移出名单。"];
    /// The account is frozen.
    Frozen "frozen" FeishuAdmin ["account is frozen" "账号已冻结"]
        ["Unfreeze the account." "请解冻该账号。"];
    /// The app lacks the scope.
    ScopeMissing "scope_missing" FeishuAdmin ["the app lacks contact:user.id:readonly" "应用缺少 contact:user.id:readonly"]
        ["Grant the scope contact:user.id:readonly and publish." "请授予 contact:user.id:readonly 权限并发布。"];
    /// The open_id is of another app.
    OtherApp "other_app" Admin ["account id of another app" "账号 ID 属于其他应用"]
        ["Unlink and link again with this integration." "请解绑后用本集成重新绑定。"];
    /// Phone and email find two people.
    ConflictTwoPeople "conflict_two_people" Admin ["phone and email are two people" "手机号与邮箱对应两个人"]
        ["Correct the phone or the email: they belong to different accounts." "请更正手机号或邮箱：二者属于不同账号。"];
    /// The account belongs to another member.
    AlreadyLinked "already_linked" Admin ["account linked to another member" "账号已绑定其他成员"]
        ["Unlink the other member first, or correct the contact data." "请先解绑另一成员，或更正联系方式。"];
    /// The member took the link away, on the page. Only a login, or an admin who names the member, links again.
    OptedOut "opted_out" Member ["unlinked by the member" "成员自行解除绑定"]
        ["The member signs in again: Workspace → the app → Open App. One-click linking leaves the member out; link the member by name if the member agrees."
         "请成员在工作台打开该应用重新登录。一键绑定会跳过该成员；成员同意后可单独绑定。"];
    /// A rate limit stood in the way.
    RateLimited "rate_limited" Wait ["rate limited" "被限流"]
        ["Run linking again in a minute." "请一分钟后再次执行绑定。"];
    /// The month is used up.
    QuotaExhausted "quota_exhausted" Wait ["month's calls used up" "本月调用量已用尽"]
        ["Wait for the 1st, or ask for a larger plan." "请等待每月 1 日重置，或升级套餐。"];
}

impl Reason {
    /// Reads what [`Self::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}
