//! The audit: every row once, in a chain that shows what was done to it.

use leg::{Audit, AuditAction, AuditExtension, AuditSource, Record};
use model::{CallUuid, ExtensionId, NodeAddress, TenantId, Wall};
use store::{AuditActor, AuditOrder, AuditQuery, AuditRow, JournalId};

use crate::control_groups::{groups, program};
use crate::support::{NOW, World};

const JOURNAL: JournalId = JournalId { node: NodeAddress(7), shard: 0 };
const TENANT: TenantId = TenantId(1);

/// `seconds` after the beginning; every third is refused.
fn attempt(tenant: TenantId, seconds: i64) -> Audit {
    let extension = |id, name: &str| AuditExtension { id, name: name.into() };
    let allowed = seconds % 3 != 0;
    Audit {
        tenant,
        time: Wall(NOW.0 + seconds * 1_000_000),
        source: AuditSource::Phone,
        actor: Some(extension(Some(ExtensionId(100_000)), "0003*100")),
        program: None,
        action: if seconds % 2 == 0 { AuditAction::Pickup } else { AuditAction::Eavesdrop },
        target: Some(extension(None, "999")),
        call: allowed.then_some(CallUuid(5)),
        allowed,
        clause: if allowed { "eavesdrop".into() } else { "nothing".into() },
        groups: if allowed { vec!["support".into(), "Ночь".into()] } else { vec![] },
        detail: None,
    }
}

fn records(rows: &[Audit]) -> Vec<Record> {
    rows.iter().map(|row| Record::Audit(Box::new(row.clone()))).collect()
}

/// Rows that happen at these seconds, each a step of its own.
async fn happen(world: &World, tenant: TenantId, seconds: impl Iterator<Item = i64>) {
    let after = world.positions(JOURNAL.node).await.unwrap().remove(&JOURNAL).unwrap_or(0);
    let steps = (after + 1..).zip(seconds.map(|s| records(&[attempt(tenant, s)])));
    world.apply(JOURNAL, after + 1, &steps.collect::<Vec<_>>()).await.unwrap();
}

fn everything() -> AuditQuery {
    AuditQuery {
        start: None,
        end: None,
        actor: None,
        action: None,
        allowed: None,
        order: AuditOrder::Oldest,
        offset: 0,
        limit: 10_000,
    }
}

async fn rows(world: &World, tenant: TenantId) -> Vec<AuditRow> {
    world.audit(tenant, &everything()).await.unwrap()
}

/// What a check says: the number of good rows, and the first that is not.
async fn check(world: &World, tenant: TenantId) -> (u64, Option<u64>) {
    let found = world.check_audit(tenant).await.unwrap();
    (found.rows, found.broken)
}

async fn every_field_of_a_row_comes_back(world: World) {
    let mut api = attempt(TENANT, 3);
    (api.source, api.program, api.actor) = (AuditSource::Api, Some(program()), None);
    (api.target, api.detail) = (None, Some("groups: +\"a\"; 'b'".into()));
    let written = [attempt(TENANT, 1), attempt(TENANT, 2), api];
    world.apply(JOURNAL, 1, &[(1, records(&written))]).await.unwrap();
    let read = rows(&world, TENANT).await;
    assert_eq!(read.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(read.into_iter().map(|row| row.audit).collect::<Vec<_>>(), written);
}

async fn a_batch_that_comes_again_lengthens_no_chain(world: World) {
    let batch = [(1, records(&[attempt(TENANT, 1)])), (2, records(&[attempt(TENANT, 2)]))];
    let (a, b) = tokio::join!(world.apply(JOURNAL, 1, &batch), world.apply(JOURNAL, 1, &batch));
    assert_eq!(a.unwrap().written + b.unwrap().written, 2);
    world.apply(JOURNAL, 1, &batch).await.unwrap();
    assert_eq!(check(&world, TENANT).await, (2, None));
    assert_eq!(rows(&world, TENANT).await.len(), 2);
}

async fn writers_side_by_side_make_one_chain(world: World) {
    let tenant = world.client("0003").await;
    let batch = |n| [(1, records(&[attempt(tenant, n), attempt(tenant, n + 1)]))];
    let (one, two) = (batch(1), batch(3));
    let other = JournalId { shard: 1, ..JOURNAL };
    let document = groups(&["a: 100"]);
    let (a, b, c) = tokio::join!(
        world.apply(JOURNAL, 1, &one),
        world.apply(other, 1, &two),
        world.write_control_groups(tenant, &document, program(), NOW),
    );
    assert!(a.is_ok() && b.is_ok() && c.unwrap());
    assert_eq!(check(&world, tenant).await, (5, None));
}

async fn each_client_has_a_chain_of_its_own(world: World) {
    let mixed = [attempt(TenantId(2), 1), attempt(TENANT, 1), attempt(TenantId(2), 2)];
    world.apply(JOURNAL, 1, &[(1, records(&mixed))]).await.unwrap();
    assert_eq!(check(&world, TENANT).await, (1, None));
    assert_eq!(check(&world, TenantId(2)).await, (2, None));
    assert_eq!(check(&world, TenantId(3)).await, (0, None));
    assert!(rows(&world, TENANT).await.iter().all(|row| row.audit.tenant == TENANT));
}

async fn a_hash_is_that_of_the_hash_before_and_the_columns(world: World) {
    use sha2::{Digest, Sha256};
    world
        .apply(JOURNAL, 1, &[(1, records(&[attempt(TENANT, 1), attempt(TENANT, 3)]))])
        .await
        .unwrap();
    let texts = [
        r#"[1,1,1700000001000000,"phone",100000,"0003*100",null,null,null,"eavesdrop",null,"999",\
           "00000000000000000000000000000005",true,"eavesdrop","[\"support\",\"Ночь\"]",null]"#,
        r#"[1,2,1700000003000000,"phone",100000,"0003*100",null,null,null,"eavesdrop",null,"999",\
           null,false,"nothing","[]",null]"#,
    ];
    let mut hash = [0; 32];
    for (row, text) in rows(&world, TENANT).await.iter().zip(texts) {
        let text = text.replace("\\\n           ", "");
        hash = Sha256::new().chain_update(hash).chain_update(&text).finalize().into();
        assert_eq!(row.hash, hash, "{text}");
    }
    assert_eq!(world.check_audit(TENANT).await.unwrap().hash, hash);
}

