//! Pages of what did not work: what it was, who can help, and how to start again.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::frame::{ALERT, Look, safe, sign};
use crate::{
    core::{
        error::Fault,
        lang::{Phrase, phrase},
    },
    service::login::{InvitationFlaw, LoginRefusal},
};

/// A way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Signing in once more, from the start.
    Again,
    /// The same, with another account.
    OtherAccount,
    /// None from here.
    Nothing,
}

/// Who can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Helper {
    /// The person alone.
    Nobody,
    /// Who runs larkdeck for the team.
    Team,
    /// Who runs the tenant.
    Tenant,
}

struct Told {
    status: StatusCode,
    title: Phrase,
    /// `{}` is the platform.
    text: Phrase,
    helper: Helper,
    /// What the helper does.
    help: Phrase,
    next: Next,
}

const NO_HELP: Phrase = phrase("", "");

const fn told(status: StatusCode, title: Phrase, text: Phrase, next: Next) -> Told {
    Told { status, title, text, helper: Helper::Nobody, help: NO_HELP, next }
}

impl Told {
    const fn by(self, helper: Helper, help: Phrase) -> Self {
        Self { helper, help, ..self }
    }
}

/// The status and the page of a login that was refused.
pub(super) fn page(look: &Look<'_>, refusal: &LoginRefusal, account: Option<&str>) -> (StatusCode, Markup) {
    let told = of(refusal);
    let title = told.title.fill(look.lang, &[&look.platform()]);
    let main = html! {
        div.sign { (sign(ALERT)) }
        h1 { (title) }
        p { (told.text.fill(look.lang, &[&look.platform()])) }
        @if *refusal == LoginRefusal::NoCookie { (open_in_client(look)) }
        @if told.helper != Helper::Nobody { (help(look, &told)) }
        (way_on(look, told.next))
        @if let Some(name) = account.map(safe).filter(|name| !name.trim().is_empty()) {
            p.fine { (phrase("Signed in as {}", "当前账号：{}").fill(look.lang, &[&name])) }
        }
        @if let Some(fault) = refusal.fault() { (technical(look, fault)) }
    };
    (told.status, look.page(&title, &main, None))
}

/// Where a browser that keeps no cookies is not needed.
fn open_in_client(look: &Look<'_>) -> Markup {
    html! {
        div.note {
            b { (phrase("Or open it in {}", "或在{}中打开").fill(look.lang, &[&look.platform()])) }
            (phrase("Workspace → search “{}” → Open App.", "工作台 → 搜索“{}” → 打开应用。").fill(look.lang, &[&look.app()]))
        }
    }
}

fn help(look: &Look<'_>, told: &Told) -> Markup {
    let who = match told.helper {
        Helper::Team => {
            phrase("Who can help: whoever runs larkdeck for your team", "谁能帮忙：团队的 larkdeck 管理员")
                .get(look.lang)
                .to_owned()
        }
        Helper::Tenant => {
            phrase("Who can help: the {} administrator of your organisation", "谁能帮忙：企业的{}管理员")
                .fill(look.lang, &[&look.platform()])
        }
        Helper::Nobody => String::new(),
    };
    html! { div.note { b { (who) } (told.help.fill(look.lang, &[&look.app()])) } }
}

fn way_on(look: &Look<'_>, next: Next) -> Markup {
    let label = match next {
        Next::Again => phrase("Start again", "重新开始"),
        Next::OtherAccount => phrase("Sign in again", "重新登录"),
        Next::Nothing => return html! {},
    };
    // Where somebody else has to do something first, signing in again is not what the page is about.
    html! { div.act { a.button.quiet[next == Next::OtherAccount] href="login" { (look.t(label)) } } }
}

/// For whoever is asked for help.
fn technical(look: &Look<'_>, fault: &Fault) -> Markup {
    html! {
        p.fine {
            @if let Some(code) = fault.code { (look.t(phrase("Code ", "错误码 "))) (code) }
            @if let Some(log_id) = &fault.log_id { " · " (look.t(phrase("log ", "日志 "))) (safe(log_id)) }
        }
    }
}

