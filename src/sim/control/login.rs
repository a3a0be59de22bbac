//! Logins, steered: where they may lead back to, who sits at the browser, what an account is.

use serde::{Deserialize, Serialize};

use super::{Control, unknown};
use crate::sim::{SignIn, SimError};

/// What changes of somebody's account; what is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonChange {
    /// Full name.
    pub name: Option<String>,
    /// Contact email.
    pub email: Option<String>,
    /// E.164.
    pub mobile: Option<String>,
    /// Whether the person has left.
    pub is_resigned: Option<bool>,
    /// Whether the account is frozen.
    pub is_frozen: Option<bool>,
    /// Whether the person cannot see the app.
    pub is_blind: Option<bool>,
    /// tenant_key that logins show instead of the tenant's own; empty: the tenant's own.
    pub tenant_key: Option<String>,
}

impl Control {
    /// Replaces the redirect URLs of an app; empty App ID: the app under test.
    ///
    /// # Errors
    /// No such app.
    pub fn set_redirect_urls(&self, app_id: &str, urls: &[&str]) -> Result<(), SimError> {
        self.shared.peek(|world| {
            let app = world.app_named(app_id)?;
            if let Some(app) = world.apps.get_mut(app) {
                app.plan.redirect_urls = urls.iter().map(|url| (*url).to_owned()).collect();
            }
            Ok(())
        })
    }

    /// Who sits at every browser that opens the authorize page, and what they answer; `None`: the page asks.
    pub fn set_sign_in(&self, sign_in: Option<SignIn>) {
        self.shared.peek(|world| world.oauth.sign_in = sign_in);
    }

    /// Takes back all that a person has agreed to: every token of it ends.
    ///
    /// # Errors
    /// Nobody has that open_id, email or name.
    pub fn end_consent(&self, who: &str) -> Result<(), SimError> {
        self.shared.peek(|world| {
            let person = world.someone(0, who).ok_or_else(|| unknown("person", who))?;
            world.end_consent(person);
            Ok(())
        })
    }

    /// Changes an account; apps that may know of it are told.
    ///
    /// # Errors
    /// Nobody has that open_id, email or name.
    pub fn change_person(&self, who: &str, change: &PersonChange) -> Result<(), SimError> {
        self.shared.act(|world| {
            let person = world.someone(0, who).ok_or_else(|| unknown("person", who))?;
            world.change_person(person, |it| change.apply(it));
            Ok(())
        })
    }
}

impl PersonChange {
    fn apply(&self, person: &mut crate::sim::people::Person) {
        let keep = |new: &Option<String>, old: &mut Option<String>| {
            if let Some(new) = new {
                *old = (!new.is_empty()).then(|| new.clone());
            }
        };
        if let Some(name) = &self.name {
            person.name.clone_from(name);
        }
        keep(&self.email, &mut person.email);
        keep(&self.mobile, &mut person.mobile);
        keep(&self.tenant_key, &mut person.tenant_key);
        person.is_resigned = self.is_resigned.unwrap_or(person.is_resigned);
        person.is_frozen = self.is_frozen.unwrap_or(person.is_frozen);
        person.is_blind = self.is_blind.unwrap_or(person.is_blind);
    }
}
