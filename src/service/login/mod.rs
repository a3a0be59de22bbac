//! Signing in by browser: from "who are you" at the platform to a link that is the same as one-click's (R34,
//! R45), and the session behind the page that opens inside Feishu.

mod invite;
mod matching;
mod session;
mod ticket;
mod view;

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    core::{
        error::{Fault, Kind, Problem},
        ids::{IntegrationId, MemberId},
        member::LinkOrigin,
        operation::{NewOperation, OperationResult},
        permit::{Class, Feature},
        role::Right,
    },
    feishu::{Account, Ask, Authorize, Client, FeishuError},
    store::{LinkChange, LinkOutcome},
};

use self::{matching::Match, ticket::Signer};
use super::deck::{Answer, Deck, Told, lock};

pub use self::{session::SESSION_COOKIE, view::*};

/// How long a person may take at the platform's page. The platform's code itself is good for 5 min.
const LOGIN_LIFE: Duration = Duration::from_secs(10 * 60);
/// The longest that the calls behind one page may wait for permits.
const PATIENCE: Duration = Duration::from_secs(8);
/// Logins that are redeemed at once: a flood of them must not take the app's calls from everybody else.
const AT_ONCE: usize = 4;
/// How long the app's permissions are taken to be the same. Reading them counts against the month.
const SCOPES_FRESH: Duration = Duration::from_secs(6 * 3600);
/// The same after they could not be read.
const SCOPES_UNREAD: Duration = Duration::from_secs(10 * 60);
/// What a login asks for, where the app has it: what members are matched by. Asking for more than the app
/// has ends at an error page of the platform (20027).
const WANTED_SCOPES: [&str; 2] = ["contact:user.email:readonly", "contact:user.phone:readonly"];

/// What logins keep in memory.
pub(super) struct Logins {
    scopes: Mutex<HashMap<IntegrationId, (Instant, Vec<&'static str>)>>,
    at_once: Semaphore,
}

impl Default for Logins {
    fn default() -> Self {
        Self { scopes: Mutex::default(), at_once: Semaphore::new(AT_ONCE) }
    }
}

/// The name of the cookie that a login with this state was bound by.
pub fn login_cookie(state: &str) -> String {
    ticket::cookie_name(state)
}

/// Who the login is for.
enum Wanted {
    /// Whoever it is.
    Anybody,
    /// The member of an invitation.
    Member(MemberId),
}

impl Deck {
    /// What stands around every page of an integration that people can sign in to.
    ///
    /// # Errors
    /// NotFound for an integration that does not exist or has no app, or the store's.
    pub async fn page_frame(&self, integration: &IntegrationId) -> Answer<PageFrame> {
        let found = self.inner.store.integration(integration).await.told()?;
        let app = found.app.ok_or_else(|| Fault::new(Kind::NotFound, "the integration has no app"))?;
        Ok(PageFrame { name: found.name, kind: found.kind, app_name: app.bot_name })
    }

    /// Begins a login: where the browser goes, and what it keeps until it comes back. Nothing is stored.
    ///
    /// # Errors
    /// NotFound, or the store's.
    pub async fn begin_login(
        &self,
        integration: &IntegrationId,
        redirect_uri: &str,
        invitation: Option<&str>,
    ) -> Answer<Result<LoginStart, LoginRefusal>> {
        let signer = self.signer(integration).await?;
        if let Some(token) = invitation
            && let Err(flaw) = self.read_invitation(&signer, integration, token).await?
        {
            return Ok(Err(LoginRefusal::Invitation(flaw)));
        }
        let client = self.client(integration).await?;
        let ticket = signer.begin(self.shared_now().await?, invitation).ok_or_else(no_randomness)?;
        let authorize_url = client.authorize_url(&Authorize {
            redirect_uri,
            state: &ticket.state,
            verifier: &ticket.verifier,
            scopes: &self.scopes_to_ask(&client, integration).await,
        });
        let cookie = NewCookie { name: ticket.cookie_name, value: ticket.cookie, max_age: LOGIN_LIFE };
        Ok(Ok(LoginStart { authorize_url: authorize_url.told()?, cookie }))
    }

