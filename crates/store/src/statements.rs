//! Proves of every statement that it names the tenant and finds its rows by an index.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use leg::{
    Binding, CallStatus, CallTrace, CdrFlow, CdrLeg, Event, EventKind, Message, PinKind, Recording,
    SavedCall, WrongPinCount,
};
use model::{
    CallApiId, CallId, CallUuid, DeviceId, DisplayName, EndReason, ExtensionId, ExtensionKind,
    ExtensionName, ExtensionShown, FileFormat, FileId, IncomingRule, Login, NodeAddress, RuleId,
    RuleKind, Secret, Status, TenantId, Wall,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::query::Kind;
use crate::{
    NewExtension, NewPhone, Store, applications, audit, bindings, call_traces, cdr_legs, claims,
    clients, control_groups, dial_rules, dids, events, extensions, intervals, messages, phones,
    positions, recordings, replacements, rules, saved_calls, settings, sounds, tokens, trunks,
    users, wrong_pins,
};

/// Statements that do not name a tenant, each for the reason that stands beside it in its file:
/// they find the tenant, serve the node at its start, or keep what is common to all tenants.
const WITHOUT_TENANT: &[&str] = &[
    "applications.SELECT_BY_APP_ID",
    "bindings.SELECT_LIVE",
    "claims.COUNT_CLAIM",
    "clients.INSERT",
    "clients.SELECT_ALL",
    "clients.SELECT_BY_PREFIX",
    "control_groups.SELECT_ALL",
    "dial_rules.SELECT_ALL",
    "dids.SELECT_ALL",
    "extensions.SELECT_ALL",
    "intervals.SELECT_ALL",
    "messages.SELECT_TO_MAIL",
    "messages.named",
    "phones.ALL_LOGINS",
    "phones.LOGIN_IS_TAKEN",
    "positions.CLAIM",
    "positions.SELECT_OF_NODE",
    "positions.UPDATE",
    "recordings.SELECT_TO_CONVERT",
    "recordings.converted",
    "recordings.named",
    "replacements.SELECT_ALL",
    "rules.SELECT_ALL",
    "rules.SELECT_ALL_ANIS",
    "saved_calls.SELECT_ALL",
    "settings.SELECT_ALL",
    "sounds.SELECT_ALL",
    "sounds.named",
    "tokens.DELETE_EXPIRED",
    "tokens.SELECT_BEARER",
    "trunks.SELECT_ALL",
    "users.SELECT_BY_LOGIN",
    "wrong_pins.SELECT_LIVE",
];

/// Statements that read a table from end to end, since they are for all of it.
const WHOLE_TABLE: &[&str] = &[
    "bindings.SELECT_LIVE",
    "clients.SELECT_ALL",
    "control_groups.SELECT_ALL",
    "dial_rules.SELECT_ALL",
    "dids.SELECT_ALL",
    "extensions.SELECT_ALL",
    "intervals.SELECT_ALL",
    "phones.ALL_LOGINS",
    "replacements.SELECT_ALL",
    "rules.SELECT_ALL",
    "rules.SELECT_ALL_ANIS",
    "saved_calls.SELECT_ALL",
    "settings.SELECT_ALL",
    "sounds.SELECT_ALL",
    "trunks.SELECT_ALL",
    "wrong_pins.SELECT_LIVE",
];

fn all(kind: Kind) -> Vec<(String, String)> {
    let files: [(&str, &[(&str, &str)]); 24] = [
        ("applications", applications::STATEMENTS),
        ("audit", audit::STATEMENTS),
        ("bindings", bindings::STATEMENTS),
        ("call_traces", call_traces::STATEMENTS),
        ("claims", claims::STATEMENTS),
        ("clients", clients::STATEMENTS),
        ("control_groups", control_groups::STATEMENTS),
        ("dial_rules", dial_rules::STATEMENTS),
        ("dids", dids::STATEMENTS),
        ("extensions", extensions::STATEMENTS),
        ("intervals", intervals::STATEMENTS),
        ("messages", messages::STATEMENTS),
        ("phones", phones::STATEMENTS),
        ("positions", positions::STATEMENTS),
        ("rules", rules::STATEMENTS),
        ("recordings", recordings::STATEMENTS),
        ("replacements", replacements::STATEMENTS),
        ("saved_calls", saved_calls::STATEMENTS),
        ("settings", settings::STATEMENTS),
        ("sounds", sounds::STATEMENTS),
        ("tokens", tokens::STATEMENTS),
        ("trunks", trunks::STATEMENTS),
        ("users", users::STATEMENTS),
        ("wrong_pins", wrong_pins::STATEMENTS),
    ];
    let fixed = files.into_iter().flat_map(|(file, statements)| {
        statements.iter().map(move |(name, sql)| (format!("{file}.{name}"), (*sql).to_owned()))
    });
    fixed.chain(many_rows(kind)).collect()
}

/// The statements that are put together for many rows, with two rows.
fn many_rows(kind: Kind) -> Vec<(String, String)> {
    let (tenant, id) = (TenantId(1), ExtensionId(100_000));
    let key = (tenant, id, DeviceId(1));
    let (phone, extension) = (new_phone(), new_extension());
    let phone = (id, extension.phone_with(phone.logins[0].clone()).unwrap());
    let call = SavedCall { tenant, call: CallId(1), exchange: vec![], stack: vec![] };
    let pair = ((tenant, id), (ExtensionId(100_001), Wall(1)));
    let (event, leg, binding) = (event(), leg(), binding());
    let two = [key, key];
    let (two_pairs, two_keys) = ([pair, pair], [pair.0, pair.0]);
    let rule = IncomingRule::new(RuleId(1), RuleKind::Busy);
    let trace = CallTrace {
        tenant,
        call: CallUuid(1),
        did: None,
        caller: None,
        began: Wall(0),
        lines: Vec::new(),
    };
    let (message, names) = (message(), ["1".to_owned(), "2".to_owned()]);
    let left = [(&message, 1), (&message, 1)];
    let recording = recording();
    let recorded = [(&recording, 1), (&recording, 1)];
    let count = WrongPinCount {
        tenant,
        pin: PinKind::Replace,
        actor: None,
        target: id,
        wrong: 1,
        at: Wall(0),
        until: Wall(1),
    };
    let row = audit::Columns::example();
    let rows = [row.clone(), row];
    [
        ("audit.add", Ok(audit::add_statement(&rows))),
        ("bindings.save", bindings::save_statement(&[(key, &binding), (key, &binding)])),
        ("bindings.forget", bindings::forget_statement(&two)),
        ("call_traces.add", call_traces::add_statement(&[&trace, &trace])),
        ("cdr_legs.add", cdr_legs::add_statement(&[&leg, &leg])),
        ("events.add", events::add_statement(&[&event, &event])),
        (
            "extensions.insert",
            extensions::insert_statement(tenant, 1, &[extension.clone(), extension]),
        ),
        ("messages.add", messages::add_statement(NodeAddress(1), &left)),
        ("recordings.add", recordings::add_statement(NodeAddress(1), &recorded)),
        ("recordings.named", Ok(recordings::named_statement(&names))),
        ("recordings.converted", Ok(recordings::converted_statement(&names))),
        ("messages.named", Ok(messages::named_statement(&names))),
        ("sounds.named", Ok(sounds::named_statement(&names))),
        ("phones.insert", phones::insert_statement(tenant, &[phone.clone(), phone])),
        ("rules.insert", rules::insert_statement(tenant, id, &[rule.clone(), rule])),
        ("replacements.save", replacements::save_statement(&two_pairs)),
        ("replacements.forget", replacements::forget_statement(&two_keys)),
        ("saved_calls.save", saved_calls::save_statement(&[&call, &call])),
        (
            "saved_calls.forget",
            saved_calls::forget_statement(&[(tenant, CallId(1)), (tenant, CallId(2))]),
        ),
        ("wrong_pins.save", wrong_pins::save_statement(&[&count, &count])),
    ]
    .into_iter()
    .map(|(name, statement)| (name.to_owned(), statement.unwrap().sql(kind)))
    .collect()
}

#[test]
fn every_file_with_statements_is_looked_at() {
    let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let with_statements: BTreeSet<_> = sources
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            !["db.rs", "query.rs", "statements.rs"].iter().any(|own| path.ends_with(own))
        })
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.contains("db::statements! {") || text.contains("ManyRows::new(")
        })
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let seen: BTreeSet<_> = all(Kind::Sqlite)
        .into_iter()
        .filter_map(|(name, _)| Some(name.split_once('.')?.0.to_owned()))
        .collect();
    assert_eq!(seen, with_statements);
}

