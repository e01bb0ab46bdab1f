//! Loading the journal: each record once, whatever comes twice.

use std::net::{Ipv4Addr, SocketAddr};

use crate::support::{NOW, World};
use leg::{
    Binding, BindingChange, CallStatus, CdrFlow, CdrLeg, Event, EventKind, Record, SavedCall,
};
use model::{
    CallApiId, CallId, CallUuid, DeviceId, EndReason, ExtensionId, NodeAddress, TenantId, Wall,
};
use store::{Applied, JournalId};

const JOURNAL: JournalId = JournalId { node: NodeAddress(7), shard: 0 };
const TENANT: TenantId = TenantId(1);

fn event(call: u128, sequence: u32) -> Record {
    Record::Event(Box::new(Event {
        tenant: TENANT,
        extension: ExtensionId(100_000),
        kind: EventKind::DialIn,
        time: NOW,
        sequence,
        call: CallApiId { node: NodeAddress(7), uuid: CallUuid(call) },
        sub_call_id: "100000-1".into(),
        incoming: true,
        status: CallStatus::Calling,
        caller_number: "0003*101".into(),
        caller_name: "O'Brien; DROP TABLE events".into(),
        called_number: "0003*100".into(),
        transferred: false,
        called_did: None,
        caller_extension: None,
        called_extension: None,
        duration_us: None,
        bridged_us: None,
        record: None,
        reason: None,
    }))
}

fn cdr(tenant: TenantId, sub_call_id: &str) -> Record {
    Record::Cdr(Box::new(CdrLeg {
        tenant,
        call: CallUuid(1),
        sub_call_id: sub_call_id.into(),
        extension: ExtensionId(100_000),
        extension_name: "0003*100@sip.example.com".into(),
        extension_kind: "phone".into(),
        flow: CdrFlow::In,
        reason: EndReason::CalleeHungUp,
        status: Some(486),
        init_time: NOW,
        answer_time: Some(NOW),
        hangup_time: NOW,
        talk_us: 5_000_000,
        from: ("101".into(), "a".into(), "Anna".into()),
        to: ("100".into(), "a".into()),
        did_number: None,
        asserted: None,
    }))
}

fn saved(call: u64, state: u8) -> Record {
    Record::CallSaved(Box::new(SavedCall {
        tenant: TENANT,
        call: CallId(call),
        exchange: vec![state; 3],
        stack: vec![state],
    }))
}

fn gone(call: u64) -> Record {
    Record::CallGone { tenant: TENANT, call: CallId(call) }
}

fn bound(extension: ExtensionId, device: u64, port: Option<u16>) -> Record {
    let binding = port.map(|port| Binding {
        contact: format!("sip:100@192.0.2.1:{port}"),
        call_id: "abc".to_owned(),
        cseq: 3,
        q: 1_000,
        expires: Wall(NOW.0 + 60_000_000),
        transport: "UDP".to_owned(),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)),
        remote: "[2001:db8::1]:5062".parse().unwrap(),
        path: vec!["<sip:a;lr>".to_owned(), "<sip:\"b\",c>".to_owned()],
        user_agent: "Phone/1.0".to_owned(),
        instance: Some("<urn:uuid:1>".to_owned()),
    });
    Record::Binding(Box::new(BindingChange {
        tenant: TENANT,
        extension,
        device: DeviceId(device),
        binding,
    }))
}

async fn count(world: &World, table: &'static str) -> i64 {
    world.number(format!("SELECT count(*) FROM {table}")).await
}

async fn position(world: &World) -> u64 {
    world.positions(JOURNAL.node).await.unwrap().get(&JOURNAL).copied().unwrap_or(0)
}

async fn a_batch_that_comes_again_changes_nothing(world: World) {
    let batch = [
        (1, vec![event(1, 1), saved(1, 1)]),
        (2, vec![event(1, 2), cdr(TENANT, "100000-1"), gone(1)]),
    ];
    let first = world.apply(JOURNAL, 1, &batch).await.unwrap();
    assert_eq!(first, Applied { position: 2, written: 2, skipped: 0, missing: 0 });
    let again = world.apply(JOURNAL, 1, &batch).await.unwrap();
    assert_eq!(again, Applied { position: 2, written: 0, skipped: 2, missing: 0 });
    assert_eq!(count(&world, "events").await, 2);
    assert_eq!(count(&world, "cdr_legs").await, 1);
    assert_eq!(count(&world, "saved_calls").await, 0);
}

async fn an_old_record_does_not_undo_a_newer_one(world: World) {
    world.apply(JOURNAL, 1, &[(1, vec![saved(1, 1)]), (2, vec![gone(1)])]).await.unwrap();
    let overlap = [(1, vec![saved(1, 1)]), (3, vec![saved(2, 3)])];
    let applied = world.apply(JOURNAL, 1, &overlap).await.unwrap();
    assert_eq!((applied.written, applied.skipped, applied.position), (1, 1, 3));
    let live = world.live(NOW).await.unwrap().remove(&TENANT).unwrap();
    assert_eq!(live.calls.iter().map(|c| c.call).collect::<Vec<_>>(), [CallId(2)]);
}

