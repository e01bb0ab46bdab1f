//! What every file with statements uses: how they are defined, and what is read from the database
//! as ours.

use model::TenantId;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::query::query;

/// Defines the statements of a file, and lists them for the test that explains each.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*
        #[cfg(test)]
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;

/// A number of ours as the database holds it; ids and counters stay far below its bound.
pub(crate) fn signed(n: u64) -> Result<i64, StoreError> {
    i64::try_from(n).map_err(|_| StoreError::TooLarge { number: n })
}

/// A number of the database as ours.
pub(crate) fn unsigned<T: TryFrom<i64>>(n: i64, column: &'static str) -> Result<T, StoreError> {
    T::try_from(n).map_err(|_| StoreError::Corrupt { column, why: format!("{n} is out of range") })
}

/// The same of a number that may be absent.
pub(crate) fn optional<T: TryFrom<i64>>(
    n: Option<i64>,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    n.map(|n| unsigned(n, column)).transpose()
}

/// A number of ours that may be absent, as the database holds it.
pub(crate) fn optional_signed(n: Option<u64>) -> Result<Option<i64>, StoreError> {
    n.map(signed).transpose()
}

/// What the parser of a domain type says, with the column that holds the text.
pub(crate) fn corrupt<E: std::fmt::Display>(column: &'static str) -> impl FnOnce(E) -> StoreError {
    move |e| StoreError::Corrupt { column, why: e.to_string() }
}

/// A text of a closed set that is none of it.
pub(crate) fn unknown_word(column: &'static str, word: &str) -> StoreError {
    StoreError::Corrupt { column, why: format!("{word:?} is no value of it") }
}

/// Refuses one more when a client has as many as it may have; `count` counts them.
pub(crate) async fn room(
    connection: &mut Connection,
    count: &'static str,
    tenant: TenantId,
    what: &'static str,
    max: usize,
) -> Result<(), StoreError> {
    let there: i64 = query(count)
        .bind(signed(tenant.0)?)
        .fetch_one(connection)
        .await
        .map_err(StoreError::doing("count what a client has"))?;
    let full = usize::try_from(there).map_or(true, |there| there >= max);
    if full { Err(StoreError::TooMany { what, max }) } else { Ok(()) }
}
