//! Statements with their values, and the rows that come back: the same for both databases.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, ColumnIndex, FromRow, Row as _, SqlSafeStr, SqlStr};

use crate::connection::{Connection, Link};
use crate::limits;

/// A value that a statement is given.
#[derive(Clone, Debug)]
pub(crate) enum Value<'q> {
    Number(Option<i64>),
    Text(Option<Cow<'q, str>>),
    /// A text that is not copied to be handed over.
    Shared(Arc<str>),
    Bytes(&'q [u8]),
    Flag(bool),
}

/// The values of a statement, in order.
#[derive(Debug, Default)]
pub(crate) struct Values<'q>(Vec<Value<'q>>);

/// One statement with its values.
#[derive(Debug)]
pub(crate) struct Query<'q> {
    sql: &'static str,
    values: Values<'q>,
}

/// A statement that brings many rows: `head VALUES (..), (..) tail`.
#[derive(Debug)]
pub(crate) struct ManyRows<'q> {
    head: &'static str,
    tail: String,
    rows: usize,
    values: Values<'q>,
}

/// One row.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A type that a column of either database can be read as.
pub(crate) trait Column:
    for<'r> sqlx::Decode<'r, sqlx::Sqlite>
    + sqlx::Type<sqlx::Sqlite>
    + for<'r> sqlx::Decode<'r, sqlx::Postgres>
    + sqlx::Type<sqlx::Postgres>
{
}

impl<T> Column for T where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite>
        + sqlx::Type<sqlx::Sqlite>
        + for<'r> sqlx::Decode<'r, sqlx::Postgres>
        + sqlx::Type<sqlx::Postgres>
{
}

/// A type that a row of either database can be read as: derive `sqlx::FromRow`.
pub(crate) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>
{
}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

/// A statement; its values follow by [`Query::bind`].
pub(crate) fn query<'q>(sql: &'static str) -> Query<'q> {
    Query { sql, values: Values::default() }
}

impl<'q> Query<'q> {
    /// The value of the next parameter.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Query<'q> {
        self.values.push_bind(value);
        self
    }

    /// How many rows it changed.
    pub(crate) async fn execute(self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        connection.execute(self.statement()).await
    }

    /// All its rows.
    pub(crate) async fn rows(self, connection: &mut Connection) -> Result<Vec<Row>, sqlx::Error> {
        connection.rows(self.statement()).await
    }

    /// All its rows, read.
    pub(crate) async fn fetch_all<T: Record>(
        self,
        connection: &mut Connection,
    ) -> Result<Vec<T>, sqlx::Error> {
        self.rows(connection).await?.iter().map(Row::read).collect()
    }

    /// Its first row, if it has any.
    pub(crate) async fn row(self, connection: &mut Connection) -> Result<Option<Row>, sqlx::Error> {
        Ok(self.rows(connection).await?.into_iter().next())
    }

    /// Its first row, read.
    pub(crate) async fn fetch_optional<T: Record>(
        self,
        connection: &mut Connection,
    ) -> Result<Option<T>, sqlx::Error> {
        self.row(connection).await?.as_ref().map(Row::read).transpose()
    }

    /// The first column of the first row.
    pub(crate) async fn fetch_value<T: Column>(
        self,
        connection: &mut Connection,
    ) -> Result<Option<T>, sqlx::Error> {
        self.row(connection).await?.as_ref().map(|row| row.try_get(0)).transpose()
    }

    /// The first column of the row that there must be.
    pub(crate) async fn fetch_one<T: Column>(
        self,
        connection: &mut Connection,
    ) -> Result<T, sqlx::Error> {
        self.fetch_value(connection).await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// The first column of every row.
    pub(crate) async fn fetch_values<T: Column>(
        self,
        connection: &mut Connection,
    ) -> Result<Vec<T>, sqlx::Error> {
        self.rows(connection).await?.iter().map(|row| row.try_get(0)).collect()
    }

    fn statement(self) -> Statement<'q> {
        Statement { sql: self.sql.into_sql_str(), values: self.values, keep: Keep::Prepared }
    }
}

/// Rows in pieces whose statements come again, so that the database keeps them prepared: reading
/// the text of one costs half as much as what it does.
pub(crate) fn prepared_parts<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    core::iter::from_fn(move || {
        let size = 1 << rest.len().checked_ilog2()?;
        let (part, after) = rest.split_at(size.min(limits::ROWS_PREPARED));
        rest = after;
        Some(part)
    })
}

impl<'q> ManyRows<'q> {
    /// A statement that begins with `head`, up to the word `VALUES`.
    pub(crate) fn new(head: &'static str) -> ManyRows<'q> {
        ManyRows { head, tail: String::new(), rows: 0, values: Values::default() }
    }

    /// The rows; `push` gives the values of one, as many for each.
    pub(crate) fn push_values<T>(
        &mut self,
        rows: impl IntoIterator<Item = T>,
        mut push: impl FnMut(&mut Values<'q>, T),
    ) {
        for row in rows {
            push(&mut self.values, row);
            self.rows += 1;
        }
    }

    /// What follows the rows.
    pub(crate) fn push(&mut self, tail: &str) -> &mut ManyRows<'q> {
        self.tail.push_str(tail);
        self
    }

    /// How many rows it changed.
    pub(crate) async fn execute(self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let statement = self.statement(connection.kind());
        connection.execute(statement).await
    }

    /// The first column of the row that there must be.
    pub(crate) async fn fetch_one<T: Column>(
        self,
        connection: &mut Connection,
    ) -> Result<T, sqlx::Error> {
        let statement = self.statement(connection.kind());
        let rows = connection.rows(statement).await?;
        rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)
    }