#[test]
fn every_statement_names_the_tenant_or_has_a_reason_not_to() {
    let mut without: Vec<_> = all(Kind::Sqlite)
        .into_iter()
        .filter(|(name, sql)| !names_the_tenant(name, sql))
        .map(|(name, _)| name)
        .collect();
    without.sort();
    assert_eq!(without, WITHOUT_TENANT);
}

fn names_the_tenant(name: &str, sql: &str) -> bool {
    if sql.starts_with("INSERT") {
        return sql.contains("client_id");
    }
    let condition = sql.split_once(" WHERE ").map_or("", |(_, condition)| condition);
    let own_id = name.starts_with("clients.") && condition.starts_with("id = $1");
    own_id || condition.contains("client_id = $1") || condition.starts_with("(client_id, ")
}

#[tokio::test]
async fn sqlite_finds_the_rows_of_every_statement_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    Store::open(path.to_str().unwrap()).await.unwrap().close().await;
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    for (name, sql) in all(Kind::Sqlite) {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        // The rows that the statement itself brings are scanned, of course.
        let own = |step: &str| step.contains("CONSTANT ROW") || step.contains("VALUES CLAUSE");
        let scans = steps.iter().any(|step| step.starts_with("SCAN") && !own(step));
        assert_eq!(scans, WHOLE_TABLE.contains(&name.as_str()), "{name}: {steps:#?}");
    }
}

