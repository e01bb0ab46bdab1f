//! Rules, intervals, trunks, numbers, settings: what is written is what is read, by the snapshot
//! that is read whole and by the one that follows.

use std::sync::Arc;

use jiff::civil::{date, time};
use model::{
    CallControlApi, CallerAction, CascadeNumber, Code, CodeName, Condition, DialRulesId, DidFrom,
    DidId, ExtensionId, FeatureCodes, ForwardingHeaders, IdentityHeader, IncomingRule, Interval,
    IntervalId, Language, Network, Number, OutsideLimits, Pattern, PickupMerge, Rewriting,
    RoutingSettings, RuleId, RuleKind, Schedule, Secret, SettingsShown, ShownOnForward, SoundId,
    TenantId, Trunk, TrunkCredentials, TrunkHost, TrunkId, TrunkRegistration, TrunkTransport,
    TrunkUse, Wanted, WantedStatus, Zone, limits,
};
use store::{Conflict, StoreError, StoredDid};

use crate::support::{NOW, World};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn rewriting(match_exp: &str, repl_exp: &str) -> Rewriting {
    Rewriting { match_exp: pattern(match_exp), repl_exp: repl_exp.into() }
}

/// Every field other than it is at first.
fn full_rule(interval: IntervalId) -> IncomingRule {
    IncomingRule {
        id: RuleId(0),
        name: Some("Ночь".into()),
        kind: RuleKind::Cascade,
        enabled: false,
        is_final: false,
        caller_id: Some(pattern(r"^(\+|)7812")),
        caller_id_action: CallerAction::NotMatches,
        call_status: Wanted::Busy,
        extension_call_status: Wanted::NoAnswer,
        extension_status: WantedStatus::Unreachable,
        interval: Some(interval),
        playfile_sound: None,
        transfer_dst: [number("101"), number("+78121234567")].into_iter().collect(),
        transfer_timeout_s: Some(20),
        cascade_numbers: vec![CascadeNumber { delay_s: 5, number: number("097") }],
        allow_public_transfer: true,
        ignore_early_media: false,
        enable_call_screening: true,
    }
}

/// A sound that rules may play.
async fn sound(world: &World, tenant: TenantId) -> SoundId {
    let content = store::SoundContent {
        filename: "a.wav".to_owned(),
        file: model::FileId(1),
        length_ms: 1,
        bytes: 1,
    };
    world.create_sound(tenant, "a", &content, crate::support::NOW).await.unwrap().unwrap().id
}

fn full_interval() -> Interval {
    let condition = Condition {
        days_of_week: Some((3, 1)),
        days_of_month: Some((1, 31)),
        month: Some(7),
        times: Some((time(22, 0, 0, 0), time(6, 59, 59, 0))),
        datetimes: None,
        schedule: Some(Schedule { start: date(2026, 1, 1), active_days: 1, skip_days: 2 }),
    };
    let second = Condition {
        datetimes: Some((date(2026, 1, 1).at(0, 0, 0, 0), date(2026, 1, 2).at(23, 59, 59, 0))),
        ..Condition::default()
    };
    Interval {
        id: IntervalId(0),
        name: "Nights".into(),
        zone: Zone::parse("Europe/Moscow").unwrap(),
        conditions: vec![condition, second],
    }
}