async fn whatever_is_done_to_a_row_is_noticed(world: World) {
    happen(&world, TENANT, 1..=5).await;
    assert_eq!(check(&world, TENANT).await, (5, None));
    let of = |column: &str, value: &str| {
        format!("UPDATE audit SET {column} = {value} WHERE client_id = 1 AND number = 3")
    };
    let columns = [
        ("time_us", "time_us + 1", "time_us - 1"),
        ("source", "'api'", "'phone'"),
        ("actor_id", "1", "100000"),
        ("actor_name", "'0003*101'", "'0003*100'"),
        ("user_id", "1", "NULL"),
        ("user_login", "''", "NULL"),
        ("application", "'a'", "NULL"),
        ("action", "'whisper'", "'eavesdrop'"),
        ("target_id", "0", "NULL"),
        ("target_name", "NULL", "'999'"),
        ("call_uuid", "'5'", "NULL"),
        ("allowed", "true", "false"),
        ("clause", "'allow_all'", "'nothing'"),
        ("clause_groups", "'[\"a\"]'", "'[]'"),
        ("detail", "'a'", "NULL"),
    ];
    for (column, other, own) in columns {
        world.tamper(&of(column, other)).await;
        assert_eq!(check(&world, TENANT).await, (2, Some(3)), "{column}");
        world.tamper(&of(column, own)).await;
        assert_eq!(check(&world, TENANT).await, (5, None), "{column}");
    }
    world.tamper("UPDATE audit SET client_id = 2 WHERE number = 3").await;
    assert_eq!(check(&world, TENANT).await, (2, Some(3)), "given to another client");
    assert_eq!(check(&world, TenantId(2)).await, (0, Some(1)), "taken from another client");
}

async fn a_row_that_is_removed_or_added_by_hand_is_noticed(world: World) {
    let table: [(&str, (u64, Option<u64>)); 7] = [
        ("DELETE FROM audit WHERE number = 1", (0, Some(1))),
        ("DELETE FROM audit WHERE number = 3", (2, Some(3))),
        ("DELETE FROM audit WHERE number = 5", (4, Some(5))),
        (
            "DELETE FROM audit WHERE number = 3; \
             UPDATE audit SET number = number - 1 WHERE number = 4; \
             UPDATE audit SET number = number - 1 WHERE number = 5",
            (2, Some(3)),
        ),
        ("DELETE FROM audit_heads", (0, Some(1))),
        ("UPDATE audit_heads SET number = 4", (4, Some(5))),
        (
            "UPDATE audit SET number = 6 WHERE number = 5; UPDATE audit_heads SET number = 6",
            (4, Some(5)),
        ),
    ];
    for (n, (sql, expected)) in (1i64..).zip(table) {
        let tenant = TenantId(u64::try_from(n).unwrap());
        happen(&world, tenant, 1..=5).await;
        let own = sql.replace("WHERE ", &format!("WHERE client_id = {n} AND "));
        let own: Vec<_> = own
            .split("; ")
            .map(|one| match one.contains("WHERE") {
                true => one.to_owned(),
                false => format!("{one} WHERE client_id = {n}"),
            })
            .collect();
        world.tamper(&own.join("; ")).await;
        assert_eq!(check(&world, tenant).await, expected, "{sql}");
    }
    // A last row with a hash that fits, but that nobody has written.
    happen(&world, TenantId(9), 1..=1).await;
    world
        .tamper(
            "UPDATE audit_heads SET hash = (SELECT hash FROM audit WHERE client_id = 1 \
             AND number = 2) WHERE client_id = 9",
        )
        .await;
    assert_eq!(check(&world, TenantId(9)).await, (1, Some(1)));
}