    /// Ends a login: redeems the code, finds the member and links it. What is refused on somebody's account
    /// is in the operation log; what never got that far is not, since anybody could fill the log with it.
    ///
    /// # Errors
    /// NotFound, or the store's.
    pub async fn finish_login(
        &self,
        integration: &IntegrationId,
        redirect_uri: &str,
        back: LoginBack<'_>,
    ) -> Answer<LoginEnd> {
        let signer = self.signer(integration).await?;
        let bound = match self.accept_state(&signer, &back).await? {
            Ok(bound) => bound,
            Err(refusal) => return Ok(refusal.into()),
        };
        if back.code.is_empty() {
            let refusal = match back.error {
                "access_denied" => LoginRefusal::Denied,
                _ => LoginRefusal::CodeRefused(Fault::new(Kind::Remote, "the platform gave no code")),
            };
            return Ok(refusal.into());
        }
        let client = self.client(integration).await?;
        let account = match self.redeem(&client, back.code, redirect_uri, &bound.verifier).await {
            Ok(account) => account,
            Err(error) => {
                let refusal = refusal_of(&error);
                if let LoginRefusal::Setup(fault) = &refusal {
                    self.log(NewOperation::failed("member.login", integration.as_str(), fault)).await;
                }
                return Ok(refusal.into());
            }
        };
        let ended = match self.admit(&client, &signer, integration, &account, bound.invitation).await? {
            Ok(is_new_link) => {
                let session = self.open_session(&signer, integration, &account).await?;
                LoginEnd::SignedIn { session, is_new_link }
            }
            Err(refusal) => {
                self.log_refusal(&account, &refusal).await;
                LoginEnd::Refused { refusal, account: Some(account.name) }
            }
        };
        Ok(ended)
    }

    /// Whether a login that comes back is one that this browser began, lately, and for the first time.
    async fn accept_state(
        &self,
        signer: &Signer,
        back: &LoginBack<'_>,
    ) -> Answer<Result<ticket::Bound, LoginRefusal>> {
        let Some(began_at) = signer.began_at(back.state) else { return Ok(Err(LoginRefusal::StateUnknown)) };
        let ends_at = began_at.plus(LOGIN_LIFE);
        if self.shared_now().await? >= ends_at {
            return Ok(Err(LoginRefusal::StateExpired));
        }
        // Checked before the state is used up: whoever looks at links on their way, a scanner or a preview,
        // has no cookie, and must not spoil the login of the person who has.
        let Some(cookie) = back.cookie else {
            let is_used =
                self.inner.store.is_login_state_used(&ticket::state_hash(back.state)).await.told()?;
            return Ok(Err(if is_used { LoginRefusal::StateUsed } else { LoginRefusal::NoCookie }));
        };
        let Some(bound) = signer.bound(back.state, cookie) else {
            return Ok(Err(LoginRefusal::OtherBrowser));
        };
        let is_first =
            self.keeping().await?.use_login_state(&ticket::state_hash(back.state), ends_at).await.told()?;
        Ok(if is_first { Ok(bound) } else { Err(LoginRefusal::StateUsed) })
    }

    async fn redeem(
        &self,
        client: &Client,
        code: &str,
        redirect_uri: &str,
        verifier: &crate::core::secret::Secret,
    ) -> Result<Account, FeishuError> {
        // The semaphore is never closed.
        let _turn = self.inner.logins.at_once.acquire().await.ok();
        let ask = Ask::new(Class::Linking, Feature::Linking).within(PATIENCE);
        let token = client.user_token(ask, code, redirect_uri, verifier).await?;
        client.account(ask, &token).await
    }