fn full_trunk() -> TrunkUse {
    let hosts = ["carrier.example:5060", "[2001:db8::1]:5061"];
    let trunk = Trunk {
        id: TrunkId(0),
        tenant: TenantId(0),
        name: "Carrier".to_owned(),
        hosts: hosts.iter().map(|host| TrunkHost::parse(host).unwrap()).collect(),
        transport: TrunkTransport::Tls,
        credentials: Some(TrunkCredentials {
            login: "78120000000".to_owned(),
            password: Secret::new("secret"),
        }),
        registration: Some(TrunkRegistration { expires_s: 600 }),
        addresses: vec![Network::parse("192.0.2.0/24").unwrap()],
        did_from: DidFrom::PCalledPartyId,
        from_user: Some("78120000000".to_owned()),
        identity: IdentityHeader::Rpid,
        forwarding_headers: ForwardingHeaders::HistoryInfo,
        enabled: false,
    };
    TrunkUse {
        trunk: Arc::new(trunk),
        patterns: vec![pattern("^7"), pattern("^8")],
        country: "DE".into(),
        rewrite_in: vec![rewriting("^8", "7")],
        rewrite_out: vec![rewriting("^7", "8"), rewriting("^9", r"\0")],
        channels: Some(30),
        caller_id: ShownOnForward::Fixed,
        fixed_caller_id: Some(number("78120000001")),
        update_display: true,
    }
}

fn did(digits: &str) -> StoredDid {
    StoredDid {
        id: DidId(0),
        number: digits.to_owned(),
        name: format!("+{digits}"),
        extension: None,
        allow_message: false,
        message_extension: None,
        comment: None,
        created: NOW,
    }
}

fn to_hosts(hosts: &[&str]) -> TrunkUse {
    let hosts = hosts.iter().map(|host| TrunkHost::parse(host).unwrap()).collect();
    TrunkUse::new(Arc::new(Trunk::new(TrunkId(0), TenantId(0), "t", hosts)), "RU")
}

async fn add_rule(world: &World, tenant: TenantId, of: ExtensionId, rule: &IncomingRule) -> RuleId {
    world.create_rule(tenant, of, rule).await.unwrap().unwrap().id
}

async fn rules(world: &World, tenant: TenantId, of: ExtensionId) -> Vec<u64> {
    let snapshot = world.snapshot(tenant).await.unwrap().unwrap();
    snapshot.rules_of(of).0.iter().map(|rule| rule.id.0).collect()
}

