//! Whether the store is sound: what the engine says of its files, and whether the rows agree with each other.

use super::{
    StoreError, View,
    copy::{TableSum, sum_of},
    db::Home,
    key, postgres,
    sql::{Conn, q},
    table::TABLES,
};

/// Findings of one check that are told one by one.
const MOST_NAMED: usize = 20;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Short name of the rule that is broken.
    pub rule: &'static str,
    /// Of which row: its key, as far as it has one.
    pub key: String,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// What a check brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreCheck {
    /// Every table, read to the last row.
    pub tables: Vec<TableSum>,
    /// What is wrong; empty is good.
    pub findings: Vec<Finding>,
    /// Whether a process is woken by what others commit; otherwise it looks every 5 s.
    pub is_told: bool,
}

/// A rule: the query has a row for each thing that breaks it, with its key as text.
struct Rule {
    name: &'static str,
    query: &'static str,
    text: &'static str,
    fix: &'static str,
}

const RESTORE: &str =
    "Restore the store from a backup, or copy it into a new one with `larkdeck store copy`.";
const LOOK: &str = "Nothing is lost by it. Copy the store into a new one if it bothers you.";
const FETCH: &str = "Read the room's history with `larkdeck room history ROOM --fetch`.";

const RULES: &[Rule] = &[
    Rule {
        name: "message_room",
        query: "select m.message_id from message m left join room r on r.chat_id = m.chat_id
            where r.chat_id is null",
        text: "a message of a room that is not there",
        fix: FETCH,
    },
    Rule {
        name: "message_seq",
        query: "select message_id from message where seq > (select seq from store_meta where id = 1)",
        text: "a message has a number that was never given",
        fix: RESTORE,
    },
    Rule {
        name: "feed_seq",
        query: "select cast(seq as text) from feed where seq > (select seq from store_meta where id = 1)",
        text: "the feed has a number that was never given",
        fix: RESTORE,
    },
    Rule {
        name: "feed_floor",
        query: "select cast(feed_floor as text) from store_meta where feed_floor > seq",
        text: "the feed is pruned beyond its end",
        fix: RESTORE,
    },
    Rule {
        name: "early_recalls",
        query: "select cast(early_recalls as text) from store_meta
            where early_recalls <> (select count(*) from early_recall)",
        text: "recalls that wait for their message are counted wrongly",
        fix: LOOK,
    },
    Rule {
        name: "room_integration",
        query: "select r.chat_id from room r left join integration i on i.id = r.integration_id
            where i.id is null",
        text: "a room of an integration that is not there",
        fix: "Remove the integration again, should it be listed; else leave it.",
    },
    Rule {
        name: "room_member_room",
        query: "select m.chat_id from room_member m left join room r on r.chat_id = m.chat_id
            where r.chat_id is null group by m.chat_id",
        text: "people of a room that is not there",
        fix: LOOK,
    },
    Rule {
        name: "seam_room",
        query: "select cast(s.seq as text) from seam s left join room r on r.chat_id = s.chat_id
            where r.chat_id is null",
        text: "a seam of a room that is not there",
        fix: LOOK,
    },
    Rule {
        name: "mention_message",
        query: "select x.message_id from mention x left join message m on m.message_id = x.message_id
            where m.message_id is null group by x.message_id",
        text: "a mention in a message that is not there",
        fix: LOOK,
    },
    Rule {
        name: "link_member",
        query: "select l.member_id from member_link l left join member m on m.id = l.member_id
            where m.id is null",
        text: "a link of a member who is not there",
        fix: "Add the member again, or undo the run that made the link.",
    },
    Rule {
        name: "link_integration",
        query: "select l.member_id from member_link l left join integration i on i.id = l.integration_id
            where i.id is null",
        text: "a link with an integration that is not there",
        fix: LOOK,
    },
    Rule {
        name: "member_packed",
        query: "select id from member where packed not like id || '%'",
        text: "a member whom the search cannot find",
        fix: "Edit the member: `larkdeck member edit`.",
    },
    Rule {
        name: "integration_secret",
        query: "select i.name from integration i where i.app_id is not null and not exists
            (select 1 from secret s where s.integration_id = i.id and s.column_name = 'app_secret')",
        text: "an integration with an app and no App Secret",
        fix: "Give it one: `larkdeck integration edit NAME --app-secret-file F`.",
    },
    Rule {
        name: "secret_integration",
        query: "select s.integration_id from secret s left join integration i on i.id = s.integration_id
            where i.id is null",
        text: "a secret of an integration that is not there",
        fix: LOOK,
    },
    Rule {
        name: "one_war_room",
        query: "select name from integration where war_room = 1
            and (select count(*) from integration where war_room = 1) > 1",
        text: "War Room is on for more than one integration",
        fix: "Turn it off for all but one: `larkdeck integration war-room disable NAME`.",
    },
    Rule {
        name: "outbox_state",
        query: "select uuid from outbox where state not in ('queued', 'sending', 'sent', 'failed', 'unknown')",
        text: "an outgoing message in a state that there is not",
        fix: RESTORE,
    },
    Rule {
        name: "read_mark_room",
        query: "select k.chat_id from read_mark k left join room r on r.chat_id = k.chat_id
            where r.chat_id is null group by k.chat_id",
        text: "a read mark in a room that is not there",
        fix: LOOK,
    },
];

