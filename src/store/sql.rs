//! Statements and rows as every query of the store writes them, whatever the engine.
//!
//! Texts use `$1` …, RETURNING and ON CONFLICT, and only types that both engines have: 64-bit integers (also
//! for flags and instants), text and bytes. What differs between engines is in [`super::sqlite`] and
//! [`super::postgres`].

use std::{
    str::FromStr,
    sync::{Arc, OnceLock},
};

use super::{
    StoreError,
    postgres::{self, PgConn},
    sqlite::{self, SqliteConn},
};
use crate::core::time::Timestamp;

/// A value that is bound to a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// PostgreSQL wants to know of what type there is nothing: a statement is prepared once for all values.
    Null(Type),
    Int(i64),
    /// Shared: the engine takes it as it is.
    Text(Arc<str>),
    Bytes(Vec<u8>),
}

impl Value {
    const fn kind(&self) -> Type {
        match self {
            Self::Null(kind) => *kind,
            Self::Int(_) => Type::Int,
            Self::Text(_) => Type::Text,
            Self::Bytes(_) => Type::Bytes,
        }
    }
}

/// The types of values and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Text,
    Bytes,
}

/// What may be missing, and is of a known type even then.
pub(super) trait Typed {
    const TYPE: Type;
}

macro_rules! typed {
    ($($kind:ident: $($name:ty),+;)+) => {$($(
        impl Typed for $name {
            const TYPE: Type = Type::$kind;
        }
    )+)+};
}

typed! {
    Int: i64, u32, bool, Timestamp, crate::core::ids::Seq;
    Text: String, &str;
    Bytes: Vec<u8>;
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.ms())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        // No engine's text column holds U+0000.
        if value.as_bytes().contains(&0) {
            Self::Text(value.replace('\0', "\u{fffd}").into())
        } else {
            Self::Text(value.into())
        }
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<T: Into<Self> + Typed> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::TYPE), Into::into)
    }
}

macro_rules! id_values {
    ($($name:ident)*) => {$(
        impl From<&crate::core::ids::$name> for Value {
            fn from(id: &crate::core::ids::$name) -> Self {
                Self::Text(id.as_str().into())
            }
        }

        impl Typed for &crate::core::ids::$name {
            const TYPE: Type = Type::Text;
        }
    )*};
}

id_values! { OpenId ChatId MessageId ThreadId AppId TenantKey IntegrationId MemberId }

impl From<crate::core::ids::Seq> for Value {
    fn from(seq: crate::core::ids::Seq) -> Self {
        Self::Int(seq.0)
    }
}

/// The text of a statement: written out, or built once and kept.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Written(&'static str),
    Built(Arc<str>),
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Written(text) => text,
            Self::Built(text) => text,
        }
    }
}

/// A statement with its values.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) text: Text,
    pub(super) values: Vec<Value>,
}

/// A statement that is written out.
pub(super) fn q(text: &'static str) -> Query {
    Query { text: Text::Written(text), values: Vec::new() }
}

impl Query {
    /// Binds the next value.
    #[must_use]
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Has it run right before the next statement, in the same trip to the engine. For what has no rows, and
    /// whose count of changed rows nobody needs.
    pub(super) fn later(self, conn: &mut Conn) {
        conn.ahead.push(self);
    }

    /// Runs it; the number of rows that it changed.
    pub(super) async fn run(self, conn: &mut Conn) -> Result<u64, StoreError> {
        let Conn { engine, place, doing, ahead } = conn;
        match engine {
            Engine::Sqlite(conn) => {
                let query = sqlite::joined(ahead, self);
                sqlite::run(conn, query).await.map_err(|error| sqlite::explain(error, doing, place))
            }
            Engine::Postgres(conn) => {
                // Its future is large, and would make every future large that may ask something.
                let answer = Box::pin(conn.ask_all(ahead, &self)).await;
                answer.map(|answer| answer.changed).map_err(|error| postgres::explain(error, doing, place))
            }
        }
    }