fn of(refusal: &LoginRefusal) -> Told {
    match refusal {
        LoginRefusal::StateUnknown
        | LoginRefusal::StateExpired
        | LoginRefusal::StateUsed
        | LoginRefusal::NoCookie
        | LoginRefusal::OtherBrowser
        | LoginRefusal::Denied
        | LoginRefusal::CodeRefused(_) => of_the_way(refusal),
        LoginRefusal::Invitation(flaw) => of_invitation(*flaw),
        LoginRefusal::ReadOnly | LoginRefusal::Setup(_) | LoginRefusal::Platform(_) => of_the_house(refusal),
        _ => of_account(refusal),
    }
}

/// What went wrong between here, the platform and the browser.
const fn of_the_way(refusal: &LoginRefusal) -> Told {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    match refusal {
        LoginRefusal::StateExpired => told(
            BAD,
            phrase("This sign-in took too long", "登录已超时"),
            phrase(
                "A sign-in is good for ten minutes. Nothing was changed.",
                "登录需在十分钟内完成。没有任何改动。",
            ),
            Next::Again,
        ),
        LoginRefusal::StateUsed => told(
            BAD,
            phrase("This sign-in was used already", "本次登录已使用过"),
            phrase(
                "Each works once. If you went back or reloaded the page, nothing is wrong.",
                "每次登录只能使用一次。如果你只是后退或刷新了页面，则一切正常。",
            ),
            Next::Again,
        ),
        LoginRefusal::NoCookie => told(
            BAD,
            phrase("Your browser kept no cookie", "浏览器没有保存 Cookie"),
            phrase(
                "A sign-in is bound to the browser that began it, by one cookie. None came back: cookies are switched off here, or the sign-in began in another app. Allow them for this page and start again.",
                "登录通过一个 Cookie 与发起它的浏览器绑定，但浏览器没有送回它：可能已禁用 Cookie，或登录是在其他应用中发起的。请为本页面启用 Cookie 后重新开始。",
            ),
            Next::Again,
        ),
        LoginRefusal::OtherBrowser => told(
            BAD,
            phrase("Another browser began this sign-in", "登录由另一个浏览器发起"),
            phrase(
                "For your safety it can only be finished where it began. If somebody sent you this link, do not use it: start your own.",
                "为了安全，登录只能在发起它的浏览器中完成。如果这个链接是别人发给你的，请不要使用，请自行重新登录。",
            ),
            Next::Again,
        ),
        LoginRefusal::Denied => told(
            StatusCode::FORBIDDEN,
            phrase("You did not agree", "你取消了授权"),
            phrase(
                "Nothing was linked and nothing was kept. Without signing in, messages cannot reach you in {}.",
                "没有关联，也没有保存任何信息。未登录时，消息无法通过{}送达你。",
            ),
            Next::Again,
        ),
        LoginRefusal::CodeRefused(_) => told(
            BAD,
            phrase("{} does not take this sign-in", "{}未接受本次登录"),
            phrase(
                "Its code is unknown, used or too old. Nothing was changed.",
                "授权码无效、已使用或已过期。没有任何改动。",
            ),
            Next::Again,
        ),
        _ => told(
            BAD,
            phrase("This sign-in is not known here", "无法识别本次登录"),
            phrase(
                "It did not begin on this page, or its address was changed on the way.",
                "登录不是从本页面发起的，或地址在途中被改动。",
            ),
            Next::Again,
        ),
    }
}