    /// Decides about an account, and links it where it has to be. The answer says whether it was.
    async fn admit(
        &self,
        client: &Client,
        signer: &Signer,
        integration: &IntegrationId,
        account: &Account,
        invitation: Option<String>,
    ) -> Answer<Result<bool, LoginRefusal>> {
        if let Err(refusal) = self.check_tenant(client, integration, account).await? {
            return Ok(Err(refusal));
        }
        let wanted = match invitation {
            None => Wanted::Anybody,
            Some(token) => match self.read_invitation(signer, integration, &token).await? {
                Ok(member) => Wanted::Member(member.id),
                Err(flaw) => return Ok(Err(LoginRefusal::Invitation(flaw))),
            },
        };
        let owner = self.inner.store.member_of_account(integration, &account.open_id).await.told()?;
        if let Some((owner, _)) = owner {
            let is_right = match &wanted {
                Wanted::Member(member) => *member == owner,
                Wanted::Anybody => {
                    let named = self.members_with_contact(integration, account).await?;
                    named.is_empty() || named.iter().any(|member| member.id == owner)
                }
            };
            // A gateway of lower rights leaves the invitation: with the link there it is as good as used.
            if let (true, Wanted::Member(member)) = (is_right, &wanted)
                && self.passes(Right::Administer).await?
            {
                self.keeping().await?.use_invitations(integration, member).await.told()?;
            }
            return Ok(if is_right { Ok(false) } else { Err(LoginRefusal::AccountTaken) });
        }
        let member = match wanted {
            Wanted::Member(member) => member,
            Wanted::Anybody => match self.match_account(client, integration, account).await? {
                Match::Member(member) => member,
                Match::Nobody => return Ok(Err(LoginRefusal::NoMember)),
                Match::Several => return Ok(Err(LoginRefusal::SeveralMembers)),
                Match::TwoPeople => return Ok(Err(LoginRefusal::TwoPeople)),
            },
        };
        self.link_login(integration, account, member).await
    }

    /// Links as one-click does: the same call of the store, the same journal (R45).
    async fn link_login(
        &self,
        integration: &IntegrationId,
        account: &Account,
        member: MemberId,
    ) -> Answer<Result<bool, LoginRefusal>> {
        const OPERATION: &str = "member.link";
        // The refusal has its own row.
        if !self.passes(Right::Administer).await? {
            return Ok(Err(LoginRefusal::ReadOnly));
        }
        let store = self.gate(Right::Administer, OPERATION, &member).await?;
        let change = LinkChange {
            member: member.clone(),
            open_id: Some(account.open_id.clone()),
            origin: LinkOrigin::Login,
            reason: None,
        };
        let done = store.apply_links(integration, &store.new_batch_id(), vec![change]).await.told();
        let outcomes = match done {
            Ok(outcomes) => outcomes,
            Err(fault) => return self.logged(OPERATION, &member, Err(fault)).await,
        };
        Ok(match outcomes.into_iter().next() {
            Some(LinkOutcome::Applied) => {
                let mut row = NewOperation::ok(OPERATION, member.as_str());
                row.reason = Some(format!("by signing in, as {}", shown(account)));
                self.log(row).await;
                store.use_invitations(integration, &member).await.told()?;
                Ok(true)
            }
            Some(LinkOutcome::Unchanged) => Ok(false),
            Some(LinkOutcome::TakenBy(_)) => Err(LoginRefusal::AccountTaken),
            Some(LinkOutcome::LinkedOtherwise) => Err(LoginRefusal::MemberTaken),
            Some(LinkOutcome::NoMember) | None => Err(LoginRefusal::NoMember),
        })
    }

