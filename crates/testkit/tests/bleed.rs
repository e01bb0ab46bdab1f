//! Strangers' datagrams: RTP that is sprayed at our ports, SIP from nobody.

use core::net::SocketAddr;

use testkit::{Settings, Sim, millis, secs};

fn stranger(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 66], port))
}

/// A plausible packet of speech.
fn packet(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend([6, 6, 6, 6]);
    packet.extend([0x2A; 160]);
    packet
}

/// The kernel drops strangers of a connected socket; without that the lock must.
fn each_wall_alone(test: fn(&Sim)) {
    for sockets_connect in [true, false] {
        test(&Sim::with(Settings { seed: 17, sockets_connect, ..Settings::default() }));
    }
}

#[test]
fn a_stranger_that_sprays_all_ports_hears_nothing_and_is_not_heard() {
    each_wall_alone(sprayed_from_the_beginning);
}

fn sprayed_from_the_beginning(sim: &Sim) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(millis(500));
    ann.dials("101");
    // From before the answer until well into the call.
    for round in 0..300 {
        for port in (20_000..20_016).step_by(2) {
            sim.stranger_sprays(stranger(9_000), port, &packet(round));
        }
        sim.run_for(millis(10));
    }
    sim.assert_talking(&ann, &bob);
    assert_eq!((ann.missing_from(&bob), bob.missing_from(&ann)), (0, 0));
    assert_eq!(sim.strays(), []);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_stranger_in_the_middle_of_a_call_takes_nothing_over() {
    each_wall_alone(sprayed_in_the_middle);
}

fn sprayed_in_the_middle(sim: &Sim) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(millis(100));
    ann.dials("101");
    sim.run_for(secs(2));
    ann.unplug();
    sim.run_for(secs(1));
    for round in 0..200 {
        for port in (20_000..20_016).step_by(2) {
            sim.stranger_sprays(stranger(9_000), port, &packet(round));
        }
        sim.run_for(millis(20));
    }
    assert_eq!(bob.hears(), [].into());
    assert_eq!(sim.strays(), []);
    ann.plug();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
}

#[test]
fn requests_of_strangers_leave_nothing_behind() {
    let sim = Sim::seed(17);
    let ann = sim.phone("100");
    sim.run_for(secs(60));
    for method in ["INVITE", "REGISTER", "OPTIONS", "BYE", "SUBSCRIBE", "MESSAGE", "NOTIFY", "X"] {
        for n in 0..50 {
            let text = format!(
                "{method} sip:100@pbx.example SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bKx{method}{n};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:x@pbx.example>;tag=a{n}\r\n\
                 To: <sip:100@pbx.example>\r\nCall-ID: {method}{n}\r\nCSeq: 1 {method}\r\n\
                 Contact: <sip:x@192.0.2.66>\r\nContent-Length: 0\r\n\r\n"
            );
            sim.stranger_sends(stranger(5_060), text.as_bytes());
        }
    }
    sim.run_for(millis(100));
    let gauges = sim.gauges();
    assert_eq!((gauges.transactions, gauges.pending, gauges.calls), (0, 0, 0));
    assert_eq!(ann.call_count(), 0);
    sim.assert_nothing_left();
}