async fn every_field_is_read_as_it_was_written(world: World) {
    let tenant = world.client("0003").await;
    let phone = world.phone(tenant, "100").await.id;
    let interval = world.create_interval(tenant, &full_interval()).await.unwrap().unwrap();
    let plain = IncomingRule::new(RuleId(0), RuleKind::Busy);
    add_rule(&world, tenant, phone, &plain).await;
    let playing = IncomingRule {
        playfile_sound: Some(sound(&world, tenant).await),
        ..full_rule(interval.id)
    };
    add_rule(&world, tenant, phone, &playing).await;
    let trunk = world.create_trunk(tenant, &full_trunk()).await.unwrap().unwrap();
    let list = [rewriting("^([0-9]{7})$", r"8812\1")];
    let list_id = world.create_dial_rules(tenant, &list).await.unwrap().unwrap();
    let bound = StoredDid {
        extension: Some(phone),
        allow_message: true,
        message_extension: Some(phone),
        comment: Some("main".to_owned()),
        ..did("78121234567")
    };
    let made = world.create_did(tenant, &bound).await.unwrap().unwrap();
    assert_eq!(made, StoredDid { id: made.id, ..bound });
    assert_eq!(world.dids(tenant).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(world.did(tenant, made.id).await.unwrap(), Some(made));
    let music = store::SoundContent {
        filename: "m.wav".to_owned(),
        file: model::FileId(77),
        length_ms: 9_000,
        bytes: 9,
    };
    let music = world.create_sound(tenant, "music", &music, NOW).await.unwrap().unwrap().id;
    let settings = RoutingSettings {
        decline_is_busy: true,
        emergency_numbers: vec![number("112"), number("911")],
        country: "US".into(),
        dial_rules: Some(list_id),
        ani: Some(number("78121234567")),
        outside_allowed: vec![pattern(r"^\+49")],
        outside_limits: OutsideLimits {
            calls: 1,
            calls_per_minute: 2,
            extension_calls: 3,
            extension_calls_per_minute: 4,
        },
        language: Language::Ru,
        feature_codes: FeatureCodes::default()
            .changed([(CodeName::Pickup, None), (CodeName::Room, Code::parse("#88").ok())])
            .unwrap(),
        shown: SettingsShown {
            call_control_api: CallControlApi::Groups,
            valet_park_slots: 5,
            park_fallback: Some(number("101")),
            pickup_merge: PickupMerge::Own,
            interclient_calls: true,
            hold_music: Some(music),
            presence: false,
        },
    };
    let set = settings.clone();
    let change = |to: &mut RoutingSettings| {
        *to = set;
        Ok::<_, StoreError>(())
    };
    world.change_settings(tenant, change).await.unwrap().unwrap();
    world.set_extension_ani(tenant, phone, Some(&number("78121234567"))).await.unwrap();

    let routing = world.snapshot(tenant).await.unwrap().unwrap().routing;
    let expected =
        [IncomingRule { id: RuleId(1), ..plain }, IncomingRule { id: RuleId(2), ..playing }];
    assert_eq!(*routing.rules[&phone].0, expected);
    assert_eq!(*routing.intervals[&interval.id], Interval { id: interval.id, ..full_interval() });
    let mut expected = full_trunk();
    let sip = Arc::make_mut(&mut expected.trunk);
    (sip.id, sip.tenant) = (trunk.trunk.id, tenant);
    assert_eq!(format!("{:?}", routing.trunks[&trunk.trunk.id]), format!("{expected:?}"));
    let credentials = routing.trunks[&trunk.trunk.id].trunk.credentials.clone().unwrap();
    assert_eq!(credentials.password.expose(), "secret");
    assert_eq!(*routing.dial_rules[&list_id], list);
    let found = &routing.dids["78121234567"];
    assert_eq!((&*found.name, found.extension), ("+78121234567", Some(phone)));
    assert_eq!(routing.settings, settings);
    assert_eq!(routing.anis[&phone].as_str(), "78121234567");
}

async fn a_snapshot_follows_every_kind_of_change_and_shares_the_rest(world: World) {
    let tenant = world.client("0003").await;
    let (a, b) = (world.phone(tenant, "100").await.id, world.phone(tenant, "101").await.id);
    let rule = IncomingRule::new(RuleId(0), RuleKind::Hangup);
    for extension in [a, b] {
        add_rule(&world, tenant, extension, &rule).await;
    }
    let kept = world.create_interval(tenant, &full_interval()).await.unwrap().unwrap().id;
    let gone = world.create_interval(tenant, &full_interval()).await.unwrap().unwrap().id;
    let trunk = world.create_trunk(tenant, &to_hosts(&["a.example"])).await.unwrap().unwrap();
    let list = world.create_dial_rules(tenant, &[]).await.unwrap().unwrap();
    let bound = StoredDid { extension: Some(b), ..did("78120000001") };
    let number_id = world.create_did(tenant, &bound).await.unwrap().unwrap().id;

    let mut snapshot = world.snapshot(tenant).await.unwrap().unwrap();
    for step in 0..10 {
        let ok = Ok::<(), StoreError>(());
        match step {
            0 => drop(add_rule(&world, tenant, a, &rule).await),
            1 => {
                let clear = |rules: &mut Vec<IncomingRule>| {
                    rules.clear();
                    Ok::<(), StoreError>(())
                };
                world.change_rules(tenant, a, clear).await.unwrap().unwrap();
            }
            2 => assert!(world.delete_interval(tenant, gone).await.unwrap()),
            3 => {
                let disable = |plan: &mut TrunkUse| {
                    Arc::make_mut(&mut plan.trunk).enabled = false;
                    ok
                };
                world.change_trunk(tenant, trunk.trunk.id, disable).await.unwrap().unwrap();
            }
            4 => {
                assert!(
                    world.change_dial_rules(tenant, list, &[rewriting("a", "b")]).await.unwrap()
                )
            }
            5 => assert!(
                world.set_extension_ani(tenant, a, Some(&number("78120000001"))).await.unwrap()
            ),
            6 => assert!(world.set_extension_ani(tenant, a, None).await.unwrap()),
            7 => {
                let set = |settings: &mut RoutingSettings| {
                    settings.country = "DE".into();
                    ok
                };
                world.change_settings(tenant, set).await.unwrap().unwrap();
            }
            8 => assert!(world.delete_extension(tenant, b).await.unwrap()),
            _ => assert!(world.delete_did(tenant, number_id).await.unwrap()),
        }
        let before = snapshot;
        snapshot = world.snapshot_after(&before).await.unwrap().unwrap();
        let whole = world.snapshot(tenant).await.unwrap().unwrap();
        assert_eq!(format!("{snapshot:?}"), format!("{whole:?}"), "step {step}");
        assert_ne!(
            format!("{:?}", snapshot.routing),
            format!("{:?}", before.routing),
            "step {step} changed nothing"
        );
        let (old, new) = (&before.routing, &snapshot.routing);
        assert!(Arc::ptr_eq(&old.intervals[&kept], &new.intervals[&kept]), "step {step}");
        if step < 8 {
            assert!(Arc::ptr_eq(&old.rules[&b], &new.rules[&b]), "step {step}");
        }
        if step == 8 {
            assert_eq!(new.dids["78120000001"].extension, None, "its extension is gone");
        }
    }
    let all = world.all_snapshots().await.unwrap();
    assert_eq!(format!("{:?}", all[0]), format!("{snapshot:?}"));
}

async fn rules_keep_their_order_and_ids_are_given_once(world: World) {
    let tenant = world.client("0003").await;
    let (phone, other) = (world.phone(tenant, "100").await.id, world.phone(tenant, "101").await.id);
    let rule = IncomingRule::new(RuleId(0), RuleKind::Busy);
    for expected in 1..=3 {
        assert_eq!(add_rule(&world, tenant, phone, &rule).await, RuleId(expected));
    }
    assert_eq!(add_rule(&world, tenant, other, &rule).await, RuleId(1), "within the extension");
    let turn = |rules: &mut Vec<IncomingRule>| {
        rules.reverse();
        rules.remove(0);
        Ok::<(), StoreError>(())
    };
    world.change_rules(tenant, phone, turn).await.unwrap().unwrap();
    assert_eq!(rules(&world, tenant, phone).await, [2, 1]);
    assert_eq!(add_rule(&world, tenant, phone, &rule).await, RuleId(4));
    assert_eq!(rules(&world, tenant, phone).await, [2, 1, 4]);
    let refuse = |rules: &mut Vec<IncomingRule>| {
        rules.clear();
        Err::<(), _>(StoreError::NoSuch { field: "x" })
    };
    assert!(world.change_rules(tenant, phone, refuse).await.is_err());
    assert_eq!(rules(&world, tenant, phone).await, [2, 1, 4], "a refused change is none");
    let foreign = world.client("0004").await;
    assert!(world.create_rule(foreign, phone, &rule).await.unwrap().is_none());
    let nothing = |_: &mut Vec<IncomingRule>| Ok::<(), StoreError>(());
    assert!(world.change_rules(foreign, phone, nothing).await.unwrap().is_none());
    assert_eq!(rules(&world, tenant, phone).await, [2, 1, 4]);
}

async fn what_is_in_use_stays(world: World) {
    let tenant = world.client("0003").await;
    let phone = world.phone(tenant, "100").await.id;
    let interval = world.create_interval(tenant, &full_interval()).await.unwrap().unwrap().id;
    add_rule(&world, tenant, phone, &full_rule(interval)).await;
    let in_use = |result: Result<bool, StoreError>, who: &str| match result {
        Err(StoreError::InUse { by }) => assert_eq!(by, who),
        other => panic!("{who}: {other:?}"),
    };
    in_use(world.delete_interval(tenant, interval).await, "rule 1 of extension 100");
    let list = world.create_dial_rules(tenant, &[]).await.unwrap().unwrap();
    let assign = |e: &mut model::Extension| e.shown.dial_rule_id = Some(list.0);
    world.change_extension(tenant, phone, assign).await.unwrap();
    in_use(world.delete_dial_rules(tenant, list).await, "extension 100");
    world.change_extension(tenant, phone, |e| e.shown.dial_rule_id = None).await.unwrap();
    let use_list = |settings: &mut RoutingSettings| {
        settings.dial_rules = Some(list);
        Ok::<(), StoreError>(())
    };
    world.change_settings(tenant, use_list).await.unwrap();
    in_use(world.delete_dial_rules(tenant, list).await, "the settings of the client");
    let own = world.create_did(tenant, &did("78120000001")).await.unwrap().unwrap().id;
    let shown = number("78120000001");
    world.set_extension_ani(tenant, phone, Some(&shown)).await.unwrap();
    in_use(world.delete_did(tenant, own).await, "extension 100, whose ani it is");
}

async fn what_is_not_there_is_not_referred_to(world: World) {
    let (tenant, other) = (world.client("0003").await, world.client("0004").await);
    let phone = world.phone(tenant, "100").await.id;
    let foreign = world.create_interval(other, &full_interval()).await.unwrap().unwrap().id;
    let foreign_list = world.create_dial_rules(other, &[]).await.unwrap().unwrap();
    world.create_did(other, &did("78120000002")).await.unwrap().unwrap();
    let refused = |result: Result<(), StoreError>, field: &str| match result {
        Err(StoreError::NoSuch { field: found }) => assert_eq!(found, field),
        other => panic!("{field}: {other:?}"),
    };
    for id in [foreign, IntervalId(999)] {
        let made = world.create_rule(tenant, phone, &full_rule(id)).await;
        refused(made.map(|_| ()), "interval");
    }
    for id in [foreign_list, DialRulesId(999)] {
        let set = |settings: &mut RoutingSettings| {
            settings.dial_rules = Some(id);
            Ok::<(), StoreError>(())
        };
        refused(world.change_settings(tenant, set).await.map(|_| ()), "dial_rule_id");
    }
    let ani = number("78120000002");
    let set = world.set_extension_ani(tenant, phone, Some(&ani)).await;
    refused(set.map(|_| ()), "ani_number");
    assert!(!world.delete_interval(tenant, foreign).await.unwrap());
    assert!(!world.delete_dial_rules(tenant, foreign_list).await.unwrap());
    let nothing = |_: &mut Interval| Ok::<(), StoreError>(());
    assert!(world.change_interval(tenant, foreign, nothing).await.unwrap().is_none());
}

async fn an_extension_has_no_more_rules_than_it_may(world: World) {
    let tenant = world.client("0003").await;
    let phone = world.phone(tenant, "100").await.id;
    let rule = IncomingRule::new(RuleId(0), RuleKind::Busy);
    for _ in 0..limits::RULES_MAX {
        add_rule(&world, tenant, phone, &rule).await;
    }
    let more = world.create_rule(tenant, phone, &rule).await;
    assert!(matches!(more, Err(StoreError::TooMany { max: 50, .. })), "{more:?}");
    for _ in 0..limits::TRUNKS_MAX {
        world.create_trunk(tenant, &to_hosts(&["a.example"])).await.unwrap().unwrap();
    }
    let more = world.create_trunk(tenant, &to_hosts(&["a.example"])).await;
    assert!(matches!(more, Err(StoreError::TooMany { what: "trunks", max: 50 })), "{more:?}");
}

async fn a_number_leads_to_one_client_for_each_way_in(world: World) {
    let (a, b) = (world.client("0003").await, world.client("0004").await);
    let one = did("78121234567");
    world.create_did(a, &one).await.unwrap().unwrap();
    let again = world.create_did(a, &one).await;
    assert!(matches!(again, Err(StoreError::Conflict(Conflict::Did))), "{again:?}");
    let refused = |result: Result<Option<TrunkUse>, StoreError>| {
        let conflict = StoreError::Conflict(Conflict::DidOfAnother).to_string();
        assert_eq!(result.unwrap_err().to_string(), conflict);
    };
    // Without a trunk it comes by no way.
    world.create_did(b, &one).await.unwrap().unwrap();
    let mut own = to_hosts(&["a.example"]);
    Arc::make_mut(&mut own.trunk).addresses = vec![Network::parse("192.0.2.0/24").unwrap()];
    world.create_trunk(a, &own).await.unwrap().unwrap();
    for host in ["192.0.2.77", "a.example:5070"] {
        refused(world.create_trunk(b, &to_hosts(&[host])).await);
    }
    let elsewhere = world.create_trunk(b, &to_hosts(&["198.51.100.1"])).await.unwrap().unwrap();
    let moved = |plan: &mut TrunkUse| {
        Arc::make_mut(&mut plan.trunk).hosts = vec![TrunkHost::parse("a.example").unwrap()];
        Ok::<(), StoreError>(())
    };
    refused(world.change_trunk(b, elsewhere.trunk.id, moved).await);
    // What is switched off is no way.
    let mut off = to_hosts(&["a.example"]);
    Arc::make_mut(&mut off.trunk).enabled = false;
    let off = world.create_trunk(b, &off).await.unwrap().unwrap();
    let on = |plan: &mut TrunkUse| {
        Arc::make_mut(&mut plan.trunk).enabled = true;
        Ok::<(), StoreError>(())
    };
    refused(world.change_trunk(b, off.trunk.id, on).await);
    // A third number of a client by a way of another's is free as long as nobody has it.
    let c = world.client("0005").await;
    world.create_trunk(c, &to_hosts(&["a.example"])).await.unwrap().unwrap();
    let taken = world.create_did(c, &one).await;
    assert!(matches!(taken, Err(StoreError::Conflict(Conflict::DidOfAnother))), "{taken:?}");
    world.create_did(c, &did("78127654321")).await.unwrap().unwrap();
}

async fn the_directory_has_the_trunks_of_blocked_clients_and_no_numbers(world: World) {
    let tenant = world.client("0003").await;
    let id = world.create_trunk(tenant, &full_trunk()).await.unwrap().unwrap().trunk.id;
    world.create_did(tenant, &did("78120000001")).await.unwrap().unwrap();
    let old = world.snapshot(tenant).await.unwrap().unwrap();
    let mut following = store::directory::build([&old], "realm");
    assert_eq!(following.trunks[&id].name, "Carrier");
    assert!(following.has_did(tenant, "78120000001") && following.uses.contains_key(&id));
    world.set_client_status(tenant, model::Status::Blocked).await.unwrap();
    let blocked = world.snapshot_after(&old).await.unwrap().unwrap();
    store::directory::follow(&mut following, Some(&old), Some(&blocked), "realm");
    assert!(following.trunks.contains_key(&id), "calls for help go out");
    assert!(following.is_blocked(tenant) && !following.has_did(tenant, "78120000001"));
    store::directory::follow(&mut following, Some(&blocked), Some(&old), "realm");
    assert!(!following.is_blocked(tenant) && following.has_did(tenant, "78120000001"));
    assert_eq!(following.trunks.len(), 1);
    store::directory::follow(&mut following, Some(&old), None, "realm");
    assert!(following.trunks.is_empty());
}

crate::support::on_both! {
    every_field_is_read_as_it_was_written,
    a_snapshot_follows_every_kind_of_change_and_shares_the_rest,
    rules_keep_their_order_and_ids_are_given_once,
    what_is_in_use_stays,
    what_is_not_there_is_not_referred_to,
    an_extension_has_no_more_rules_than_it_may,
    a_number_leads_to_one_client_for_each_way_in,
    the_directory_has_the_trunks_of_blocked_clients_and_no_numbers,
}