async fn the_newest_state_of_a_call_in_a_batch_counts(world: World) {
    let batch = [
        (1, vec![saved(1, 1), saved(2, 1)]),
        (2, vec![gone(2), saved(1, 2)]),
        (3, vec![saved(1, 3), gone(3), saved(3, 9)]),
    ];
    world.apply(JOURNAL, 1, &batch).await.unwrap();
    let live = world.live(NOW).await.unwrap().remove(&TENANT).unwrap();
    let states: Vec<_> = live.calls.iter().map(|c| (c.call.0, c.exchange[0], c.stack[0])).collect();
    assert_eq!(states, [(1, 3, 3), (3, 9, 9)]);
}

async fn the_newest_state_of_a_binding_counts_and_comes_back_whole(world: World) {
    let tenant = world.client("0003").await;
    assert_eq!(tenant, TENANT);
    let id = world.phone(tenant, "100").await.id;
    let batch = [
        (1, vec![bound(id, 1, Some(1)), bound(id, 2, Some(2)), bound(id, 3, Some(3))]),
        (2, vec![bound(id, 1, Some(9)), bound(id, 2, None)]),
    ];
    world.apply(JOURNAL, 1, &batch).await.unwrap();
    let live = world.live(NOW).await.unwrap().remove(&TENANT).unwrap();
    let expected = [bound(id, 1, Some(9)), bound(id, 3, Some(3))];
    let found: Vec<_> = live.bindings.into_iter().map(|b| Record::Binding(Box::new(b))).collect();
    assert_eq!(found, expected);
    world.apply(JOURNAL, 3, &[(3, vec![bound(id, 3, None)])]).await.unwrap();
    let live = world.live(NOW).await.unwrap().remove(&TENANT).unwrap();
    assert_eq!(live.bindings.len(), 1);
}

async fn bindings_that_ran_out_or_lost_their_extension_are_not_live(world: World) {
    let tenant = world.client("0003").await;
    let id = world.phone(tenant, "100").await.id;
    let batch = [(1, vec![bound(id, 1, Some(1)), bound(ExtensionId(999_999), 1, Some(1))])];
    world.apply(JOURNAL, 1, &batch).await.unwrap();
    let live = world.live(NOW).await.unwrap().remove(&TENANT).unwrap();
    assert_eq!(live.bindings.len(), 1);
    assert!(world.live(Wall(NOW.0 + 60_000_000)).await.unwrap().is_empty());
    world.delete_extension(tenant, id).await.unwrap();
    assert_eq!(count(&world, "bindings").await, 1, "its own are deleted with the extension");
}

async fn a_call_record_is_unique_by_tenant_and_leg(world: World) {
    let batch = [(1, vec![cdr(TENANT, "a"), cdr(TENANT, "a"), cdr(TenantId(2), "a")])];
    world.apply(JOURNAL, 1, &batch).await.unwrap();
    let other = JournalId { shard: 1, ..JOURNAL };
    world.apply(other, 1, &[(1, vec![cdr(TENANT, "a"), cdr(TENANT, "b")])]).await.unwrap();
    assert_eq!(count(&world, "cdr_legs").await, 3);
}

async fn a_call_record_keeps_whom_a_trunk_has_asserted(world: World) {
    let Record::Cdr(mut hidden) = cdr(TENANT, "a") else { unreachable!("it is a record") };
    hidden.from.0 = "anonymous".into();
    hidden.asserted = Some("79160000001".into());
    let batch = [(1, vec![Record::Cdr(hidden), cdr(TENANT, "b")])];
    world.apply(JOURNAL, 1, &batch).await.unwrap();
    let with = |what: &str| format!("SELECT count(*) FROM cdr_legs WHERE {what}");
    let asserted = with("sub_call_id = 'a' AND asserted = '79160000001'");
    assert_eq!(world.number(asserted).await, 1);
    let nobody = with("sub_call_id = 'b' AND asserted IS NULL");
    assert_eq!(world.number(nobody).await, 1);
}

async fn an_event_is_unique_by_call_and_number(world: World) {
    let batch = [(1, vec![event(1, 1), event(1, 1), event(2, 1), event(1, 2)])];
    world.apply(JOURNAL, 1, &batch).await.unwrap();
    assert_eq!(count(&world, "events").await, 3);
}

async fn each_journal_has_its_own_position(world: World) {
    let other = JournalId { shard: 1, ..JOURNAL };
    world.apply(JOURNAL, 1, &[(5, vec![event(1, 1)])]).await.unwrap();
    world.apply(other, 1, &[(2, vec![event(2, 1)])]).await.unwrap();
    let positions = world.positions(JOURNAL.node).await.unwrap();
    assert_eq!(positions.into_iter().collect::<Vec<_>>(), [(JOURNAL, 5), (other, 2)]);
    assert!(world.positions(NodeAddress(8)).await.unwrap().is_empty());
}

