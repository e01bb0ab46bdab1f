//! The schema is written down once for each database: both must come to the same.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::support::World;

/// Everything of a schema, a line each: columns, keys, indexes, references.
type Schema = BTreeSet<String>;

const SQLITE: &str = "
    SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type ||
        CASE WHEN c.\"notnull\" OR c.pk THEN ' NOT NULL' ELSE '' END
    FROM tables t, pragma_table_info(t.name) c
    UNION ALL
    SELECT 'index ' || name || ' (' || group_concat(column_name, ', ') || ')'
        || CASE WHEN is_unique THEN ' UNIQUE' ELSE '' END
    FROM (SELECT t.name, i.name AS index_name, i.\"unique\" AS is_unique, c.name AS column_name
        FROM tables t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
        ORDER BY t.name, i.name, c.seqno) GROUP BY name, index_name, is_unique
    UNION ALL
    SELECT 'index ' || t.name || ' (' || c.name || ') UNIQUE'
    FROM tables t, pragma_table_info(t.name) c
    WHERE c.pk = 1 AND c.type = 'INTEGER'
        AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name) i WHERE i.origin = 'pk')
    UNION ALL
    SELECT 'reference ' || t.name || '.' || f.\"from\" || ' to ' || f.\"table\" || '.' || f.\"to\"
        || ' ' || f.on_delete
    FROM tables t, pragma_foreign_key_list(t.name) f";

const POSTGRESQL: &str = "
    SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, -1) ||
        CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
    FROM tables c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'index ' || c.relname || ' (' || string_agg(a.attname, ', ' ORDER BY k.n) || ')'
        || CASE WHEN i.indisunique THEN ' UNIQUE' ELSE '' END
    FROM tables c JOIN pg_index i ON i.indrelid = c.oid
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(column_number, n)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.column_number
    GROUP BY c.relname, i.indexrelid, i.indisunique
    UNION ALL
    SELECT 'reference ' || c.relname || '.' || a.attname || ' to ' || d.relname || '.' || b.attname
        || ' ' || CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'a' THEN 'NO ACTION'
            ELSE f.confdeltype::text END
    FROM tables c JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f'
    JOIN pg_class d ON d.oid = f.confrelid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
    JOIN pg_attribute b ON b.attrelid = d.oid AND b.attnum = f.confkey[1]";

async fn of_sqlite(location: &str) -> Schema {
    let tables = "WITH tables AS (SELECT name FROM sqlite_schema WHERE type = 'table'
        AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%')";
    let sql = sqlx::AssertSqlSafe(format!("{tables} {SQLITE}"));
    let mut connection = SqliteConnection::connect(location).await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

async fn of_postgresql(location: &str) -> Schema {
    let tables = "WITH tables AS (SELECT oid, relname FROM pg_class WHERE relkind = 'r'
        AND relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_sqlx\\_%')";
    let sql = sqlx::AssertSqlSafe(format!("{tables} {POSTGRESQL}"));
    let mut connection = PgConnection::connect(location).await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| in_words_of_sqlite(row.get(0))).collect()
}

/// SQLite has one type for all whole numbers, flags included.
fn in_words_of_sqlite(line: String) -> String {
    [(" bigint", " INTEGER"), (" boolean", " INTEGER"), (" text", " TEXT"), (" bytea", " BLOB")]
        .into_iter()
        .fold(
            line,
            |line, (theirs, ours)| {
                if line.starts_with("column ") { line.replace(theirs, ours) } else { line }
            },
        )
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_keys_and_indexes() {
    let sqlite = World::on_sqlite().await;
    let Some(postgresql) = World::on_postgresql().await else { return };
    let (a, b) = (of_sqlite(&sqlite.location).await, of_postgresql(&postgresql.location).await);
    let only = |one: &Schema, other: &Schema| one.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!((only(&a, &b), only(&b, &a)), (vec![], vec![]), "only SQLite, only PostgreSQL");
    // That the comparison sees what it should.
    for line in [
        "column phones.vm_enabled INTEGER NOT NULL",
        "column users.comment TEXT",
        "index extensions (client_id, name) UNIQUE",
        "index cdr_legs (call_uuid, client_id, sub_call_id) UNIQUE",
        "index clients (id) UNIQUE",
        "index tokens (hash) UNIQUE",
        "reference tokens.user_id to users.id CASCADE",
    ] {
        assert!(a.contains(line), "{line}: {a:#?}");
    }
}

/// The numbers and names of the migrations of one database.
fn migrations(database: &str) -> BTreeSet<String> {
    let folder = format!("{}/migrations/{database}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    let sqlite = migrations("sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, migrations("postgres"));
}