    /// The account must be of the integration's tenant. Where the tenant is not known yet, the app itself
    /// tells: it sees the people of its own tenant and of no other.
    async fn check_tenant(
        &self,
        client: &Client,
        integration: &IntegrationId,
        account: &Account,
    ) -> Answer<Result<(), LoginRefusal>> {
        let known = self.app_of(integration).await?.tenant;
        match (&known, &account.tenant) {
            (Some(known), Some(tenant)) if known == tenant => return Ok(Ok(())),
            (Some(_), Some(_)) => return Ok(Err(LoginRefusal::OtherTenant)),
            _ => {}
        }
        let ask = Ask::new(Class::Linking, Feature::Linking).within(PATIENCE);
        let seen = match client.users(ask, std::slice::from_ref(&account.open_id)).await {
            Ok(users) => users.iter().any(|user| user.open_id == account.open_id),
            Err(error) if matches!(error.kind(), Kind::Permission | Kind::Remote | Kind::NotFound) => false,
            Err(error) => return Ok(Err(LoginRefusal::Platform(Fault::of(&error)))),
        };
        if !seen {
            return Ok(Err(LoginRefusal::TenantUnproven));
        }
        if let Some(tenant) = &account.tenant {
            self.learn_tenant(integration, tenant).await?;
        }
        Ok(Ok(()))
    }

    async fn log_refusal(&self, account: &Account, refusal: &LoginRefusal) {
        let mut row = NewOperation::ok("member.login", account.open_id.as_str());
        row.result = OperationResult::Refused;
        row.reason = Some(format!("{}: {}", shown(account), refusal.reason()));
        row.hint = refusal.advice().map(str::to_owned);
        if let Some(fault) = refusal.fault() {
            row.result = OperationResult::Failed;
            row.code = fault.code;
            row.log_id.clone_from(&fault.log_id);
            row.reason = Some(format!("{}: {}", shown(account), fault.message));
        }
        self.log(row).await;
    }

    async fn signer(&self, integration: &IntegrationId) -> Answer<Signer> {
        let key = self.keeping().await?.signing_key(integration).await.told()?;
        Ok(Signer::new(key, integration.clone()))
    }

    /// What of the wanted permissions the app has.
    async fn scopes_to_ask(&self, client: &Client, integration: &IntegrationId) -> Vec<&'static str> {
        let now = self.inner.clock.instant();
        if let Some((until, scopes)) = lock(&self.inner.logins.scopes).get(integration)
            && now < *until
        {
            return scopes.clone();
        }
        let ask = Ask::new(Class::Linking, Feature::Linking).within(PATIENCE);
        let (scopes, fresh) = match client.granted_scopes(ask).await {
            Ok(granted) => {
                let has = |name: &&str| granted.iter().any(|scope| scope.is_granted && scope.name == *name);
                (WANTED_SCOPES.into_iter().filter(has).collect(), SCOPES_FRESH)
            }
            Err(error) => {
                tracing::warn!(%integration, %error, "permissions not read: logins tell names alone for a while");
                (Vec::new(), SCOPES_UNREAD)
            }
        };
        lock(&self.inner.logins.scopes).insert(integration.clone(), (now + fresh, Vec::clone(&scopes)));
        scopes
    }
}

/// Sorts what the platform said by who can do something about it (`feishu/auth` 4.2 and 4.4).
fn refusal_of(error: &FeishuError) -> LoginRefusal {
    let fault = Fault::of(error);
    match (fault.code, fault.kind) {
        (Some(20_003 | 20_004 | 20_024 | 20_049 | 20_065), _) => LoginRefusal::CodeRefused(fault),
        (Some(20_008 | 20_010 | 20_021..=20_023 | 20_066), _) => LoginRefusal::AccountRefused(fault),
        (_, Kind::Offline | Kind::RateLimited { .. } | Kind::QuotaExhausted | Kind::Storage) => {
            LoginRefusal::Platform(fault)
        }
        _ => LoginRefusal::Setup(fault),
    }
}

fn shown(account: &Account) -> String {
    let name = account.name.trim();
    if name.is_empty() { account.open_id.to_string() } else { format!("{name} ({})", account.open_id) }
}

fn no_randomness() -> Fault {
    Fault::new(Kind::Bug, "the system has no randomness")
}