    /// Runs it; all its rows.
    pub(super) async fn all(self, conn: &mut Conn) -> Result<Vec<Row>, StoreError> {
        let Conn { engine, place, doing, ahead } = conn;
        match engine {
            Engine::Sqlite(conn) => {
                let query = sqlite::joined(ahead, self);
                let rows = sqlite::all(conn, query).await;
                let rows = rows.map_err(|error| sqlite::explain(error, doing, place))?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Engine::Postgres(conn) => {
                let answer = Box::pin(conn.ask_all(ahead, &self)).await;
                let answer = answer.map_err(|error| postgres::explain(error, doing, place))?;
                Ok(answer.rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Runs it; its first row.
    pub(super) async fn one(self, conn: &mut Conn) -> Result<Option<Row>, StoreError> {
        let Conn { engine: Engine::Sqlite(sqlite), place, doing, ahead } = conn else {
            return Ok(self.all(conn).await?.into_iter().next());
        };
        let query = sqlite::joined(ahead, self);
        let row = sqlite::one(sqlite, query).await.map_err(|error| sqlite::explain(error, doing, place))?;
        Ok(row.map(Row::Sqlite))
    }

    /// Runs it; the first row that it must have.
    pub(super) async fn must(self, conn: &mut Conn) -> Result<Row, StoreError> {
        self.one(conn).await?.ok_or_else(|| StoreError::data("row", "it is missing"))
    }
}

/// What statements brought that ran in one trip to the engine.
pub(super) struct Answers {
    /// The rows of all of them, one after the other.
    pub(super) rows: Vec<Row>,
    /// How many rows each changed.
    pub(super) changed: Vec<u64>,
}

/// Runs statements one after the other, in one trip to the engine.
pub(super) async fn together(conn: &mut Conn, queries: Vec<Query>) -> Result<Answers, StoreError> {
    let Conn { engine, place, doing, ahead } = conn;
    match engine {
        Engine::Sqlite(conn) => {
            let before = ahead.len();
            ahead.extend(queries);
            let Some(last) = ahead.pop() else {
                return Ok(Answers { rows: Vec::new(), changed: Vec::new() });
            };
            let query = sqlite::joined(ahead, last);
            let answers = sqlite::each(conn, query).await;
            let (rows, mut changed) = answers.map_err(|error| sqlite::explain(error, doing, place))?;
            changed.drain(..before.min(changed.len()));
            Ok(Answers { rows: rows.into_iter().map(Row::Sqlite).collect(), changed })
        }
        Engine::Postgres(conn) => {
            let answers = Box::pin(async {
                conn.ask_each(ahead).await?;
                let mut answers = Answers { rows: Vec::new(), changed: Vec::with_capacity(queries.len()) };
                for query in &queries {
                    let answer = conn.ask(query).await?;
                    answers.rows.extend(answer.rows.into_iter().map(Row::Postgres));
                    answers.changed.push(answer.changed);
                }
                Ok(answers)
            });
            answers.await.map_err(|error| postgres::explain(error, doing, place))
        }
    }
}

/// A connection to whichever engine, and what it is used for just now.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) engine: Engine,
    pub(super) place: Arc<str>,
    pub(super) doing: &'static str,
    /// What goes with the next statement.
    pub(super) ahead: Vec<Query>,
}

#[derive(Debug)]
pub(super) enum Engine {
    Sqlite(SqliteConn),
    Postgres(PgConn),
}

/// Whose words a text is in, where the engines have none in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Conn {
    pub(super) const fn dialect(&self) -> Dialect {
        match self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// A row of an answer.
#[derive(Debug)]
pub(super) enum Row {
    Sqlite(sqlite::SqliteRow),
    Postgres(postgres::PgRow),
}

impl Row {
    pub(super) fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.opt_int(column).map(Option::unwrap_or_default)
    }

    pub(super) fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::int(row, column),
            Self::Postgres(row) => postgres::int(row, column),
        }
        .map_err(|error| StoreError::data("column", error))
    }

    pub(super) fn count(&self, column: usize) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.int(column)?.max(0)).unwrap_or(u32::MAX))
    }

    pub(super) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(super) fn at(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_ms)
    }

    pub(super) fn opt_at(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_int(column)?.map(Timestamp::from_ms))
    }

    /// Empty where it is null.
    pub(super) fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.opt_text(column).map(Option::unwrap_or_default)
    }

    pub(super) fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column).map(str::to_owned)
    }

    pub(super) fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::text(row, column),
            Self::Postgres(row) => postgres::text(row, column),
        }
        .map_err(|error| StoreError::data("column", error))
    }

    pub(super) fn opt_string(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.opt_text(column)?.map(str::to_owned))
    }

    /// Empty where it is null.
    pub(super) fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        self.opt_bytes(column).map(Option::unwrap_or_default)
    }

    pub(super) fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::bytes(row, column),
            Self::Postgres(row) => postgres::bytes(row, column),
        }
        .map_err(|error| StoreError::data("column", error))
    }

    /// A text that has to be a `T`.
    pub(super) fn parse<T: FromStr>(&self, column: usize, what: &'static str) -> Result<T, StoreError>
    where
        T::Err: ToString,
    {
        self.text(column)?.parse().map_err(|error: T::Err| StoreError::data(what, error.to_string()))
    }

    /// A text that has to be a `T` where it is there.
    pub(super) fn opt_parse<T: FromStr>(
        &self,
        column: usize,
        what: &'static str,
    ) -> Result<Option<T>, StoreError>
    where
        T::Err: ToString,
    {
        match self.opt_text(column)? {
            None => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|error: T::Err| StoreError::data(what, error.to_string()))
            }
        }
    }
}

