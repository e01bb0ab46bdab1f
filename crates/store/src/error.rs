//! What can go wrong with the database, and who can do something about it.

use thiserror::Error;

/// Why the store could not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operator named a database that this version cannot use.
    #[error("setting `database`: {location:?}: {why}")]
    Location {
        /// What the setting says.
        location: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The operator named a file that cannot be made.
    #[error("setting `database`: cannot create {location:?}")]
    Create {
        /// What the setting says.
        location: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The operator named a file that is no database of ours, or that cannot be opened.
    #[error("setting `database`: cannot open {location:?}")]
    Open {
        /// What the setting says.
        location: String,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A later version of Dialplane has used this database.
    #[error(
        "setting `database`: {location:?} has schema {found}, this version knows up to {known}; \
         start the version that was used last, or restore the backup that was made before it"
    )]
    NewerSchema {
        /// What the setting says.
        location: String,
        /// The newest migration in the database.
        found: i64,
        /// The newest migration that we have.
        known: i64,
    },
    /// The schema could not be brought up to date; what was there is unchanged.
    #[error("setting `database`: cannot update the schema of {location:?}")]
    Migrate {
        /// What the setting says.
        location: String,
        /// The cause.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The caller wants what exists already.
    #[error("{0}")]
    Conflict(Conflict),
    /// The caller asks for more than fits.
    #[error("{what} must be at most {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// What a value refers to is not there.
    #[error("{field} names nothing that the client has")]
    NoSuch {
        /// The field, as the API names it.
        field: &'static str,
    },
    /// The caller wants to remove what is still used.
    #[error("it is used by {by}")]
    InUse {
        /// Who uses it.
        by: String,
    },
    /// A number of ours that the database cannot hold.
    #[error("{number} does not fit into the database")]
    TooLarge {
        /// The number.
        number: u64,
    },
    /// A row that this program did not write.
    #[error("the database holds an invalid {column}: {why}")]
    Corrupt {
        /// `table.column`.
        column: &'static str,
        /// What is wrong with the value.
        why: String,
    },
    /// The database did not do it: away, full, too slow.
    #[error("the database could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
}

/// What exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Conflict {
    /// The client has an extension of this name.
    #[error("an extension of this name exists")]
    ExtensionName,
    /// Another phone of the node has this login.
    #[error("a phone with this login exists")]
    PhoneLogin,
    /// A client of the domain has this prefix.
    #[error("a client with this prefix exists in the domain")]
    ClientPrefix,
    /// A user has this login.
    #[error("a user with this login exists")]
    UserLogin,
    /// The client has this number.
    #[error("the client has this number already")]
    Did,
    /// The number comes to another client by the same way.
    #[error("this number comes to another client from the same addresses")]
    DidOfAnother,
    /// An application has this id.
    #[error("an application with this id exists")]
    ApplicationId,
}

impl StoreError {
    /// Whether the same again would fail for ever, because of what was to be stored. Everything
    /// else passes: a database that is away comes back, a full one is given room.
    pub fn is_lasting(&self) -> bool {
        match self {
            StoreError::Conflict(_)
            | StoreError::TooMany { .. }
            | StoreError::NoSuch { .. }
            | StoreError::InUse { .. }
            | StoreError::TooLarge { .. } => true,
            StoreError::Database { source, .. } => refuses_the_values(source),
            StoreError::Location { .. }
            | StoreError::Create { .. }
            | StoreError::Open { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Migrate { .. }
            // Who has edited a row can mend it.
            | StoreError::Corrupt { .. } => false,
        }
    }

    /// Says what was being done when the database failed.
    pub(crate) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
        move |source| StoreError::Database { doing, source }
    }

    /// The same, where breaking a unique constraint means that something exists already.
    pub(crate) fn unless(
        conflict: Conflict,
        doing: &'static str,
    ) -> impl FnOnce(sqlx::Error) -> StoreError {
        move |source| match source.as_database_error() {
            Some(e) if e.is_unique_violation() => StoreError::Conflict(conflict),
            _ => StoreError::Database { doing, source },
        }
    }
}

/// Whether the database understood what it was told and will not have it.
fn refuses_the_values(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_) => true,
        sqlx::Error::Database(error) => {
            // Class 22 of PostgreSQL's codes: data exception.
            let is_data = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
            is_data.is_some_and(|e| e.code().starts_with("22"))
                || !matches!(error.kind(), sqlx::error::ErrorKind::Other)
        }
        _ => false,
    }
}