/// How programs ask for call records and events, by time, by extension, by call and in order: few
/// indexes, which serve all of it.
const ASKED: [(&str, &str); 5] = [
    ("SELECT * FROM cdr_legs WHERE client_id = 1 AND init_us BETWEEN 2 AND 3", "in_time"),
    (
        "SELECT * FROM cdr_legs WHERE client_id = 1 AND init_us BETWEEN 2 AND 3 \
         AND extension_id = 4 ORDER BY init_us DESC",
        "in_time",
    ),
    ("SELECT * FROM cdr_legs WHERE client_id = 1 AND call_uuid = 'a'", "call_uuid"),
    ("SELECT * FROM events WHERE client_id = 1 AND id > 2 ORDER BY id", "in_order"),
    ("SELECT * FROM events WHERE client_id = 1 AND call_uuid = 'a' ORDER BY sequence", "call_uuid"),
];

#[tokio::test]
async fn records_and_events_are_found_by_an_index_however_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    Store::open(path.to_str().unwrap()).await.unwrap().close().await;
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    for (sql, index) in ASKED {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let steps = steps.join("; ");
        assert!(steps.starts_with("SEARCH") && steps.contains(index), "{sql}: {steps}");
        // In the order of the index, not sorted after it.
        assert!(!steps.contains("TEMP B-TREE"), "{sql}: {steps}");
    }
    let Some(server) = testdb::shared() else { return };
    let location = server.database();
    Store::open(&location).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&location).await.unwrap();
    sqlx::raw_sql("SET enable_seqscan = off").execute(&mut connection).await.unwrap();
    for (sql, index) in ASKED {
        let explain = AssertSqlSafe(format!("EXPLAIN {sql}"));
        let plan = sqlx::raw_sql(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let steps = steps.join("; ");
        assert!(!steps.contains("Seq Scan") && steps.contains(index), "{sql}: {steps}");
    }
}