/// How many rows one statement carries: 64 is right for both engines, and the few fixed sizes keep the number of
/// prepared texts small. A size is filled up with nothings, which costs less than a second trip to the engine.
const SIZES: [usize; 7] = [1, 2, 4, 8, 16, 32, MOST_ROWS];
const MOST_ROWS: usize = 64;

/// A statement over many rows (or many values of one list).
#[derive(Debug)]
pub(super) struct Bulk {
    head: &'static str,
    tail: &'static str,
    fixed: usize,
    columns: usize,
    shape: Shape,
    /// Made as they are needed.
    sqlite: Texts,
    postgres: Texts,
}

type Texts = [OnceLock<Arc<str>>; SIZES.len()];

/// Where the values of a [`Bulk`] stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// After an `in`.
    List,
    /// Each is what is inserted.
    Rows,
    /// As `column1`, `column2` … of rows to select from.
    Given,
}

impl Bulk {
    /// `head` and the rows `($1, $2), …` as they are, then `tail`: an insert, of whose rows the first column is never
    /// null.
    pub(super) fn rows(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { columns, shape: Shape::Rows, ..Self::list(head, tail) }
    }

    /// `head` from the rows `($1, $2), …` with the columns `column1`, `column2` …, then `tail`: a select, which has to
    /// leave out the rows of which all columns are null.
    pub(super) fn given(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { columns, shape: Shape::Given, ..Self::list(head, tail) }
    }

    /// `head` `($1, $2, …)` `tail`: what follows an `in`; some of the values may be null.
    pub(super) fn list(head: &'static str, tail: &'static str) -> Self {
        Self::list_after(0, head, tail)
    }

    /// The same where the first `fixed` values are written in `head` or `tail`.
    pub(super) fn list_after(fixed: usize, head: &'static str, tail: &'static str) -> Self {
        Self {
            head,
            tail,
            fixed,
            columns: 1,
            shape: Shape::List,
            sqlite: Texts::default(),
            postgres: Texts::default(),
        }
    }

    fn build(&self, size: usize, mark: impl Fn(&mut String, usize)) -> Arc<str> {
        let Self { head, tail, fixed, columns, shape, .. } = *self;
        let mut text = String::with_capacity(head.len() + tail.len() + size * columns * 6 + 64);
        text.push_str(head);
        if shape == Shape::Rows {
            let names: Vec<String> = (1..=columns).map(|column| format!("column{column}")).collect();
            text.push_str(&format!(" select {}", names.join(", ")));
        }
        text.push_str(if shape == Shape::List { " (" } else { " from (values (" });
        for row in 0..size {
            if row > 0 {
                text.push_str(if shape == Shape::List { ", " } else { "), (" });
            }
            for column in 1..=columns {
                text.push_str(if column == 1 { "" } else { ", " });
                mark(&mut text, fixed + row * columns + column);
            }
        }
        text.push_str(match shape {
            Shape::List => ")",
            Shape::Rows => ")) as given where column1 is not null",
            Shape::Given => ")) as given",
        });
        text.push_str(tail);
        text.into()
    }

    fn text(&self, dialect: Dialect, at: usize, size: usize) -> Option<Text> {
        let numbered = |text: &mut String, number: usize| text.push_str(&format!("${number}"));
        let text = match dialect {
            // Without fixed values SQLite's marks have no number: the engine searches a list of all of them for
            // one that has, which made half the work of an insert of 64 rows.
            Dialect::Sqlite if self.fixed == 0 => {
                self.sqlite.get(at)?.get_or_init(|| self.build(size, |text, _| text.push('?')))
            }
            Dialect::Sqlite => self.sqlite.get(at)?.get_or_init(|| self.build(size, numbered)),
            Dialect::Postgres => self.postgres.get(at)?.get_or_init(|| self.build(size, numbered)),
        };
        Some(Text::Built(Arc::clone(text)))
    }

