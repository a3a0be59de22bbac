//! What was done by pressing cards.

use super::{Store, StoreError, sql::q};
use crate::core::{
    ids::{IntegrationId, MemberId, MessageId},
    time::Timestamp,
};

/// Something that a member does by pressing a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPress {
    /// By which integration.
    pub integration: IntegrationId,
    /// The card's message.
    pub message_id: MessageId,
    /// What is done.
    pub action: &'static str,
    /// Who does it.
    pub member_id: MemberId,
    /// The name at that time: it stays when the member is gone.
    pub member_name: String,
}

/// Who did it, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressed {
    /// Whether it was this press that did it.
    pub is_first: bool,
    /// The member.
    pub member_id: MemberId,
    /// The name.
    pub member_name: String,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Does it where it is not done yet; either way, who did it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn press(&self, press: NewPress) -> Result<Pressed, StoreError> {
        let mut tx = self.db().write("note what a card was pressed for").await?;
        let made = q("insert into press (integration_id, message_id, action, member_id, member_name, at)
            values ($1, $2, $3, $4, $5, $6) on conflict do nothing")
        .bind(&press.integration)
        .bind(&press.message_id)
        .bind(press.action)
        .bind(&press.member_id)
        .bind(press.member_name.as_str())
        .bind(tx.now())
        .run(&mut tx)
        .await?;
        let row = q("select member_id, member_name, at from press
            where integration_id = $1 and message_id = $2 and action = $3")
        .bind(&press.integration)
        .bind(&press.message_id)
        .bind(press.action)
        .must(&mut tx)
        .await?;
        let pressed = Pressed {
            is_first: made > 0,
            member_id: row.parse(0, "member id")?,
            member_name: row.string(1)?,
            at: row.at(2)?,
        };
        tx.commit().await?;
        Ok(pressed)
    }
}
