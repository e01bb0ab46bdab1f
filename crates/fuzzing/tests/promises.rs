//! Every target under the seeded mutator, on stable, in every test run.

use fuzzing::target::{TARGETS, find};
use fuzzing::{Mutator, campaign, seeds};

/// Runs a target as often as it says; what breaks it is shown as it would be saved.
fn keeps_its_promises(name: &str) {
    let target = find(name).unwrap();
    let (tried, finding) = campaign::run(target, 1, |tried| tried < target.rounds as u64);
    if let Some(finding) = finding {
        let least = campaign::smaller(target, &finding.data);
        panic!("{name}, input {tried}: {}\n{}", finding.said, least.escape_ascii());
    }
}

macro_rules! tests {
    ($($test:ident $name:literal;)*) => {
        $(#[test] fn $test() { keeps_its_promises($name); })*

        #[test]
        fn every_target_has_a_test() {
            let tested = [$($name),*];
            for target in TARGETS {
                assert!(tested.contains(&target.name), "{} is not tested", target.name);
            }
        }
    };
}

tests! {
    mutated_messages_are_read_printed_and_answered "message";
    mutated_streams_give_the_same_frames_however_they_are_cut "framing";
    mutated_uris_are_read_and_compared "uri";
    mutated_addresses_are_read_and_written "name_addr";
    mutated_vias_lead_the_answer_back "via";
    mutated_challenges_can_be_met_by_who_knows_the_password "digest";
    mutated_descriptions_are_answered_and_written_again "sdp";
    mutated_parts_give_a_description_that_lies_in_the_body "multipart";
    mutated_datagrams_of_strangers_leave_nothing "stranger";
    operations_in_any_order_keep_the_transactions_whole "transactions";
    operations_in_any_order_keep_the_dialogs_whole "dialogs";
    mutated_packets_are_read "rtp";
    mutated_reports_are_read "rtcp";
    mutated_files_are_read_and_written "wav";
    mutated_uploads_become_sounds_or_are_refused "upload";
    mutated_packets_in_any_order_keep_the_delay_bounded "jitter";
    mutated_commands_and_packets_keep_the_plane_whole "plane";
}

#[test]
fn the_mutator_breaks_neither_everything_nor_nothing() {
    let seeds = seeds::own_messages();
    let mut mutator = Mutator::new(1, seeds::SIP_WORDS);
    let messages: Vec<_> =
        (0..5_000).filter_map(|_| sip::Message::parse(mutator.input(&seeds)).ok()).collect();
    let valid = messages.iter().filter(|m| sip::validate(m).is_ok()).count();
    assert!((3_000..4_900).contains(&messages.len()), "{} parsed", messages.len());
    assert!((500..3_500).contains(&valid), "{valid} valid");
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let seeds = seeds::own_messages();
    let inputs = |seed| {
        let mut mutator = Mutator::new(seed, seeds::SIP_WORDS);
        (0..100).map(|_| mutator.input(&seeds)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(5), inputs(5));
    assert_ne!(inputs(5), inputs(6));
}
