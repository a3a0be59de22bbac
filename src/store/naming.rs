//! Finding a member by what a person types.

use super::{
    StoreError, View,
    member::email_key,
    sql::{Bulk, Conn, q},
};
use crate::core::{
    ids::{IntegrationId, MemberId},
    member::Member,
};

/// Candidates that [`View::find_members`] names at most.
const MAX_FOUND: usize = 10;

impl View {
    /// The member that has exactly this id, email or name; `None` too where several have the name. A few steps
    /// into indexes, however many members there are.
    ///
    /// # Errors
    /// The engine's.
    pub async fn named_member(
        &self,
        integration: &IntegrationId,
        text: &str,
    ) -> Result<Option<Member>, StoreError> {
        let mut read_conn = self.db().read("look for a member").await?;
        let id = match exact_member(&mut read_conn, text).await? {
            Some(id) => id,
            None => {
                let named =
                    q("select id from member where name = $1 limit 2").bind(text).all(&mut read_conn).await?;
                let [row] = named.as_slice() else { return Ok(None) };
                row.parse(0, "member id")?
            }
        };
        drop(read_conn);
        Ok(self.members(integration, &[id]).await?.pop())
    }

    /// The members that `text` may name: the one with that id, else with that email, else all whose name
    /// contains it; at most 10.
    ///
    /// # Errors
    /// The engine's.
    pub async fn find_members(
        &self,
        integration: &IntegrationId,
        text: &str,
    ) -> Result<Vec<Member>, StoreError> {
        let exact = {
            let mut read_conn = self.db().read("look for a member").await?;
            exact_member(&mut read_conn, text).await?
        };
        let mut ids: Vec<MemberId> = Vec::new();
        if let Some(id) = exact {
            ids.push(id);
        } else {
            let folded = text.to_lowercase();
            let (_, chunks) = self.roster(integration).await?;
            let rows = chunks.iter().flat_map(super::RosterChunk::rows);
            for row in rows.filter(|row| row.name.to_lowercase().contains(&folded)).take(MAX_FOUND) {
                ids.push(row.id.parse().map_err(|error| StoreError::data("member id", error))?);
            }
        }
        self.members(integration, &ids).await
    }

    /// The members who have one of these emails, or this phone, by id.
    ///
    /// # Errors
    /// The engine's.
    pub async fn members_with_contact(
        &self,
        integration: &IntegrationId,
        emails: &[&str],
        phone: Option<&str>,
    ) -> Result<Vec<Member>, StoreError> {
        let mut ids: Vec<MemberId> = Vec::new();
        {
            let mut read_conn = self.db().read("look for a member").await?;
            let by_email = Bulk::list("select id from member where email_key in", "");
            let mut rows = by_email
                .all(&mut read_conn, emails.iter().map(|email| email_key(email).into()).collect())
                .await?;
            if let Some(phone) = phone {
                let by_phone = q("select id from member where phone = $1 order by id limit 10").bind(phone);
                rows.extend(by_phone.all(&mut read_conn).await?);
            }
            for row in &rows {
                ids.push(row.parse(0, "member id")?);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        self.members(integration, &ids).await
    }
}

/// The member with this id, else with this email.
async fn exact_member(conn: &mut Conn, text: &str) -> Result<Option<MemberId>, StoreError> {
    let row = q("select id from member where id = $1 or email_key = $2
        order by case when id = $1 then 0 else 1 end limit 1")
    .bind(text)
    .bind(email_key(text))
    .one(conn)
    .await?;
    row.map(|row| row.parse(0, "member id")).transpose()
}
