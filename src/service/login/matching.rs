//! Which member an account belongs to: the same rules as one-click linking, seen from the other side (R45).

use std::collections::HashMap;

use crate::{
    core::{
        error::{Kind, Problem as _},
        ids::{IntegrationId, MemberId, OpenId},
        member::{Member, Reason},
        permit::{Class, Feature},
    },
    feishu::{Account, Ask, Client},
    service::{
        deck::{Answer, Deck, Told},
        link::{
            decide::{self, Decision},
            plan::{Candidate, LinkPlan},
            run::Answers,
        },
        phone,
    },
};

use super::PATIENCE;

/// Members that a login without email or phone is compared with: four calls, none of which counts.
const MOST_LOOKED_UP: usize = 200;

/// Which member an account belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    /// This one.
    Member(MemberId),
    /// None that could be found.
    Nobody,
    /// More than one.
    Several,
    /// One whose other key is another person's.
    TwoPeople,
}

impl Deck {
    /// The members who have an email or the phone of the account.
    pub(super) async fn members_with_contact(
        &self,
        integration: &IntegrationId,
        account: &Account,
    ) -> Answer<Vec<Member>> {
        let emails: Vec<&str> =
            [&account.email, &account.enterprise_email].into_iter().flatten().map(String::as_str).collect();
        let phone = account_phone(account);
        self.inner.store.members_with_contact(integration, &emails, phone.as_deref()).await.told()
    }

    /// Finds the member of an account that nobody is linked to.
    pub(super) async fn match_account(
        &self,
        client: &Client,
        integration: &IntegrationId,
        account: &Account,
    ) -> Answer<Match> {
        let mut with_contact = self.members_with_contact(integration, account).await?;
        let is_only = with_contact.len() == 1;
        match with_contact.pop() {
            Some(member) if is_only => self.confirm(client, integration, account, member).await,
            Some(_) => Ok(Match::Several),
            // Told both, the platform would find nobody either.
            None if account.email.is_some() && account.mobile.is_some() => Ok(Match::Nobody),
            None => self.look_up(client, integration, account).await,
        }
    }

    /// Looks whether a key of the member that the account does not have belongs to somebody else.
    async fn confirm(
        &self,
        client: &Client,
        integration: &IntegrationId,
        account: &Account,
        member: Member,
    ) -> Answer<Match> {
        let mut candidate = Candidate::of(&member);
        let is_own = |email: &String| {
            [&account.email, &account.enterprise_email]
                .into_iter()
                .flatten()
                .any(|own| own.eq_ignore_ascii_case(email))
        };
        candidate.email = candidate.email.filter(|email| !is_own(email));
        candidate.phone = candidate.phone.filter(|phone| account_phone(account).as_ref() != Some(phone));
        if candidate.email.is_none() && candidate.phone.is_none() {
            return Ok(Match::Member(member.id));
        }
        let others = self.accounts_of(client, integration, vec![candidate]).await?;
        let is_others = others.into_iter().any(|(_, decision)| match decision {
            Decision::Link(open_id) => open_id != account.open_id,
            Decision::Leave(reason) => reason == Reason::ConflictTwoPeople,
        });
        Ok(if is_others { Match::TwoPeople } else { Match::Member(member.id) })
    }

    /// The app may not see the account's email or phone: the other way round, it can ask whose account the
    /// members' keys belong to. Those of the same name first.
    async fn look_up(
        &self,
        client: &Client,
        integration: &IntegrationId,
        account: &Account,
    ) -> Answer<Match> {
        let (_, chunks) = self.inner.store.roster(integration).await.told()?;
        let name = account.name.trim().to_lowercase();
        let mut rows: Vec<(bool, &str)> = chunks
            .iter()
            .flat_map(|chunk| chunk.rows())
            .filter(|row| !row.linked)
            .map(|row| (row.name.trim().to_lowercase() != name, row.id))
            .collect();
        rows.sort_unstable();
        let ids: Vec<MemberId> =
            rows.iter().take(MOST_LOOKED_UP).filter_map(|(_, id)| id.parse().ok()).collect();
        let members = self.inner.store.members(integration, &ids).await.told()?;
        let candidates = members.iter().map(Candidate::of).collect();
        let mut found = Vec::new();
        for (member, decision) in self.accounts_of(client, integration, candidates).await? {
            match decision {
                Decision::Link(open_id) if open_id == account.open_id => found.push(member),
                _ => {}
            }
        }
        Ok(match (found.pop(), found.is_empty()) {
            (Some(only), true) => Match::Member(only),
            (Some(_), false) => Match::Several,
            (None, _) => Match::Nobody,
        })
    }

    /// Which accounts these members' keys belong to. Without the permission for it: none.
    async fn accounts_of(
        &self,
        client: &Client,
        integration: &IntegrationId,
        candidates: Vec<Candidate>,
    ) -> Answer<Vec<(MemberId, Decision)>> {
        let nobody: HashMap<OpenId, MemberId> = HashMap::new();
        let mut decided = Vec::new();
        for batch in LinkPlan::new(integration.clone(), candidates, Vec::new()).batches {
            let ask = Ask::new(Class::Linking, Feature::Linking).within(PATIENCE);
            let found = match client.batch_get_id(ask, &batch.emails, &batch.phones).await {
                Ok(found) => found,
                Err(error) if error.kind() == Kind::Permission => return Ok(Vec::new()),
                Err(error) => return Err(error).told(),
            };
            let answers = Answers::new(found);
            decided.extend(batch.members.into_iter().map(|member| {
                let decision = decide::decide(&member.id, &answers.evidence(&member), &nobody);
                (member.id, decision)
            }));
        }
        Ok(decided)
    }
}

/// The account's phone as the roster writes it.
fn account_phone(account: &Account) -> Option<String> {
    let read = account.mobile.as_deref().and_then(|text| phone::read(text).ok());
    read.map(phone::Phone::into_text).filter(|text| phone::is_e164(text))
}
