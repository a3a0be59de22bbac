//! Invitations: a signed link, good once and for a week, by which one member links whatever account signs in.
//! For members whom the platform does not find by email or phone.

use std::time::Duration;

use crate::{
    core::{
        error::{Fault, Kind},
        ids::{IntegrationId, MemberId},
        integration::IntegrationUrls,
        member::Member,
        operation::NewOperation,
        role::Right,
        secret::Secret,
    },
    store::{Invitation, Store},
};

use super::{
    super::deck::{Answer, Deck, Told},
    no_randomness,
    ticket::Signer,
    view::*,
};

/// How long an invitation is good.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// So long after its end an invitation's page still knows what it was.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

impl Deck {
    /// Invites a member to link by signing in: a link for that person alone.
    ///
    /// # Errors
    /// Config without a public URL, Refused for a member who is linked, NotFound, read-only, or the store's.
    pub async fn invite(&self, integration: &IntegrationId, member: &MemberId) -> Answer<Invited> {
        const OPERATION: &str = "member.invite";
        let store = self.gate(Right::Administer, OPERATION, member).await?;
        let done = self.try_invite(store, integration, member).await;
        let invited = match done {
            Ok(invited) => invited,
            Err(fault) => return self.logged(OPERATION, member, Err(fault)).await,
        };
        let mut row = NewOperation::ok(OPERATION, member.as_str());
        row.reason = Some(format!("{}, until {}", invited.member.name, invited.expires_at));
        self.log(row).await;
        Ok(invited)
    }

    async fn try_invite(&self, store: &Store, integration: &IntegrationId, id: &MemberId) -> Answer<Invited> {
        self.app_of(integration).await?;
        let Some(public_url) = self.inner.settings.public_url.as_deref() else {
            return Err(Fault::new(Kind::Config, "an invitation is a link, and there is no public URL")
                .with_hint(
                    "Set [server] public_url: the address under which browsers reach `larkdeck serve`.",
                ));
        };
        let member = self.inner.store.member(integration, id).await.told()?;
        if member.link.is_some() {
            return Err(Fault::new(Kind::Refused, format!("{} is linked already", member.name))
                .with_hint("Unlink first, if another account is to be linked."));
        }
        let signer = self.signer(integration).await?;
        let token = signer.new_invitation().ok_or_else(no_randomness)?;
        let hash = signer.invitation_hash(&token).ok_or_else(no_randomness)?;
        let expires_at = self.shared_now().await?.plus(LIFE);
        let invitation =
            Invitation { integration: integration.clone(), member: id.clone(), expires_at, used_at: None };
        store.add_invitation(&hash, &invitation).await.told()?;
        let page = IntegrationUrls::new(public_url, integration).web_config_url;
        Ok(Invited { member, url: Secret::new(format!("{page}invite?t={token}")), expires_at })
    }

    /// The member that an invitation is for, as its page names it.
    ///
    /// # Errors
    /// NotFound for the integration, or the store's.
    pub async fn invited_member(
        &self,
        integration: &IntegrationId,
        token: &str,
    ) -> Answer<Result<Member, InvitationFlaw>> {
        let signer = self.signer(integration).await?;
        self.read_invitation(&signer, integration, token).await
    }

    /// Reads an invitation. One whose member is linked is used, whichever way that came.
    pub(super) async fn read_invitation(
        &self,
        signer: &Signer,
        integration: &IntegrationId,
        token: &str,
    ) -> Answer<Result<Member, InvitationFlaw>> {
        let Some(hash) = signer.invitation_hash(token) else { return Ok(Err(InvitationFlaw::Unknown)) };
        let found = self.inner.store.invitation(&hash).await.told()?;
        let Some(invitation) = found.filter(|one| one.integration == *integration) else {
            return Ok(Err(InvitationFlaw::Unknown));
        };
        if invitation.used_at.is_some() {
            return Ok(Err(InvitationFlaw::Used));
        }
        if self.shared_now().await? >= invitation.expires_at {
            return Ok(Err(InvitationFlaw::Expired));
        }
        let members =
            self.inner.store.members(integration, std::slice::from_ref(&invitation.member)).await.told()?;
        Ok(members.into_iter().next().ok_or(InvitationFlaw::MemberGone))
    }

    /// Forgets what has ended: a small step of the keeper's round. Invitations are an admin's.
    pub(in crate::service) async fn forget_old_logins(&self) {
        if let Err(fault) = self.try_forget_logins().await {
            tracing::warn!(%fault, "old logins not forgotten");
        }
    }

    async fn try_forget_logins(&self) -> Answer<()> {
        let is_admins = self.role().await?.may(Right::Administer);
        let before = self.shared_now().await?.minus(REMEMBERED);
        self.keeping().await?.prune_logins(is_admins.then_some(before)).await.told().map(drop)
    }
}
