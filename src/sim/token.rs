//! App tokens: the same while it lasts long enough, then a new one with both valid.

use std::time::Duration;

use tokio::time::Instant;

use super::world::World;

#[derive(Debug)]
struct Token {
    text: String,
    until: Instant,
}

/// The tokens of one app.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    list: Vec<Token>,
}

impl Tokens {
    /// Makes all of them invalid.
    pub(super) fn revoke(&mut self) {
        self.list.clear();
    }
}

impl World {
    /// A token of `app` and the whole seconds that it still lasts.
    pub(super) fn token(&mut self, app: usize) -> (String, u64) {
        let now = self.clock.instant();
        let life = self.clock.span(Duration::from_secs(self.plan.tokens.life_s));
        let renew = self.clock.span(Duration::from_secs(self.plan.tokens.renew_s));
        let fresh = format!("t-g1{}", self.dice.hex32());
        let Some(tokens) = self.apps.get_mut(app).map(|app| &mut app.tokens) else { return (fresh, 0) };
        tokens.list.retain(|token| token.until > now);
        if let Some(token) = tokens.list.iter().rev().find(|token| token.until - now >= renew) {
            return (token.text.clone(), (token.until - now).as_secs());
        }
        tokens.list.push(Token { text: fresh.clone(), until: now + life });
        (fresh, life.as_secs())
    }

    /// The app that a token belongs to.
    pub(super) fn app_of_token(&self, text: &str) -> Option<usize> {
        let now = self.clock.instant();
        self.apps.iter().position(|app| app.tokens.list.iter().any(|t| t.text == text && t.until > now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Scenario;

    #[tokio::test(start_paused = true)]
    async fn tokens_are_renewed_in_their_last_half_hour() {
        let mut world = World::new(Scenario::default(), 1);
        let (first, expire) = world.token(0);
        assert_eq!(expire, 7200);
        tokio::time::advance(Duration::from_secs(5400)).await;
        assert_eq!(world.token(0), (first.clone(), 1800));
        tokio::time::advance(Duration::from_secs(1)).await;
        let (second, expire) = world.token(0);
        assert_ne!(first, second);
        assert_eq!(expire, 7200);
        assert_eq!(world.app_of_token(&first), Some(0));
        tokio::time::advance(Duration::from_secs(1799)).await;
        assert_eq!(world.app_of_token(&first), None);
        assert_eq!(world.app_of_token(&second), Some(0));
        world.apps[0].tokens.revoke();
        assert_eq!(world.app_of_token(&second), None);
    }
}