async fn records_that_nobody_has_any_more_are_told(world: World) {
    world.apply(JOURNAL, 1, &[(3, vec![event(1, 1)])]).await.unwrap();
    let applied = world.apply(JOURNAL, 10, &[(10, vec![event(1, 2)])]).await.unwrap();
    assert_eq!((applied.missing, applied.position), (6, 10));
}

async fn a_batch_that_fails_leaves_nothing_behind(world: World) {
    let impossible = Record::CallGone { tenant: TENANT, call: CallId(u64::MAX) };
    let batch = [(1, vec![event(1, 1), cdr(TENANT, "a"), impossible])];
    assert!(world.apply(JOURNAL, 1, &batch).await.is_err());
    assert_eq!(count(&world, "events").await, 0);
    assert_eq!(position(&world).await, 0);
}

async fn a_large_batch_is_a_few_statements(world: World) {
    let records: Vec<_> = (1..=2_500u32)
        .flat_map(|n| {
            [event(u128::from(n), 1), saved(u64::from(n), 1), cdr(TENANT, &n.to_string())]
        })
        .collect();
    world.apply(JOURNAL, 1, &[(1, records)]).await.unwrap();
    for table in ["events", "saved_calls", "cdr_legs"] {
        assert_eq!(count(&world, table).await, 2_500, "{table}");
    }
    let gone: Vec<_> = (1..=2_500).map(gone).collect();
    world.apply(JOURNAL, 2, &[(2, gone)]).await.unwrap();
    assert_eq!(count(&world, "saved_calls").await, 0);
}

async fn a_batch_that_comes_twice_at_once_is_written_once(world: World) {
    let batch = || [(1, vec![event(1, 1), saved(1, 1)]), (2, vec![event(1, 2), saved(2, 1)])];
    let (a, b) = (batch(), batch());
    let (a, b) = tokio::join!(world.apply(JOURNAL, 1, &a), world.apply(JOURNAL, 1, &b));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.position, b.position), (2, 2));
    assert_eq!((a.written + b.written, a.skipped + b.skipped), (2, 2), "{a:?} {b:?}");
}

async fn a_zero_character_in_a_text_stops_nothing(world: World) {
    let Record::Event(mut odd) = event(1, 1) else { unreachable!("it is an event") };
    odd.call.uuid = CallUuid(9);
    odd.caller_name = "a\0b".into();
    let Record::Cdr(mut leg) = cdr(TENANT, "a\0b") else { unreachable!("it is a record") };
    leg.from.2 = "a\0b".into();
    world.apply(JOURNAL, 1, &[(1, vec![Record::Event(odd), Record::Cdr(leg)])]).await.unwrap();
    assert_eq!(count(&world, "events").await + count(&world, "cdr_legs").await, 2);
}

async fn what_can_never_be_stored_is_told_apart_from_a_database_that_is_away(world: World) {
    let impossible = Record::CallGone { tenant: TENANT, call: CallId(u64::MAX) };
    let error = world.apply(JOURNAL, 1, &[(1, vec![impossible])]).await.unwrap_err();
    assert!(error.is_lasting(), "{error:?}");
    world.tamper("ALTER TABLE saved_calls RENAME TO elsewhere").await;
    let error = world.apply(JOURNAL, 1, &[(1, vec![saved(1, 1)])]).await.unwrap_err();
    assert!(!error.is_lasting(), "{error:?}");
}

async fn an_empty_batch_is_nothing(world: World) {
    let applied = world.apply(JOURNAL, 1, &[]).await.unwrap();
    assert_eq!(applied, Applied::default());
    assert_eq!(position(&world).await, 0);
}

crate::support::on_both! {
    a_batch_that_comes_again_changes_nothing,
    an_old_record_does_not_undo_a_newer_one,
    the_newest_state_of_a_call_in_a_batch_counts,
    the_newest_state_of_a_binding_counts_and_comes_back_whole,
    bindings_that_ran_out_or_lost_their_extension_are_not_live,
    a_call_record_is_unique_by_tenant_and_leg,
    a_call_record_keeps_whom_a_trunk_has_asserted,
    an_event_is_unique_by_call_and_number,
    each_journal_has_its_own_position,
    records_that_nobody_has_any_more_are_told,
    a_batch_that_fails_leaves_nothing_behind,
    a_large_batch_is_a_few_statements,
    a_batch_that_comes_twice_at_once_is_written_once,
    a_zero_character_in_a_text_stops_nothing,
    what_can_never_be_stored_is_told_apart_from_a_database_that_is_away,
    an_empty_batch_is_nothing,
}
