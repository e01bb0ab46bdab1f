//! All targets, by name.

use crate::{
    credentials, description, endpoint, framing, message, seeds, stranger, upload, values,
};

/// One function that takes any bytes and panics when a promise is broken.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also of its folders.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Inputs that mutation begins with; empty: it begins with noise.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The words of its format.
    pub dictionary: &'static [&'static str],
    /// How many inputs a test run tries: some seconds for all targets together.
    pub rounds: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "message",
        run: message::message,
        seeds: seeds::messages,
        dictionary: seeds::SIP_WORDS,
        rounds: 60_000,
    },
    Target {
        name: "framing",
        run: framing::framing,
        seeds: seeds::messages,
        dictionary: seeds::SIP_WORDS,
        rounds: 10_000,
    },
    Target {
        name: "uri",
        run: values::uri,
        seeds: seeds::uris,
        dictionary: seeds::VALUE_WORDS,
        rounds: 60_000,
    },
    Target {
        name: "name_addr",
        run: values::name_addr,
        seeds: seeds::addresses,
        dictionary: seeds::VALUE_WORDS,
        rounds: 60_000,
    },
    Target {
        name: "via",
        run: values::via,
        seeds: seeds::vias,
        dictionary: seeds::VALUE_WORDS,
        rounds: 40_000,
    },
    Target {
        name: "digest",
        run: credentials::digest,
        seeds: seeds::digests,
        dictionary: seeds::DIGEST_WORDS,
        rounds: 40_000,
    },
    Target {
        name: "sdp",
        run: description::sdp,
        seeds: seeds::descriptions,
        dictionary: seeds::SDP_WORDS,
        rounds: 40_000,
    },
    Target {
        name: "multipart",
        run: description::multipart,
        seeds: seeds::bodies,
        dictionary: seeds::SDP_WORDS,
        rounds: 20_000,
    },
    Target {
        name: "stranger",
        run: stranger::stranger,
        seeds: seeds::strangers,
        dictionary: seeds::SIP_WORDS,
        rounds: 10_000,
    },
    Target {
        name: "transactions",
        run: endpoint::transactions,
        seeds: seeds::noise,
        dictionary: &[],
        rounds: 150,
    },
    Target {
        name: "dialogs",
        run: endpoint::dialogs,
        seeds: seeds::noise,
        dictionary: &[],
        rounds: 150,
    },
    Target {
        name: "rtp",
        run: media::fuzzing::rtp,
        seeds: seeds::packets,
        dictionary: &[],
        rounds: 40_000,
    },
    Target {
        name: "rtcp",
        run: media::fuzzing::rtcp,
        seeds: seeds::reports,
        dictionary: &[],
        rounds: 40_000,
    },
    Target {
        name: "wav",
        run: media::fuzzing::wav,
        seeds: seeds::waves,
        dictionary: &["data", "fmt ", "fact"],
        rounds: 5_000,
    },
    Target {
        name: "upload",
        run: upload::upload,
        seeds: upload::seeds,
        dictionary: &["data", "fmt ", "RIFF", "WAVE", "ID3", "TAG", "Xing", "Info"],
        rounds: 800,
    },
    Target {
        name: "jitter",
        run: media::fuzzing::jitter,
        seeds: seeds::noise,
        dictionary: &[],
        rounds: 300,
    },
    Target { name: "plane", run: plane, seeds: seeds::noise, dictionary: &[], rounds: 300 },
];

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

fn plane(data: &[u8]) {
    let _ = media::fuzzing::plane(data);
}
