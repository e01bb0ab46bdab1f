//! Prometheus text (exposition format 0.0.4). The figures live in the values that count; this only
//! writes them down.

use core::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use leg::AlertCause;
use media::Dropped;
use model::EndReason;
use switch::Denied;

use crate::certificate::CertificateFigures;
use crate::flows::{Shut, TRANSPORTS};
use crate::overview::{Figures, Overview, Phase, ShardFigures};

/// All metrics of the node.
pub(crate) fn text(overview: &Overview, figures: &Figures) -> String {
    let mut text = Text { out: String::with_capacity(16 << 10) };
    text.family("dialplane_info", "gauge", "Which version this is.");
    text.line("dialplane_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("dialplane_draining", "gauge", "1 while the switch is stopping.");
    text.line("dialplane_draining", &[], u8::from(overview.phase() == Phase::Draining));
    shards(&mut text, figures);
    door(&mut text, figures);
    ends(&mut text, figures);
    media_planes(&mut text, figures);
    journals(&mut text, figures);
    let loader = &overview.loader;
    for (name, help, value) in [
        ("records_total", "Journal records given to the database.", &loader.applied),
        ("failures_total", "Attempts that the database refused.", &loader.failures),
        ("refused_total", "Journal records that it can never take.", &loader.refused),
    ] {
        let name = format!("dialplane_loader_{name}");
        text.family(&name, "counter", help);
        text.line(&name, &[], value.load(Ordering::Relaxed));
    }
    text.family("dialplane_loader_behind", "gauge", "1 while the database takes nothing.");
    text.line("dialplane_loader_behind", &[], loader.is_behind.load(Ordering::Relaxed));
    if let Some(mail) = &overview.mail {
        for (name, help, value) in [
            ("sent_total", "Messages that the relay has taken.", &mail.sent),
            ("failures_total", "Attempts that failed and are made again.", &mail.failures),
            ("given_up_total", "Messages that are not mailed any more.", &mail.given_up),
        ] {
            let name = format!("dialplane_mail_{name}");
            text.family(&name, "counter", help);
            text.line(&name, &[], value.load(Ordering::Relaxed));
        }
    }
    let convert = &overview.convert;
    for (name, help, value) in [
        ("done_total", "Recordings that have become what was asked for.", &convert.done),
        ("failures_total", "Attempts that failed and are made again.", &convert.failures),
        ("given_up_total", "Recordings that stay WAV.", &convert.given_up),
    ] {
        let name = format!("dialplane_conversions_{name}");
        text.family(&name, "counter", help);
        text.line(&name, &[], value.load(Ordering::Relaxed));
    }
    connections(&mut text, figures);
    if let Some(certificate) = &overview.certificate {
        tls(&mut text, certificate.figures());
    }
    text.out
}

fn shards(text: &mut Text, figures: &Figures) {
    text.per_shard(figures, "dialplane_shard_up", "gauge", "1: its threads answer.", |s| {
        Some(u64::from(s.report.is_some() && s.media.is_some()))
    });
    type Read = fn(&ShardFigures) -> Option<u64>;
    macro_rules! of {
        ($part:ident . $($field:ident).+) => {
            |s| Some(number(s.$part.as_ref()?.$($field).+))
        };
    }
    let gauges: [(&str, &str, Read); 14] = [
        (
            "trunks_registered",
            "Our registrations with trunks that stand.",
            of!(report.gauges.trunks_registered),
        ),
        (
            "trunks_missing",
            "Our registrations with trunks that do not stand.",
            of!(report.gauges.trunks_missing),
        ),
        ("tenants", "Tenants.", of!(report.gauges.tenants)),
        ("calls", "Calls in progress.", of!(report.gauges.calls)),
        ("legs", "Legs of calls.", of!(report.gauges.legs)),
        ("bindings", "Registered contacts.", of!(report.gauges.bindings)),
        ("sip_transactions", "SIP transactions.", of!(report.gauges.transactions)),
        ("sip_dialogs", "SIP dialogs.", of!(report.gauges.dialogs)),
        ("rtp_ports_taken", "RTP ports of calls.", of!(report.gauges.ports_taken)),
        ("timers", "Timers.", of!(report.gauges.timers)),
        ("pending_invites", "INVITEs whose transaction is open.", of!(report.gauges.pending)),
        ("door_known_sources", "Sources outside of the strangers' cap.", of!(report.known_sources)),
        ("door_banned_sources", "Sources that are banned.", of!(report.banned_sources)),
        ("queue_length", "Inputs that wait for the shard.", |s| Some(number(s.queue))),
    ];
    for (name, help, read) in gauges {
        text.per_shard(figures, &format!("dialplane_{name}"), "gauge", help, read);
    }
    let counters: [(&str, &str, Read); 18] = [
        ("inputs", "Inputs handled.", of!(report.lost.inputs)),
        ("sip_datagrams_received", "Datagrams read.", of!(report.socket.received)),
        ("sip_datagrams_sent", "Datagrams sent.", of!(report.socket.sent)),
        ("sip_datagrams_unsent", "Datagrams the kernel refused.", of!(report.socket.unsent)),
        ("sip_strangers", "Messages of no tenant.", of!(report.counters.strangers)),
        ("sip_challenged", "Challenges made.", of!(report.counters.stack.challenged)),
        ("sip_stateless", "Answers made without state.", of!(report.counters.stack.stateless)),
        ("sip_replayed", "Digests used a second time.", of!(report.counters.stack.replayed)),
        ("sip_dropped", "Messages that fit nothing.", of!(report.counters.stack.dropped)),
        ("door_strangers_answered", "Answers.", of!(report.counters.door.strangers_answered)),
        ("door_bans", "Bans imposed.", of!(report.counters.door.bans)),
        ("sip_handed_over", "Messages of other shards.", of!(report.counters.handed_over)),
        ("hand_overs_dropped", "Dropped: full queue.", of!(report.lost.hand_overs_dropped)),
        ("queue_refused", "Inputs that found the queue full.", |s| Some(s.queue_refused)),
        ("commands_refused", "Commands over the bound.", of!(report.lost.commands_refused)),
        ("call_panics", "Calls that a defect ended.", of!(report.counters.panics)),
        ("shard_panics", "Defects outside of any call.", of!(report.lost.panics)),
        ("calls_unreadable", "Saved calls not read back.", of!(report.counters.unreadable)),
    ];
    for (name, help, read) in counters {
        text.per_shard(figures, &format!("dialplane_{name}_total"), "counter", help, read);
    }
}

fn door(text: &mut Text, figures: &Figures) {
    let name = "dialplane_wrong_credentials_total";
    let reports = || figures.shards.iter().filter_map(|shard| shard.report.as_ref());
    text.family(name, "counter", "Requests with an unknown login or a wrong password.");
    let wrong: u64 = reports().map(|r| r.counters.door.wrong_credentials).sum();
    text.line(name, &[], wrong);
    let name = "dialplane_door_denied_total";
    text.family(name, "counter", "Messages dropped and answers held back at the door, by reason.");
    for why in Denied::ALL {
        let denied: u64 = reports().map(|r| r.counters.door.denials.of(why)).sum();
        text.line(name, &[("reason", why.label())], denied);
    }
}

fn ends(text: &mut Text, figures: &Figures) {
    let name = "dialplane_legs_ended_total";
    text.family(name, "counter", "Legs that have ended, by reason.");
    for (at, reason) in EndReason::ALL.iter().enumerate() {
        let reports = figures.shards.iter().filter_map(|shard| shard.report.as_ref());
        let ended: u64 = reports.filter_map(|r| r.counters.ended.0.get(at)).sum();
        text.line(name, &[("reason", reason.label())], ended);
    }
    let name = "dialplane_alerts_total";
    text.family(name, "counter", "What operators should hear of, by cause.");
    for (at, cause) in AlertCause::ALL.into_iter().enumerate() {
        let reports = figures.shards.iter().filter_map(|s| s.report.as_ref());
        let raised: u64 = reports.filter_map(|r| r.counters.alerts.get(at)).sum();
        text.line(name, &[("cause", cause.label())], raised);
    }
}

fn media_planes(text: &mut Text, figures: &Figures) {
    type Read = fn(&ShardFigures) -> Option<u64>;
    macro_rules! of {
        ($($field:ident).+) => {
            |s| Some(number(s.media.as_ref()?.$($field).+))
        };
    }
    let gauges: [(&str, &str, Read); 3] = [
        ("calls", "Calls with audio.", of!(calls)),
        ("legs", "Legs with an RTP port.", of!(legs)),
        ("sockets_open", "RTP and RTCP sockets that listen.", of!(open)),
    ];
    for (name, help, read) in gauges {
        text.per_shard(figures, &format!("dialplane_media_{name}"), "gauge", help, read);
    }
    let counters: [(&str, &str, Read); 16] = [
        ("packets_received", "RTP packets taken.", of!(plane.received)),
        ("packets_relayed", "Packets passed on as they are.", of!(plane.relayed)),
        ("frames_mixed", "Frames mixed or played.", of!(plane.mixed)),
        ("frames_recorded", "Frames of recordings.", of!(plane.recorded)),
        ("comfort_noise", "Packets of comfort noise.", of!(plane.comfort_noise)),
        ("digits_received", "Packets of digits taken.", of!(plane.digits_received)),
        ("digits_sent", "Packets of digits sent.", of!(plane.digits_sent)),
        ("reports_received", "RTCP datagrams taken.", of!(plane.reports_received)),
        ("reports_sent", "RTCP datagrams sent.", of!(plane.reports_sent)),
        ("unsent", "Datagrams that the kernel refused.", of!(lost.unsent)),
        ("events_dropped", "Events: full queue of the shard.", of!(lost.events_dropped)),
        ("commands_refused", "Commands over the bound.", |s| Some(s.media_refused)),
        ("panics", "Defects caught.", of!(lost.panics)),
        ("socket_failures", "Sockets not opened or connected.", of!(lost.socket_failures)),
        ("files_missing", "Sounds that could not be read.", of!(lost.files_missing)),
        ("recordings_failed", "Recordings not written.", of!(lost.recordings_failed)),
    ];
    for (name, help, read) in counters {
        text.per_shard(figures, &format!("dialplane_media_{name}_total"), "counter", help, read);
    }
    let name = "dialplane_media_dropped_total";
    text.family(name, "counter", "What media has dropped, by reason.");
    for why in Dropped::ALL {
        let planes = figures.shards.iter().filter_map(|shard| shard.media.as_ref());
        let dropped: u64 = planes.map(|media| media.plane.dropped(why)).sum();
        text.line(name, &[("reason", why.label())], dropped);
    }
}

fn journals(text: &mut Text, figures: &Figures) {
    type Read = fn(&ShardFigures) -> Option<u64>;
    let gauges: [(&str, &str, Read); 2] = [
        ("segments", "Files that the database has not taken.", |s| Some(s.journal.segments)),
        ("full", "1 while it takes nothing.", |s| Some(u64::from(s.journal.full))),
    ];
    for (name, help, read) in gauges {
        text.per_shard(figures, &format!("dialplane_journal_{name}"), "gauge", help, read);
    }
    let counters: [(&str, &str, Read); 6] = [
        ("records", "Records written.", |s| Some(s.journal.records)),
        ("bytes", "Bytes written.", |s| Some(s.journal.bytes)),
        ("syncs", "Times it was made durable.", |s| Some(s.journal.syncs)),
        ("write_failures", "Failed writes.", |s| Some(s.journal.write_failures)),
        ("sync_failures", "Failed syncs.", |s| Some(s.journal.sync_failures)),
        ("lost", "Records that nothing could take.", |s| Some(s.journal.lost)),
    ];
    for (name, help, read) in counters {
        text.per_shard(figures, &format!("dialplane_journal_{name}_total"), "counter", help, read);
    }
}

fn connections(text: &mut Text, figures: &Figures) {
    text.family("dialplane_connections", "gauge", "Open SIP connections.");
    for (transport, open) in TRANSPORTS.iter().zip(figures.flows.open) {
        let label = transport.as_str().to_ascii_lowercase();
        text.line("dialplane_connections", &[("transport", &label)], open);
    }
    for (name, help, count) in [
        ("accepted", "SIP connections accepted.", figures.flows.accepted),
        ("made", "SIP connections that the switch has made.", figures.flows.made),
        ("not_made", "SIP connections wanted and not made.", figures.flows.unmade),
    ] {
        let name = format!("dialplane_connections_{name}_total");
        text.family(&name, "counter", help);
        text.line(&name, &[], count);
    }
    let name = "dialplane_connections_ended_total";
    text.family(name, "counter", "SIP connections refused or ended, by reason.");
    for (why, count) in Shut::ALL.iter().zip(figures.flows.shut) {
        text.line(name, &[("reason", why.label())], count);
    }
}

fn tls(text: &mut Text, figures: CertificateFigures) {
    let name = "dialplane_tls_certificate_days_left";
    text.family(name, "gauge", "Days until the certificate has run out.");
    text.line(name, &[], figures.days_left);
    for (name, help, count) in [
        ("reloads", "New certificates taken.", figures.reloads),
        ("reload_failures", "New certificates that cannot be used.", figures.failures),
    ] {
        let name = format!("dialplane_tls_certificate_{name}_total");
        text.family(&name, "counter", help);
        text.line(&name, &[], count);
    }
}

/// Counts are of both widths.
fn number(count: impl TryInto<u64>) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}

struct Text {
    out: String,
}

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Labels are words of ours, which need no escaping.
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.out.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.out, "{before}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.out, "{end} {value}");
    }

    fn per_shard(
        &mut self,
        figures: &Figures,
        name: &str,
        kind: &str,
        help: &str,
        read: fn(&ShardFigures) -> Option<u64>,
    ) {
        self.family(name, kind, help);
        for (index, shard) in figures.shards.iter().enumerate() {
            if let Some(value) = read(shard) {
                self.line(name, &[("shard", &index.to_string())], value);
            }
        }
    }
}
