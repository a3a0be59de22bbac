//! The tables of the store, for what handles all of them alike: copies, checks, sizes.

use super::{
    StoreError,
    sql::{Conn, Query, Row, Text, Type, Value},
};

/// Rows that are read at once.
pub(super) const PAGE_ROWS: usize = 256;

/// A table: its key stands first.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// How many columns the key has.
    pub(super) key: usize,
    pub(super) columns: &'static [(&'static str, Type)],
    /// Head of an insert into it.
    pub(super) insert: &'static str,
    pub(super) scope: Scope,
}

/// What its rows belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The team: they go wherever the store goes.
    Team,
    /// The processes that live on this store: elsewhere they mean nothing.
    Processes,
}

macro_rules! tables {
    ($($scope:ident $name:ident ($($key:ident $key_type:ident),+) $($column:ident $type:ident),*;)+) => {
        &[$(Table {
            name: stringify!($name),
            key: [$(stringify!($key)),+].len(),
            columns: &[
                $((stringify!($key), Type::$key_type),)+
                $((stringify!($column), Type::$type),)*
            ],
            insert: concat!(
                "insert into ", stringify!($name), " (", stringify!($($key),+), $(", ", stringify!($column),)* ")"
            ),
            scope: Scope::$scope,
        }),+]
    };
}

/// All tables but `store_meta`, which has one row that is about the store itself.
pub(super) const TABLES: &[Table] = tables! {
    Team integration (id Text) name Text, kind Text, base_url Text, app_id Text, tenant Text, bot_name Text,
        bot_open_id Text, war_room Int, receive Text, created_at Int;
    Team secret (integration_id Text, column_name Text) key_id Text, nonce Bytes, sealed Bytes;
    Team member (id Text) name Text, email Text, email_key Text, phone Text, team Text, created_at Int, seq Int,
        packed Text, licence Text;
    Team member_link (integration_id Text, member_id Text) open_id Text, linked_at Int, origin Text, reason Text,
        looked_up_at Int, seq Int;
    Team link_journal (id Int) batch Text, undo_of Text, integration_id Text, member_id Text, at Int,
        author_user Text, author_host Text, author_pid Int, before_open_id Text, before_linked_at Int,
        before_origin Text, after_open_id Text, after_linked_at Int, after_origin Text, undone Int;
    Team room (chat_id Text) integration_id Text, name Text, description Text, kind Text, status Text,
        member_count Int, counted Int, last_message_at Int, complete_to Int;
    Team room_member (chat_id Text, open_id Text) name Text;
    Team person (id Text) name Text, known_at Int;
    Team message (message_id Text) chat_id Text, created_at Int, seq Int, root_id Text, parent_id Text,
        thread_id Text, sender_id Text, sender_kind Text, msg_type Text, content Text, mentions Text,
        updated_at Int, edited Int, recalled Int, own Int, via Text;
    Team mention (chat_id Text, person Text, created_at Int, message_id Text);
    Team reaction (message_id Text, emoji Text, operator Text);
    Team early_recall (message_id Text) at Int;
    Team event_seen (event_id Text) at Int;
    Team seam (seq Int) chat_id Text, from_at Int, to_at Int, recovered Int, missing Text;
    Team outbox (uuid Text) integration_id Text, chat_id Text, reply_to Text, in_thread Int, text Text,
        author Text, holder_user Text, holder_host Text, holder_pid Int, holder_start Text, state Text,
        message_id Text, reason Text, queued_at Int, changed_at Int;
    Team operation (seq Int) at Int, author_user Text, author_host Text, author_pid Int, operation Text,
        target Text, result Text, code Int, log_id Text, reason Text, hint Text;
    Team read_mark (reader Text, chat_id Text) at Int, message_id Text, counted Int;
    Team ui (reader Text, key Text) value Text;
    Team feed (seq Int) what Int, key Text, chat_id Text;
    Team feed_mark (seq Int) at Int;
    Team role (who Text) role Text, set_by Text, set_at Int;
    Team login_state (state_hash Text) expires_at Int;
    Team session (id_hash Text) integration_id Text, app_id Text, open_id Text, name Text, generation Int,
        rotated_at Int, signed_in_at Int, expires_at Int;
    Team invitation (id_hash Text) integration_id Text, member_id Text, created_at Int, expires_at Int,
        used_at Int;
    Team press (integration_id Text, message_id Text, action Text) member_id Text, member_name Text, at Int;
    Processes lease (base_url Text, app_id Text) epoch Int, beat Int, holder_user Text, holder_host Text,
        holder_pid Int, state Text, since_at Int, last_event_at Int, last_event_via Text;
    Processes process (holder_host Text, holder_pid Int, holder_start Text) holder_user Text, ring Text,
        keys Text, seen_at Int, identity Text, what Text, since_at Int;
};

impl Table {
    fn names(&self, count: usize) -> String {
        let names: Vec<&str> = self.columns.iter().take(count).map(|(name, _)| *name).collect();
        names.join(", ")
    }

    fn values(&self, row: &Row) -> Result<Vec<Value>, StoreError> {
        let mut values = Vec::with_capacity(self.columns.len());
        for (at, (_, kind)) in self.columns.iter().enumerate() {
            values.push(
                match kind {
                    Type::Int => row.opt_int(at)?.map(Value::Int),
                    Type::Text => row.opt_text(at)?.map(|text| Value::Text(text.into())),
                    Type::Bytes => row.opt_bytes(at)?.map(|bytes| Value::Bytes(bytes.to_vec())),
                }
                .unwrap_or(Value::Null(*kind)),
            );
        }
        Ok(values)
    }
}

/// Reads a table in the order of its key, a page at a time.
pub(super) struct Pages {
    table: &'static Table,
    first: Text,
    next: Text,
    after: Option<Vec<Value>>,
}

impl Pages {
    pub(super) fn of(table: &'static Table) -> Self {
        let (all, key) = (table.names(table.columns.len()), table.names(table.key));
        let marks: Vec<String> = (1..=table.key).map(|number| format!("${number}")).collect();
        let text = |place: &str| {
            let name = table.name;
            Text::Built(format!("select {all} from {name}{place} order by {key} limit {PAGE_ROWS}").into())
        };
        Self {
            table,
            first: text(""),
            next: text(&format!(" where ({key}) > ({})", marks.join(", "))),
            after: None,
        }
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self, conn: &mut Conn) -> Result<Vec<Vec<Value>>, StoreError> {
        let query = match &self.after {
            None => Query { text: self.first.clone(), values: Vec::new() },
            Some(after) => Query { text: self.next.clone(), values: after.clone() },
        };
        let rows = query.all(conn).await?;
        let rows = rows.iter().map(|row| self.table.values(row)).collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = rows.last() {
            self.after = Some(last.iter().take(self.table.key).cloned().collect());
        }
        Ok(rows)
    }
}