async fn broken(conn: &mut Conn, rule: &Rule) -> Result<Vec<Finding>, StoreError> {
    let finding = |key: String, text: String| Finding { rule: rule.name, key, text, fix: rule.fix };
    let rows = q(rule.query).all(conn).await?;
    let mut findings = Vec::new();
    for row in rows.iter().take(MOST_NAMED) {
        findings.push(finding(row.string(0)?, rule.text.to_owned()));
    }
    if rows.len() > MOST_NAMED {
        findings.push(finding(String::new(), format!("{}: {} more", rule.text, rows.len() - MOST_NAMED)));
    }
    Ok(findings)
}

impl View {
    /// Reads every row, asks the engine about its files, compares what has to agree, and opens every secret.
    ///
    /// # Errors
    /// The engine's: where it cannot read at all, there is nothing more to find.
    pub async fn check(&self) -> Result<StoreCheck, StoreError> {
        let mut snapshot = self.db().snapshot("check the store").await?;
        let mut findings = Vec::new();
        for text in snapshot.damage().await? {
            findings.push(Finding { rule: "engine", key: String::new(), text, fix: RESTORE });
        }
        let mut tables = Vec::new();
        for table in TABLES {
            tables.push(sum_of(&mut snapshot, table).await?);
        }
        for rule in RULES {
            findings.extend(broken(&mut snapshot, rule).await?);
        }
        findings.extend(self.unreadable_secrets(&mut snapshot).await?);
        snapshot.end().await;
        Ok(StoreCheck { tables, findings, is_told: self.is_told().await })
    }

    async fn is_told(&self) -> bool {
        match &self.db().home {
            Home::Sqlite { .. } => true,
            Home::Postgres(home) => postgres::is_told(self.db(), home).await,
        }
    }

    async fn unreadable_secrets(&self, conn: &mut Conn) -> Result<Vec<Finding>, StoreError> {
        let rows = q("select integration_id, column_name from secret order by integration_id, column_name")
            .all(conn)
            .await?;
        let mut findings = Vec::new();
        for row in rows {
            let (integration, column) = (row.parse(0, "integration id")?, row.string(1)?);
            if let Err(error) = key::check_secret(&self.inner().keys, conn, &integration, &column).await {
                findings.push(Finding {
                    rule: "secret_opens",
                    key: format!("{integration} {column}"),
                    text: error.to_string(),
                    fix: "Use the key file that sealed it, or enter the secret again.",
                });
            }
        }
        Ok(findings)
    }
}
