//! Where one source ends and another begins in what a leg is sent: led over, so that it does not
//! click.

use model::Codec;

use crate::conceal::Conceal;
use crate::g711;
use crate::pcm::Rate;

/// What is kept of the sound that was sent: 40 ms of G.711, as it was sent.
const KEPT: usize = 320;
/// Samples that are led over: 5 ms.
const LED: usize = 40;

/// The end of what a leg was sent.
#[derive(Debug)]
pub(crate) struct Seam {
    sent: [u8; KEPT],
    /// The law of what is kept; `None`: nothing is.
    codec: Option<Codec>,
    open: bool,
}

impl Default for Seam {
    fn default() -> Seam {
        Seam { sent: [0; KEPT], codec: None, open: false }
    }
}

impl Seam {
    /// Remembers what was sent. Of codecs with a memory nothing is kept: their decoders lead over
    /// by themselves.
    pub(crate) fn remember(&mut self, codec: Codec, payload: &[u8]) {
        self.open = false;
        if !matches!(codec, Codec::Pcma | Codec::Pcmu) {
            self.codec = None;
            return;
        }
        if self.codec.replace(codec) != Some(codec) {
            self.sent.fill(g711::silence(codec));
        }
        let length = payload.len().min(KEPT);
        self.sent.copy_within(length.., 0);
        let newest = payload.get(payload.len() - length..).unwrap_or(&[]);
        if let Some(place) = self.sent.get_mut(KEPT - length..) {
            place.copy_from_slice(newest);
        }
    }

    /// What comes next is of another source.
    pub(crate) fn open(&mut self) {
        self.open = true;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Leads over to the first frame of the new source.
    pub(crate) fn lead(&self, rate: Rate, frame: &mut [i16]) {
        let Some(codec) = self.codec.filter(|_| rate == Rate::Narrow) else { return };
        let kept: [i16; KEPT] = self.sent.map(|code| g711::decode(codec, code));
        let mut conceal = Conceal::default();
        conceal.restart(rate);
        conceal.follow(&kept);
        conceal.lead(frame);
    }

    /// A payload is passed on: the first of a new source is led over to, and each is remembered.
    pub(crate) fn pass(&mut self, codec: Codec, payload: &mut [u8]) {
        if self.open {
            self.lead_payload(codec, payload);
        }
        self.remember(codec, payload);
    }

    fn lead_payload(&self, codec: Codec, payload: &mut [u8]) {
        if !matches!(codec, Codec::Pcma | Codec::Pcmu) {
            return;
        }
        let length = payload.len().min(LED);
        let mut frame = [0; LED];
        for (sample, code) in frame.iter_mut().zip(&*payload) {
            *sample = g711::decode(codec, *code);
        }
        let Some(begin) = frame.get_mut(..length) else { return };
        self.lead(Rate::Narrow, begin);
        for (code, sample) in payload.iter_mut().zip(&frame) {
            *code = g711::encode(codec, *sample);
        }
    }
}