/// What is wrong about the account.
const fn of_account(refusal: &LoginRefusal) -> Told {
    const NO: StatusCode = StatusCode::FORBIDDEN;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    match refusal {
        LoginRefusal::AccountRefused(_) => told(
            NO,
            phrase("This account may not sign in", "该账号无法登录"),
            phrase(
                "{} does not let it in: it may have left, be frozen, or be outside the app's visibility.",
                "{}不允许该账号登录：可能已离职、被冻结，或不在应用可用范围内。",
            ),
            Next::OtherAccount,
        )
        .by(Helper::Tenant, phrase("They can widen the visibility of “{}”, or look at your account.", "请其扩大“{}”的可用范围，或检查你的账号。")),
        LoginRefusal::OtherTenant => told(
            NO,
            phrase("This account belongs to another organisation", "该账号属于其他企业"),
            phrase(
                "Switch accounts in {} (top-right menu), then sign in again.",
                "请在{}右上角菜单切换账号，然后重新登录。",
            ),
            Next::OtherAccount,
        ),
        LoginRefusal::TenantUnproven => told(
            NO,
            phrase("Your organisation could not be confirmed", "无法确认你所属的企业"),
            phrase("The app cannot see your account in {}.", "应用在{}中看不到你的账号。"),
            Next::Again,
        )
        .by(Helper::Tenant, phrase("They can widen the contact range of “{}” so that it includes you.", "请其扩大“{}”的通讯录权限范围，使其包含你。")),
        LoginRefusal::SeveralMembers => told(
            CONFLICT,
            phrase("Two members fit your account", "有多位成员与你的账号相符"),
            phrase(
                "The email and phone of your {} account are those of different members. Nobody was linked.",
                "你的{}账号的邮箱与手机号对应不同的成员。未进行关联。",
            ),
            Next::Nothing,
        )
        .by(Helper::Team, phrase("They can correct the list of the team, or send you an invitation.", "请其更正团队名单，或向你发送邀请链接。")),
        LoginRefusal::TwoPeople => told(
            CONFLICT,
            phrase("Your entry names two people", "你的成员信息对应两个人"),
            phrase(
                "On the list of the team, the email is yours and the phone belongs to another {} account, or the other way round. Nobody was linked.",
                "团队名单中，邮箱与手机号分属两个{}账号。未进行关联。",
            ),
            Next::Nothing,
        )
        .by(Helper::Team, phrase("They can correct your email or phone on the list.", "请其在名单中更正你的邮箱或手机号。")),
        LoginRefusal::AccountTaken => told(
            CONFLICT,
            phrase("Your account is linked to another member", "你的账号已关联其他成员"),
            phrase("Nothing was changed: a {} account is linked to one member.", "没有任何改动：一个{}账号只能关联一位成员。"),
            Next::OtherAccount,
        )
        .by(Helper::Team, phrase("If that is wrong, they can unlink the other member first.", "如有误，请其先解除另一位成员的关联。")),
        LoginRefusal::MemberTaken => told(
            CONFLICT,
            phrase("You are linked to another account", "你已关联另一个账号"),
            phrase(
                "Nothing was changed. Switch to that account in {} (top-right menu) and sign in again.",
                "没有任何改动。请在{}右上角菜单切换到该账号后重新登录。",
            ),
            Next::OtherAccount,
        )
        .by(Helper::Team, phrase("If this account is the right one, they can unlink the other first.", "如果应使用当前账号，请其先解除原有关联。")),
        _ => told(
            NO,
            phrase("You are not on the list of the team", "团队名单中没有找到你"),
            phrase(
                "No member has the email or phone of your {} account.",
                "没有成员的邮箱或手机号与你的{}账号一致。",
            ),
            Next::OtherAccount,
        )
        .by(Helper::Team, phrase("They can correct your email or phone on the list, or send you an invitation.", "请其在名单中更正你的邮箱或手机号，或向你发送邀请链接。")),
    }
}

