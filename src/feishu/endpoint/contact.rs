//! People: ids by email and phone, names (`feishu/contact`, read 2026-05).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use crate::core::ids::OpenId;

use super::super::{
    answer::Loose,
    client::{Ask, Client},
    error::FeishuError,
    transport::Request,
};
use super::{BATCH_GET_ID, USERS};

/// Most emails, and most phones, of one lookup.
pub const LOOKUP_MAX: usize = 50;
/// Most people of one call.
const USERS_MAX: usize = 50;

/// What a person was looked up by, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LookupKey {
    /// Contact email.
    Email(String),
    /// E.164.
    Mobile(String),
}

/// The state of an account; known only with a broader scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct AccountStatus {
    /// Frozen by the tenant's admin.
    pub is_frozen: bool,
    /// Left the company.
    pub is_resigned: bool,
    /// Has signed in once.
    pub is_activated: bool,
    /// Left by itself.
    pub is_exited: bool,
    /// Has not joined yet.
    pub is_unjoin: bool,
}

/// What came of looking one email or phone up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundId {
    /// What was looked up, as it was given.
    pub key: LookupKey,
    /// The account; `None` where the platform knows none, or may not say.
    pub open_id: Option<OpenId>,
    /// Its state, where the app may know it.
    pub status: Option<AccountStatus>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// The person.
    pub open_id: OpenId,
    /// Foreign text; empty without the scope for it.
    pub name: String,
    /// With the scope for it.
    pub email: Option<String>,
    /// With the scope for it; with its country code.
    pub mobile: Option<String>,
    /// With the scope for it.
    pub status: Option<AccountStatus>,
}

#[derive(Deserialize)]
struct LookupWire {
    #[serde(default)]
    user_list: Vec<LookupEntry>,
}

#[derive(Deserialize)]
struct LookupEntry {
    #[serde(default)]
    user_id: Loose,
    #[serde(default)]
    email: Loose,
    #[serde(default)]
    mobile: Loose,
    #[serde(default)]
    status: Option<AccountStatus>,
}

#[derive(Deserialize)]
struct UsersWire {
    #[serde(default)]
    items: Vec<UserWire>,
}

#[derive(Deserialize)]
struct UserWire {
    #[serde(default)]
    open_id: Loose,
    #[serde(default)]
    name: Loose,
    #[serde(default)]
    email: Loose,
    #[serde(default)]
    mobile: Loose,
    #[serde(default)]
    status: Option<AccountStatus>,
}

/// An E.164 number as the platform wants it: mainland China bare, all others with their country code.
fn mobile_to_platform(e164: &str) -> &str {
    e164.strip_prefix("+86").unwrap_or(e164)
}

impl Client {
    /// The accounts of at most 50 emails and 50 phones: one [`FoundId`] for each that was given, in order.
    /// Phones are E.164 here; that the platform wants Chinese ones bare stays at this border.
    ///
    /// # Errors
    /// [`FeishuError`]; `Usage` when more than 50 of a kind are given.
    pub async fn batch_get_id(
        &self,
        ask: Ask,
        emails: &[String],
        mobiles: &[String],
    ) -> Result<Vec<FoundId>, FeishuError> {
        if emails.len() > LOOKUP_MAX || mobiles.len() > LOOKUP_MAX {
            return Err(FeishuError::usage(
                &BATCH_GET_ID,
                "more than 50 emails or 50 phones in one call".into(),
            ));
        }
        if emails.is_empty() && mobiles.is_empty() {
            return Ok(Vec::new());
        }
        let bare: Vec<&str> = mobiles.iter().map(|mobile| mobile_to_platform(mobile)).collect();
        let mut body = serde_json::Map::new();
        if !emails.is_empty() {
            body.insert("emails".into(), json!(emails));
        }
        if !bare.is_empty() {
            body.insert("mobiles".into(), json!(bare));
        }
        body.insert("include_resigned".into(), json!(false));
        let request =
            Request::new(&BATCH_GET_ID).query("user_id_type", "open_id").body(&body.into()).idempotent();
        let wire: LookupWire = self.transport.call(&ask, request).await?.data()?;
        Ok(matched(emails, mobiles, wire.user_list))
    }

    /// What the app may know of at most 50 people. Those it may not see are left out.
    ///
    /// # Errors
    /// [`FeishuError`]; `Usage` when more than 50 are given.
    pub async fn users(&self, ask: Ask, ids: &[OpenId]) -> Result<Vec<UserInfo>, FeishuError> {
        if ids.len() > USERS_MAX {
            return Err(FeishuError::usage(&USERS, "more than 50 people in one call".into()));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut request = Request::new(&USERS).query("user_id_type", "open_id");
        for id in ids {
            request = request.query("user_ids", id.as_str());
        }
        let wire: UsersWire = self.transport.call(&ask, request).await?.data()?;
        Ok(wire.items.into_iter().filter_map(user).collect())
    }
}

/// Brings the answer's entries, which may come in any order and may lack some, back to what was asked.
fn matched(emails: &[String], mobiles: &[String], entries: Vec<LookupEntry>) -> Vec<FoundId> {
    type Known = (Option<OpenId>, Option<AccountStatus>);
    let mut by_email: HashMap<String, Known> = HashMap::new();
    let mut by_mobile: HashMap<String, Known> = HashMap::new();
    for entry in entries {
        let known = (entry.user_id.parse(), entry.status);
        if let Some(email) = entry.email.filled() {
            by_email.insert(email.to_lowercase(), known);
        } else if let Some(mobile) = entry.mobile.filled() {
            by_mobile.insert(mobile_to_platform(&mobile).to_owned(), known);
        }
    }
    let found = |key, known: Option<&Known>| {
        let (open_id, status) = known.cloned().unwrap_or_default();
        FoundId { key, open_id, status }
    };
    let emails = emails
        .iter()
        .map(|email| found(LookupKey::Email(email.clone()), by_email.get(&email.trim().to_lowercase())));
    let mobiles = mobiles
        .iter()
        .map(|mobile| found(LookupKey::Mobile(mobile.clone()), by_mobile.get(mobile_to_platform(mobile))));
    emails.chain(mobiles).collect()
}

fn user(wire: UserWire) -> Option<UserInfo> {
    Some(UserInfo {
        open_id: wire.open_id.parse()?,
        name: wire.name.text(),
        email: wire.email.filled(),
        mobile: wire.mobile.filled(),
        status: wire.status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_gets_an_answer_whatever_the_order() {
        let emails = ["A@ex.test".to_owned(), "nobody@ex.test".to_owned()];
        let mobiles = ["+8613000000000".to_owned(), "+12025550100".to_owned()];
        let wire: LookupWire = serde_json::from_str(
            r#"{"user_list":[{"mobile":"+12025550100","user_id":""},{"user_id":"ou_2","mobile":"13000000000"},
                {"user_id":"ou_1","email":"a@ex.test","status":{"is_resigned":true,"new":1}}]}"#,
        )
        .unwrap();
        let found = matched(&emails, &mobiles, wire.user_list);
        let ids: Vec<_> = found.iter().map(|f| f.open_id.as_ref().map(OpenId::as_str)).collect();
        assert_eq!(ids, [Some("ou_1"), None, Some("ou_2"), None]);
        assert_eq!(found[0].key, LookupKey::Email("A@ex.test".into()));
        assert!(found[0].status.unwrap().is_resigned);
        assert_eq!(found[2].key, LookupKey::Mobile("+8613000000000".into()));
    }
}
