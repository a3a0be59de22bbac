use std::collections::BTreeMap;

use super::{
    super::{
        copy::TableSum,
        db::Db,
        permit,
        sql::{Bulk, Query, Text, Type, Value, q},
        table::{Scope, TABLES, Table},
    },
    *,
};
use crate::core::ids::Seq;

on_each_engine! {
    the_list_of_tables_is_the_schema,
    a_copy_has_every_row_on_either_engine,
    a_copy_goes_into_an_empty_store_alone,
    a_sound_store_has_no_findings,
    a_check_names_what_is_wrong,
}

/// As the engine itself lists them.
async fn catalog(db: &Db, bed: &Bed) -> BTreeMap<String, Vec<String>> {
    let text = match bed.is_file() {
        true => {
            "select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table'"
        }
        false => {
            "select table_name::text, column_name::text from information_schema.columns
                where table_schema = current_schema()"
        }
    };
    let mut read = db.read("list the tables").await.unwrap();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in q(text).all(&mut read).await.unwrap() {
        tables.entry(row.string(0).unwrap()).or_default().push(row.string(1).unwrap());
    }
    for own in ["store_meta", "larkdeck_schema"] {
        tables.remove(own);
    }
    tables.values_mut().for_each(|columns| columns.sort());
    tables
}

async fn the_list_of_tables_is_the_schema(bed: Bed) {
    let store = bed.open().await;
    let own = TABLES.iter().map(|table| (table.name, table.columns));
    // The call ledger's are in a file of their own beside a SQLite store.
    let ledger = permit::table::TABLES.iter().map(|table| (table.shown, table.columns));
    let ledger = ledger.filter(|_| matches!(bed.url, StoreUrl::Postgres(_)));
    let listed: BTreeMap<String, Vec<String>> = own
        .chain(ledger)
        .map(|(table, columns)| {
            let mut columns: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
            columns.sort();
            (table.to_owned(), columns)
        })
        .collect();
    assert_eq!(catalog(store.db(), &bed).await, listed);
}

/// More rows than a page, in no order, of every type, with zeros, quotes and what sorts differently elsewhere.
fn rows_of(table: &Table, count: usize) -> Vec<Value> {
    let mut values = Vec::new();
    for number in (0..count).rev() {
        for (column, kind) in table.columns {
            let number_of = i64::try_from(number).unwrap();
            values.push(match (*column, kind) {
                ("war_room", _) => Value::Int(i64::from(number == 3)),
                ("created_at" | "at", _) => Value::Int(number_of * 1_000_000_007 % 991),
                (_, Type::Int) => Value::Int(number_of - 5),
                (_, Type::Text) => {
                    let case = if number % 2 == 0 { "Ä" } else { "a" };
                    // A press is of an integration that is there.
                    let column =
                        if table.name == "press" && *column == "integration_id" { "id" } else { column };
                    Value::from(format!("{case}{column} '{number}' 值班\u{1f6a8}"))
                }
                (_, Type::Bytes) => Value::Bytes(vec![0, 255, u8::try_from(number % 256).unwrap()]),
            });
        }
    }
    values
}