const fn of_invitation(flaw: InvitationFlaw) -> Told {
    const GONE: StatusCode = StatusCode::GONE;
    const NEW: Phrase = phrase("They can send you a new invitation.", "请其重新发送邀请链接。");
    match flaw {
        InvitationFlaw::Unknown => told(
            StatusCode::NOT_FOUND,
            phrase("This invitation is not known here", "无法识别该邀请"),
            phrase("Its address is incomplete, or was changed on the way.", "链接不完整，或在途中被改动。"),
            Next::Nothing,
        )
        .by(Helper::Team, NEW),
        InvitationFlaw::Expired => told(
            GONE,
            phrase("This invitation has ended", "邀请已过期"),
            phrase("An invitation is good for a week.", "邀请的有效期为一周。"),
            Next::Nothing,
        )
        .by(Helper::Team, NEW),
        InvitationFlaw::Used => told(
            GONE,
            phrase("This invitation was used already", "邀请已使用过"),
            phrase(
                "Each works once. If it was you, all is well: sign in to see your link.",
                "每个邀请只能使用一次。如果是你本人使用的，则一切正常，登录即可查看关联。",
            ),
            Next::OtherAccount,
        )
        .by(
            Helper::Team,
            phrase(
                "If it was not you, tell them: they see who it was and can undo it.",
                "如果不是你本人，请告知其：对方可以查看是谁，并可撤销。",
            ),
        ),
        InvitationFlaw::MemberGone => told(
            GONE,
            phrase("The invited member is gone", "受邀成员已不在名单中"),
            phrase(
                "The list of the team has changed since the invitation was made.",
                "邀请发出后，团队名单已更改。",
            ),
            Next::Nothing,
        )
        .by(Helper::Team, NEW),
    }
}

/// What is wrong with larkdeck, the app or the platform.
const fn of_the_house(refusal: &LoginRefusal) -> Told {
    match refusal {
        LoginRefusal::ReadOnly => told(
            StatusCode::FORBIDDEN,
            phrase("Linking is switched off here", "此处已关闭关联功能"),
            phrase(
                "This larkdeck is read-only: it changes nothing.",
                "当前 larkdeck 为只读模式，不做任何更改。",
            ),
            Next::Nothing,
        )
        .by(
            Helper::Team,
            phrase(
                "They can link you, or start the gateway with --write.",
                "请其为你关联，或以 --write 启动网关。",
            ),
        ),
        LoginRefusal::Platform(_) => told(
            StatusCode::SERVICE_UNAVAILABLE,
            phrase("{} does not answer right now", "{}暂时没有响应"),
            phrase("Nothing was changed. Try again in a minute.", "没有任何改动，请一分钟后再试。"),
            Next::Again,
        ),
        _ => told(
            StatusCode::BAD_GATEWAY,
            phrase("The app is not ready for sign-ins", "应用尚未完成登录配置"),
            phrase("{} refuses the app itself, not you.", "{}拒绝的是应用本身，而不是你。"),
            Next::Nothing,
        )
        .by(
            Helper::Team,
            phrase(
                "The operation log of larkdeck says what is missing from “{}”.",
                "larkdeck 的操作日志中记录了“{}”缺少的配置。",
            ),
        ),
    }
}

/// The page of an address that leads nowhere.
pub(super) fn not_found(look: &Look<'_>) -> Markup {
    let title = look.t(phrase("There is nothing here", "页面不存在"));
    let main = html! {
        div.sign { (sign(ALERT)) }
        h1 { (title) }
        p {
            (look.t(phrase(
                "The integration that this address belongs to was removed, or the address is incomplete.",
                "该地址对应的集成已被移除，或地址不完整。",
            )))
        }
    };
    look.page(title, &main, None)
}

/// The page of a form that did not come from this session's own page.
pub(super) fn forged(look: &Look<'_>) -> Markup {
    let title = look.t(phrase("Nothing was changed", "没有任何改动"));
    let main = html! {
        div.sign { (sign(ALERT)) }
        h1 { (title) }
        p {
            (look.t(phrase(
                "The request did not come from your own page, or your session has ended. Open the page again and repeat it there.",
                "请求不是从你自己的页面发出的，或登录已失效。请重新打开页面后再操作。",
            )))
        }
        div.act { a.button href="./" { (look.t(phrase("Open the page", "打开页面"))) } }
    };
    look.page(title, &main, None)
}

/// The page of trouble inside.
pub(super) fn trouble(look: &Look<'_>) -> Markup {
    let title = look.t(phrase("That did not work", "操作未成功"));
    let main = html! {
        div.sign { (sign(ALERT)) }
        h1 { (title) }
        p { (look.t(phrase("larkdeck has trouble of its own. Try again in a minute.", "larkdeck 出现内部问题，请一分钟后再试。"))) }
        div.act { a.button.quiet href="./" { (look.t(phrase("Try again", "重试"))) } }
    };
    look.page(title, &main, None)
}