async fn a_chain_longer_than_a_look_is_checked_to_its_end(world: World) {
    happen(&world, TENANT, 1..=2_300).await;
    assert_eq!(check(&world, TENANT).await, (2_300, None));
    world.tamper("UPDATE audit SET detail = 'a' WHERE number = 2200").await;
    assert_eq!(check(&world, TENANT).await, (2_199, Some(2_200)));
}

async fn rows_are_found_by_time_actor_action_and_outcome(world: World) {
    happen(&world, TENANT, 1..=12).await;
    world
        .apply(
            JOURNAL,
            13,
            &[(
                13,
                records(&[Audit {
                    program: Some(program()),
                    actor: None,
                    source: AuditSource::Api,
                    action: AuditAction::ChangeGroups,
                    ..attempt(TENANT, 13)
                }]),
            )],
        )
        .await
        .unwrap();
    happen(&world, TenantId(2), 1..=3).await;
    let at = |seconds: i64| Some(Wall(NOW.0 + seconds * 1_000_000));
    let named = |name: &str| Some(AuditActor::Named(name.to_owned()));
    let of = |id| Some(AuditActor::Extension(ExtensionId(id)));
    let all = everything;
    let table: [(AuditQuery, &[u64]); 13] = [
        (all(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (AuditQuery { limit: 3, ..all() }, &[1, 2, 3]),
        (AuditQuery { order: AuditOrder::Newest, limit: 3, ..all() }, &[13, 12, 11]),
        (AuditQuery { order: AuditOrder::Newest, offset: 11, ..all() }, &[2, 1]),
        (AuditQuery { start: at(12), ..all() }, &[12, 13]),
        (AuditQuery { end: at(2), ..all() }, &[1, 2]),
        (AuditQuery { start: at(5), end: at(6), ..all() }, &[5, 6]),
        (AuditQuery { actor: named("boss"), ..all() }, &[13]),
        (AuditQuery { actor: named("0003*100"), end: at(2), ..all() }, &[1, 2]),
        (AuditQuery { actor: of(100_000), start: at(11), ..all() }, &[11, 12]),
        (AuditQuery { actor: of(100_001), ..all() }, &[]),
        (AuditQuery { action: Some(AuditAction::Pickup), end: at(7), ..all() }, &[2, 4, 6]),
        (AuditQuery { allowed: Some(false), ..all() }, &[3, 6, 9, 12]),
    ];
    for (query, expected) in table {
        let found = world.audit(TENANT, &query).await.unwrap();
        let numbers: Vec<_> = found.iter().map(|row| row.number).collect();
        assert_eq!(numbers, expected, "{query:?}");
    }
    let allowed = AuditQuery { allowed: Some(true), ..everything() };
    assert_eq!(world.audit(TENANT, &allowed).await.unwrap().len(), 9);
}

async fn writing_the_groups_is_a_row_itself(world: World) {
    let tenant = world.client("0003").await;
    for document in [groups(&["a: 100"]), groups(&["b: 100"])] {
        world.write_control_groups(tenant, &document, program(), NOW).await.unwrap();
    }
    let rows = rows(&world, tenant).await;
    let details: Vec<_> = rows.iter().map(|row| row.audit.detail.as_deref().unwrap()).collect();
    assert_eq!(details, ["groups: +a", "groups: +b -a"]);
    let last = &rows.last().unwrap().audit;
    assert_eq!(last.action, AuditAction::ChangeGroups);
    assert_eq!((last.source, last.program.clone()), (AuditSource::Api, Some(program())));
    assert_eq!(check(&world, tenant).await, (2, None));
}

async fn a_zero_character_breaks_no_chain(world: World) {
    let mut odd = attempt(TENANT, 1);
    odd.target = Some(AuditExtension { id: None, name: "a\0b".into() });
    (odd.clause, odd.detail, odd.groups) = ("\0".into(), Some("\0c".into()), vec!["d\0".into()]);
    world.apply(JOURNAL, 1, &[(1, records(&[odd]))]).await.unwrap();
    assert_eq!(check(&world, TENANT).await, (1, None));
    let read = rows(&world, TENANT).await.remove(0).audit;
    assert_eq!(read.target.unwrap().name.as_ref(), "ab");
}

crate::support::on_both! {
    every_field_of_a_row_comes_back,
    a_batch_that_comes_again_lengthens_no_chain,
    writers_side_by_side_make_one_chain,
    each_client_has_a_chain_of_its_own,
    a_hash_is_that_of_the_hash_before_and_the_columns,
    whatever_is_done_to_a_row_is_noticed,
    a_row_that_is_removed_or_added_by_hand_is_noticed,
    a_chain_longer_than_a_look_is_checked_to_its_end,
    rows_are_found_by_time_actor_action_and_outcome,
    writing_the_groups_is_a_row_itself,
    a_zero_character_breaks_no_chain,
}