async fn fill(store: &Store, count: usize) {
    for table in TABLES {
        let rows = rows_of(table, count);
        let mut tx = store.db().write("fill").await.unwrap();
        Bulk::rows(table.insert, table.columns.len(), "").run(&mut tx, rows).await.unwrap();
        // The last row has nothing where there may be nothing.
        let key = table.columns[0].0;
        for (column, kind) in &table.columns[table.key..] {
            if is_optional(table.name, column) {
                let text = format!(
                    "update {} set {column} = $1 where {key} = (select max({key}) from {})",
                    table.name, table.name
                );
                let query = Query { text: Text::Built(text.into()), values: vec![Value::Null(*kind)] };
                query.run(&mut tx).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }
    let mut tx = store.db().write("fill").await.unwrap();
    q("update store_meta set seq = 4711, feed_floor = 3, early_recalls = 9").run(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

fn is_optional(table: &str, column: &str) -> bool {
    matches!(
        (table, column),
        ("member", "email" | "phone" | "team")
            | ("message", "root_id" | "thread_id" | "mentions" | "updated_at")
            | ("room", "member_count" | "last_message_at")
            | ("operation", "code" | "log_id")
    )
}

async fn sums(store: &Store) -> Vec<TableSum> {
    let mut snapshot = store.db().snapshot("sum up").await.unwrap();
    let mut sums = Vec::new();
    for table in TABLES.iter().filter(|table| table.scope == Scope::Team) {
        sums.push(super::super::copy::sum_of(&mut snapshot, table).await.unwrap());
    }
    snapshot.end().await;
    sums
}

async fn a_copy_has_every_row_on_either_engine(bed: Bed) {
    let store = bed.open().await;
    fill(&store, 300).await;
    let other = Bed::sqlite();
    let copy = other.open().await;
    let generation = copy.generation().await.unwrap();
    let mut told = 0;
    let copied = store.copy_to(&copy, |_| told += 1).await.unwrap();
    assert_eq!(told, copied.len());
    for table in &copied {
        assert!(table.is_same(), "{table:?}");
        assert_eq!(table.to.rows, 300, "{table:?}");
    }
    let arrived: Vec<TableSum> = copied.into_iter().map(|table| table.to).collect();
    assert_eq!(sums(&store).await, arrived);
    assert_eq!(copy.head().await.unwrap(), Seq(4711));
    assert_ne!(copy.generation().await.unwrap(), generation, "cursors of before mean nothing");
    // And back, into a store of the first engine.
    let Some(third) = (if bed.is_file() { Some(Bed::sqlite()) } else { Bed::postgres().await }) else {
        return;
    };
    let back = third.open().await;
    assert!(copy.copy_to(&back, |_| {}).await.unwrap().iter().all(super::super::CopiedTable::is_same));
    assert_eq!(sums(&back).await, arrived);
}

async fn a_copy_goes_into_an_empty_store_alone(bed: Bed) {
    let store = bed.open().await;
    integration(&store).await;
    let other = Bed::sqlite();
    let taken = other.open().await;
    let id = integration(&taken).await;
    let refused = store.copy_to(&taken, |_| {}).await.unwrap_err();
    assert!(matches!(refused, StoreError::Occupied { table: "integration", .. }), "{refused}");
    assert_eq!(taken.integration(&id).await.unwrap().id, id, "nothing of it is changed");
}

async fn a_sound_store_has_no_findings(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let items = (0..600).map(|number| item(&id, message(number, &chat(number % 3), 1000))).collect();
    store.ingest(items).await.unwrap();
    store
        .ingest(vec![IngestItem {
            what: Incoming::Recalled { chat_id: chat(1), message_id: message_id(9999) },
            ..item(&id, message(1, &chat(1), 1))
        }])
        .await
        .unwrap();
    let checked = store.check().await.unwrap();
    assert_eq!(checked.findings, []);
    let messages = checked.tables.iter().find(|table| table.table == "message").unwrap();
    assert_eq!(messages.rows, 600);
}

async fn a_check_names_what_is_wrong(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    store.ingest((0..30).map(|number| item(&id, message(number, &chat(1), 1000))).collect()).await.unwrap();
    let mut tx = store.db().write("break it").await.unwrap();
    for text in [
        "delete from room",
        "update feed set seq = seq + 100000 where what = 5",
        "update secret set sealed = nonce where column_name = 'app_secret'",
    ] {
        q(text).run(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let findings = store.check().await.unwrap().findings;
    let of = |rule: &str| findings.iter().filter(|one| one.rule == rule).collect::<Vec<_>>();
    assert_eq!(of("message_room").len(), 21, "twenty by name, and how many more");
    assert_eq!(of("message_room")[20].text, "a message of a room that is not there: 10 more");
    assert_eq!(of("message_room")[0].key, message_id(0).as_str());
    assert_eq!(of("feed_seq").len(), 1);
    assert_eq!(of("secret_opens")[0].key, format!("{id} app_secret"));
    assert_eq!(findings.len(), 23, "{findings:?}");
}

#[tokio::test]
async fn who_may_change_nothing_does_not_change_the_schema() {
    let bed = Bed::sqlite();
    bed.open().await.close().await;
    let StoreUrl::Sqlite(path) = &bed.url else { panic!() };
    let mut conn = super::super::sqlite::connect(path, &"here".into(), super::super::sqlite::Role::Writer)
        .await
        .unwrap();
    q("pragma user_version = 3").run(&mut conn).await.unwrap();
    drop(conn);
    let ring = KeyRing::load(KeySource::Ephemeral, Some(&bed.url)).unwrap();
    let options = StoreOptions { url: bed.url.clone(), create: false, me: holder("ann"), name: None };
    let refused = Store::open(options, ring, Hand::new()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Older { found: 3, .. }), "{refused}");
    assert_eq!(
        Store::version_at(&bed.url, &holder("ann"), &(Hand::new() as Arc<dyn Clock>)).await.unwrap(),
        3
    );
}
