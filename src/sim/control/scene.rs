//! What happens between people, one thing at a time.

use serde_json::{Map, Value, json};

use super::{Control, unknown};
use crate::sim::{
    SimError,
    world::{Actor, World},
};

/// How somebody leaves a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// By themselves, or removed.
    Gone,
    /// The invitation was taken back.
    Withdrawn,
}

impl World {
    fn chat_and_owner(&self, chat: &str) -> Result<(usize, Actor), SimError> {
        let no = self.find_chat(chat).ok_or_else(|| unknown("chat", chat))?;
        Ok((no, self.chats.get(no).map_or(Actor::System, |chat| chat.owner)))
    }

    fn person_named(&self, who: &str) -> Result<usize, SimError> {
        self.someone(0, who).ok_or_else(|| unknown("person", who))
    }
}

impl Control {
    /// Disbands a chat and keeps its history: no event, only its status shows it.
    ///
    /// # Errors
    /// No such chat.
    pub fn disband_keeping_history(&self, chat: &str) -> Result<(), SimError> {
        self.shared.act(|world| {
            let (no, owner) = world.chat_and_owner(chat)?;
            world.disband(no, owner, true);
            Ok(())
        })
    }

    /// Brings somebody into a chat, with its event.
    ///
    /// # Errors
    /// No such chat or person.
    pub fn join(&self, chat: &str, who: &str) -> Result<(), SimError> {
        self.shared.act(|world| {
            let (no, owner) = world.chat_and_owner(chat)?;
            let person = world.person_named(who)?;
            world.join(no, &[person], owner, true);
            Ok(())
        })
    }

    /// Takes somebody out of a chat, with its event.
    ///
    /// # Errors
    /// No such chat or person.
    pub fn leave(&self, chat: &str, who: &str, how: Leaving) -> Result<(), SimError> {
        self.shared.act(|world| {
            let (no, owner) = world.chat_and_owner(chat)?;
            let person = world.person_named(who)?;
            match how {
                Leaving::Gone => world.part(no, &[person], owner),
                Leaving::Withdrawn => world.withdraw(no, &[person], owner),
            }
            Ok(())
        })
    }

    /// Changes settings of a chat, such as `name` and `description`, with the event.
    ///
    /// # Errors
    /// No such chat.
    pub fn change_chat(&self, chat: &str, change: &Map<String, Value>) -> Result<(), SimError> {
        self.shared.act(|world| {
            let (no, owner) = world.chat_and_owner(chat)?;
            world.change_chat(no, change, owner);
            Ok(())
        })
    }

    /// Gives a chat another name, with the event.
    ///
    /// # Errors
    /// No such chat.
    pub fn rename(&self, chat: &str, name: &str) -> Result<(), SimError> {
        let change = [("name".to_owned(), json!(name))].into_iter().collect();
        self.change_chat(chat, &change)
    }

    /// Somebody reacts to a message, or takes the reaction back.
    ///
    /// # Errors
    /// No such message, person or reaction.
    pub fn react(&self, message_id: &str, who: &str, emoji: &str, is_on: bool) -> Result<(), SimError> {
        self.shared.act(|world| {
            let no = world.message_index.get(message_id).copied();
            let no = no.ok_or_else(|| unknown("message", message_id))?;
            let who = Actor::Person(world.person_named(who)?);
            if is_on {
                world.react(no, who, emoji, true);
                return Ok(());
            }
            let known = world.messages.get(no).and_then(|message| {
                message.reactions.iter().find(|it| it.who == who && it.emoji == emoji).map(|it| it.id.clone())
            });
            let id = known.ok_or_else(|| unknown("reaction", emoji))?;
            world.unreact(no, &id);
            Ok(())
        })
    }

    /// Somebody reads all that apps have written to them alone.
    ///
    /// # Errors
    /// No such person.
    pub fn read(&self, who: &str) -> Result<(), SimError> {
        self.shared.act(|world| {
            let person = world.person_named(who)?;
            for chat in 0..world.chats.len() {
                if world.chats.get(chat).is_some_and(|it| it.has(Actor::Person(person))) {
                    world.read_all(chat, person);
                }
            }
            Ok(())
        })
    }
}