    /// The statements that together carry `values`, row after row; the fixed values stand first, once.
    pub(super) fn queries(&self, dialect: Dialect, mut values: Vec<Value>) -> Vec<Query> {
        let fixed: Vec<Value> = values.drain(..self.fixed.min(values.len())).collect();
        let nothings: Vec<Value> =
            values.iter().take(self.columns).map(|value| Value::Null(value.kind())).collect();
        let mut values = values.into_iter();
        let mut queries = Vec::new();
        loop {
            let rows = (values.len() / self.columns).min(MOST_ROWS);
            let Some((at, size)) = (0..).zip(SIZES).find(|(_, size)| *size >= rows) else { return queries };
            let Some(text) = self.text(dialect, at, size).filter(|_| rows > 0) else { return queries };
            let mut filled = Vec::with_capacity(fixed.len() + size * self.columns);
            filled.extend(fixed.iter().cloned());
            filled.extend(values.by_ref().take(rows * self.columns));
            for _ in rows..size {
                filled.extend(nothings.iter().cloned());
            }
            queries.push(Query { text, values: filled });
        }
    }

    /// The same as [`Query::later`].
    pub(super) fn later(&self, conn: &mut Conn, values: Vec<Value>) {
        let queries = self.queries(conn.dialect(), values);
        conn.ahead.extend(queries);
    }

    /// Runs over all values; the number of rows changed.
    pub(super) async fn run(&self, conn: &mut Conn, values: Vec<Value>) -> Result<u64, StoreError> {
        let mut changed = 0;
        for query in self.queries(conn.dialect(), values) {
            changed += query.run(conn).await?;
        }
        Ok(changed)
    }

    /// Runs over all values; all rows.
    pub(super) async fn all(&self, conn: &mut Conn, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for query in self.queries(conn.dialect(), values) {
            rows.extend(query.all(conn).await?);
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(query: &Query) -> &str {
        query.text.as_str()
    }

    #[test]
    fn bulk_statements_carry_every_value_once_in_order() {
        let bulk = Bulk::rows("insert into t (a, b)", 2, " on conflict do nothing");
        for rows in [0usize, 1, 3, 4, 5, 63, 64, 65, 200] {
            let values: Vec<Value> = (0..i64::try_from(rows).unwrap() * 2).map(Value::Int).collect();
            let queries = bulk.queries(Dialect::Sqlite, values.clone());
            let mut carried: Vec<Value> = queries.into_iter().flat_map(|query| query.values).collect();
            // What fills a statement up is null, of the type of its column.
            let filling = carried.split_off(values.len());
            assert!(filling.len() <= values.len());
            assert!(filling.iter().all(|value| *value == Value::Null(Type::Int)), "{filling:?}");
            assert_eq!(carried, values);
        }
        let first = |bulk: &Bulk, dialect, count| {
            text(&bulk.queries(dialect, vec![Value::Int(0); count])[0]).to_owned()
        };
        let insert = |marks: &str| {
            format!(
                "insert into t (a, b) select column1, column2 from (values {marks}) as given \
                 where column1 is not null on conflict do nothing"
            )
        };
        assert_eq!(first(&bulk, Dialect::Sqlite, 4), insert("(?, ?), (?, ?)"));
        assert_eq!(first(&bulk, Dialect::Postgres, 4), insert("($1, $2), ($3, $4)"));
        let given = Bulk::given("select column2", 2, " order by column1");
        let select = "select column2 from (values (?, ?)) as given order by column1";
        assert_eq!(first(&given, Dialect::Sqlite, 2), select);
        let list = Bulk::list("select a from t where a in", " order by a");
        assert_eq!(first(&list, Dialect::Sqlite, 3), "select a from t where a in (?, ?, ?, ?) order by a");
        let list = Bulk::list_after(1, "delete from t where a = $1 and b in", "");
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            assert_eq!(first(&list, dialect, 3), "delete from t where a = $1 and b in ($2, $3)");
        }
    }

    #[test]
    fn no_text_carries_a_zero() {
        assert_eq!(Value::from("a\0b"), Value::Text("a\u{fffd}b".into()));
    }
}