    /// The first column of every row.
    pub(crate) async fn fetch_values<T: Column>(
        self,
        connection: &mut Connection,
    ) -> Result<Vec<T>, sqlx::Error> {
        let statement = self.statement(connection.kind());
        connection.rows(statement).await?.iter().map(|row| row.try_get(0)).collect()
    }

    /// Every row that it finds.
    pub(crate) async fn rows(self, connection: &mut Connection) -> Result<Vec<Row>, sqlx::Error> {
        let statement = self.statement(connection.kind());
        connection.rows(statement).await
    }

    /// Its text. SQLite looks a numbered parameter up among all before it, which takes seconds for
    /// many rows; PostgreSQL knows only numbered ones.
    pub(crate) fn sql(&self, kind: Kind) -> String {
        let width = self.values.0.len().checked_div(self.rows).unwrap_or(0);
        let mut sql = String::with_capacity(self.head.len() + self.values.0.len() * 7 + 200);
        sql.push_str(self.head);
        sql.push_str("VALUES ");
        for row in 0..self.rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..width {
                let comma = if column == 0 { "" } else { ", " };
                match kind {
                    Kind::Sqlite => sql.extend([comma, "?"]),
                    Kind::Postgres => {
                        let number = row * width + column + 1;
                        sql.extend([comma, "$", &number.to_string()]);
                    }
                }
            }
            sql.push(')');
        }
        sql.push_str(&self.tail);
        sql
    }

    fn statement(self, kind: Kind) -> Statement<'q> {
        let sql = AssertSqlSafe(self.sql(kind)).into_sql_str();
        // One with any other number of rows hardly comes again, and takes room to keep.
        let comes_again = self.rows.is_power_of_two() && self.rows <= limits::ROWS_PREPARED;
        let keep = if comes_again { Keep::Prepared } else { Keep::Nothing };
        Statement { sql, values: self.values, keep }
    }
}

impl<'q> Values<'q> {
    /// The next value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Values<'q> {
        self.0.push(value.into());
        self
    }
}

impl Row {
    /// The value of a column, by its name or number.
    pub(crate) fn try_get<T: Column, I>(&self, column: I) -> Result<T, sqlx::Error>
    where
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    {
        match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
    }

    /// The whole row.
    pub(crate) fn read<T: Record>(&self) -> Result<T, sqlx::Error> {
        match self {
            Row::Sqlite(row) => T::from_row(row),
            Row::Postgres(row) => T::from_row(row),
        }
    }
}

/// Whether the database keeps a statement prepared for the next time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Prepared,
    Nothing,
}

/// A statement in the words of one database.
pub(crate) struct Statement<'q> {
    sql: SqlStr,
    values: Values<'q>,
    keep: Keep,
}

impl Statement<'_> {
    pub(crate) async fn execute(self, link: &mut Link) -> Result<u64, sqlx::Error> {
        let (sql, keep) = (self.sql, self.keep == Keep::Prepared);
        match link {
            Link::Sqlite(connection) => {
                let query = sqlx::query_with(sql, for_sqlite(self.values)?).persistent(keep);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
            Link::Postgres(connection) => {
                let query = sqlx::query_with(sql, for_postgres(self.values)?).persistent(keep);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
        }
    }

    pub(crate) async fn rows(self, link: &mut Link) -> Result<Vec<Row>, sqlx::Error> {
        let (sql, keep) = (self.sql, self.keep == Keep::Prepared);
        Ok(match link {
            Link::Sqlite(connection) => {
                let query = sqlx::query_with(sql, for_sqlite(self.values)?).persistent(keep);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Link::Postgres(connection) => {
                let query = sqlx::query_with(sql, for_postgres(self.values)?).persistent(keep);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }
}

fn for_sqlite(values: Values<'_>) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.0.len(), 0);
    for value in values.0 {
        match value {
            Value::Number(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text.map(Cow::into_owned)),
            Value::Shared(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Flag(flag) => arguments.add(flag),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn for_postgres(values: Values<'_>) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values.0 {
        match value {
            Value::Number(number) => arguments.add(number),
            // It has no zero characters in texts. A peer may send one in a name, and what is to
            // be remembered of it must not be refused for ever.
            Value::Text(Some(text)) if text.contains('\0') => arguments.add(text.replace('\0', "")),
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Shared(text) if text.contains('\0') => arguments.add(text.replace('\0', "")),
            Value::Shared(text) => arguments.add(&*text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Flag(flag) => arguments.add(flag),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Value::Text(Some(text.into()))
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(text: &'q String) -> Self {
        Value::from(text.as_str())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Some(text.into()))
    }
}

impl From<&Arc<str>> for Value<'_> {
    fn from(text: &Arc<str>) -> Self {
        Value::Shared(Arc::clone(text))
    }
}

impl<'q> From<Option<&'q str>> for Value<'q> {
    fn from(text: Option<&'q str>) -> Self {
        Value::Text(text.map(Into::into))
    }
}

impl<'q> From<&'q [u8]> for Value<'q> {
    fn from(bytes: &'q [u8]) -> Self {
        Value::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_pieces_of_few_sizes_and_none_is_lost() {
        for (rows, sizes) in [
            (0, vec![]),
            (1, vec![1]),
            (7, vec![4, 2, 1]),
            (128, vec![128]),
            (301, vec![128, 128, 32, 8, 4, 1]),
        ] {
            let rows: Vec<usize> = (0..rows).collect();
            let parts: Vec<_> = prepared_parts(&rows).collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), sizes);
            assert_eq!(parts.concat(), rows);
        }
    }
}