#[tokio::test]
async fn postgresql_finds_the_rows_of_every_statement_by_an_index() {
    let Some(server) = testdb::shared() else { return };
    let location = server.database();
    Store::open(&location).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&location).await.unwrap();
    // Empty tables are scanned because they are empty. So let it scan only where it must.
    sqlx::raw_sql("SET enable_seqscan = off").execute(&mut connection).await.unwrap();
    for (name, sql) in all(Kind::Postgres) {
        let explain = AssertSqlSafe(format!("EXPLAIN {}", with_values(&sql)));
        let plan = sqlx::raw_sql(explain).fetch_all(&mut connection).await;
        let plan = plan.unwrap_or_else(|error| panic!("{name}: {error}"));
        let steps: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let scans = steps.iter().any(|step| step.contains("Seq Scan"));
        // It may read a whole table in the order of an index.
        assert!(!scans || WHOLE_TABLE.contains(&name.as_str()), "{name}: {steps:#?}");
    }
}

/// Values in the place of parameters: a plan is made for some.
fn with_values(sql: &str) -> String {
    // Those of a list of keys have no column that would tell their type; all ours are numbers.
    let value = if sql.contains(") IN (VALUES") { "1" } else { "'1'" };
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(value);
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    text
}

fn new_phone() -> NewPhone {
    NewPhone { logins: vec![Login::parse("a").unwrap()], password: Secret::new("b") }
}

fn new_extension() -> NewExtension {
    NewExtension {
        name: ExtensionName::parse("100").unwrap(),
        kind: ExtensionKind::Phone,
        status: Status::Active,
        label: DisplayName::default(),
        caller_id_name: None,
        group: None,
        shown: ExtensionShown::default(),
        phone: Some(new_phone()),
        created: Wall(0),
    }
}

fn event() -> Event {
    Event {
        tenant: TenantId(1),
        extension: ExtensionId(100_000),
        kind: EventKind::DialIn,
        time: Wall(0),
        sequence: 1,
        call: CallApiId { node: NodeAddress(1), uuid: CallUuid(1) },
        sub_call_id: "".into(),
        incoming: true,
        status: CallStatus::Calling,
        caller_number: "".into(),
        caller_name: "".into(),
        called_number: "".into(),
        transferred: false,
        called_did: None,
        caller_extension: None,
        called_extension: None,
        duration_us: None,
        bridged_us: None,
        record: None,
        reason: None,
    }
}

fn leg() -> CdrLeg {
    CdrLeg {
        tenant: TenantId(1),
        call: CallUuid(1),
        sub_call_id: "".into(),
        extension: ExtensionId(100_000),
        extension_name: "".into(),
        extension_kind: "".into(),
        flow: CdrFlow::In,
        reason: EndReason::Busy,
        status: None,
        init_time: Wall(0),
        answer_time: None,
        hangup_time: Wall(0),
        talk_us: 0,
        from: Default::default(),
        to: Default::default(),
        did_number: None,
        asserted: None,
    }
}

fn message() -> Message {
    Message {
        tenant: TenantId(1),
        extension: ExtensionId(100_000),
        file: FileId(1),
        length_ms: 1,
        call: CallUuid(1),
        sub_call_id: "".into(),
        caller_number: "".into(),
        caller_name: "".into(),
        did: None,
        time: Wall(0),
    }
}

fn recording() -> Recording {
    Recording {
        tenant: TenantId(1),
        extension: ExtensionId(100_000),
        file: FileId(1),
        length_ms: 1,
        call: CallUuid(1),
        sub_call_id: "".into(),
        time: Wall(0),
        format: FileFormat::Opus,
    }
}

fn binding() -> Binding {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
    Binding {
        contact: String::new(),
        call_id: String::new(),
        cseq: 1,
        q: 1_000,
        expires: Wall(0),
        transport: "UDP".to_owned(),
        local: address,
        remote: address,
        path: vec![],
        user_agent: String::new(),
        instance: None,
    }
}
