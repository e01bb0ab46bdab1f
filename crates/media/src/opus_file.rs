//! Files of Opus in Ogg (RFC 7845), written a piece at a time.
//!
//! Samples go in at the rate at which they were recorded, pages come out. Positions are counted at
//! 48 kHz as the format wants it: what the encoder puts in front is named in the head and left out
//! by players, and the last page says where the sound ends within its last packet. So a file is as
//! long as what went in, to the sample.

use ogg::{PacketWriteEndInfo, PacketWriter};

use crate::limits::{OPUS_FILE_PAGE_PACKETS, WAV_CHANNELS_MAX};

/// The rate at which positions are counted (RFC 7845 4).
const CLOCK_HZ: u32 = 48_000;
/// Packets a second: 20 ms each, as in calls.
const PACKETS_A_SECOND: u32 = 50;
/// The longest packet of one frame (RFC 6716 3.4).
const PACKET_BYTES_MAX: usize = 1_275;
/// Bits a second of one channel: speech of a telephone without audible loss.
const MONO_BITRATE: i32 = 24_000;
/// Bits a second of two channels, of which mostly one speaks.
const STEREO_BITRATE: i32 = 40_000;
/// How hard the encoder tries, 0 to 10: nobody waits, but above 5 nobody hears a difference in
/// speech.
const COMPLEXITY: i32 = 5;
/// Bits of a sample that mean something.
const SAMPLE_BITS: i32 = 16;

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
pub enum OpusFileError {
    /// The encoder takes no such rate.
    #[error("a sample rate of {rate_hz} Hz")]
    Rate {
        /// The rate.
        rate_hz: u32,
    },
    /// No channel, or too many.
    #[error("{channels} channels")]
    Channels {
        /// How many.
        channels: u16,
    },
    /// The encoder failed, which it does for want of memory.
    #[error("the encoder failed")]
    Encoder(#[source] opus::Error),
    /// A page could not be made.
    #[error("a page could not be made")]
    Page(#[source] std::io::Error),
}

/// A file under way.
pub struct OpusFile {
    encoder: opus::Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    /// The number of the stream.
    serial: u32,
    channels: usize,
    /// Samples of a packet, of all channels.
    packet: usize,
    /// Units of the clock in one sample of one channel.
    units: u64,
    /// What the encoder puts in front, in units of the clock.
    skip: u64,
    /// The channels in turn, less than a packet.
    pending: Vec<i16>,
    /// Samples that went in, of one channel.
    taken: u64,
    packets: u64,
}

impl core::fmt::Debug for OpusFile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let OpusFile { channels, taken, packets, .. } = self;
        let mut shown = f.debug_struct("OpusFile");
        shown.field("channels", channels).field("taken", taken).field("packets", packets).finish()
    }
}

impl OpusFile {
    /// Begins a file; `serial` tells its stream from others with which somebody might join it.
    pub fn begin(rate_hz: u32, channels: u16, serial: u32) -> Result<OpusFile, OpusFileError> {
        let layout = match channels {
            1 => opus::Channels::Mono,
            2 => opus::Channels::Stereo,
            _ => return Err(OpusFileError::Channels { channels }),
        };
        if ![8_000, 12_000, 16_000, 24_000, 48_000].contains(&rate_hz) {
            return Err(OpusFileError::Rate { rate_hz });
        }
        let (encoder, lookahead) = encoder(rate_hz, layout).map_err(OpusFileError::Encoder)?;
        let units = u64::from(CLOCK_HZ / rate_hz);
        let frame = usize::try_from(rate_hz / PACKETS_A_SECOND).unwrap_or(0);
        let mut file = OpusFile {
            encoder,
            pages: PacketWriter::new(Vec::new()),
            serial,
            channels: usize::from(channels),
            packet: frame * usize::from(channels),
            units,
            skip: u64::from(lookahead) * units,
            pending: Vec::new(),
            taken: 0,
            packets: 0,
        };
        // Each of the two has its pages for itself (RFC 7845 3).
        file.write(file.head(rate_hz), 0, PacketWriteEndInfo::EndPage)?;
        file.write(tags(), 0, PacketWriteEndInfo::EndPage)?;
        Ok(file)
    }

    /// Adds samples, the channels in turn.
    pub fn add(&mut self, samples: &[i16]) -> Result<(), OpusFileError> {
        self.pending.extend(samples);
        let pending = core::mem::take(&mut self.pending);
        let mut packets = pending.chunks_exact(self.packet);
        for samples in packets.by_ref() {
            self.taken += samples.len() as u64 / self.channels as u64;
            let end = self.coded() + self.packet_units();
            let is_full = (self.packets + 1).is_multiple_of(OPUS_FILE_PAGE_PACKETS);
            let then = match is_full {
                true => PacketWriteEndInfo::EndPage,
                false => PacketWriteEndInfo::NormalPacket,
            };
            self.encode(samples, end, then)?;
        }
        self.pending.extend(packets.remainder());
        Ok(())
    }

    /// What is left of the sound, and the end of the file.
    pub fn end(mut self) -> Result<Vec<u8>, OpusFileError> {
        let mut rest = core::mem::take(&mut self.pending);
        self.taken += rest.len() as u64 / self.channels as u64;
        // A player leaves out what lies behind the sound, and in front of it.
        let end = self.skip + self.taken * self.units;
        loop {
            rest.resize(self.packet, 0);
            if self.coded() + self.packet_units() >= end {
                break;
            }
            let position = self.coded() + self.packet_units();
            self.encode(&rest, position, PacketWriteEndInfo::NormalPacket)?;
            rest.clear();
        }
        self.encode(&rest, end, PacketWriteEndInfo::EndStream)?;
        Ok(self.take())
    }

    /// The pages that were completed since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(self.pages.inner_mut())
    }

    fn encode(
        &mut self,
        samples: &[i16],
        end: u64,
        then: PacketWriteEndInfo,
    ) -> Result<(), OpusFileError> {
        let mut packet = [0; PACKET_BYTES_MAX];
        let written = self.encoder.encode(samples, &mut packet).map_err(OpusFileError::Encoder)?;
        self.packets += 1;
        self.write(packet.get(..written).unwrap_or_default().to_vec(), end, then)
    }

    /// Adds a packet, after whose end the stream stands at `end`.
    fn write(
        &mut self,
        packet: Vec<u8>,
        end: u64,
        then: PacketWriteEndInfo,
    ) -> Result<(), OpusFileError> {
        self.pages.write_packet(packet, self.serial, then, end).map_err(OpusFileError::Page)
    }

    /// The end of what is encoded, in units of the clock.
    fn coded(&self) -> u64 {
        self.packets * self.packet_units()
    }

    fn packet_units(&self) -> u64 {
        u64::from(CLOCK_HZ / PACKETS_A_SECOND)
    }

    /// RFC 7845 5.1.
    fn head(&self, rate_hz: u32) -> Vec<u8> {
        let mut head = b"OpusHead\x01".to_vec();
        head.push(u8::try_from(self.channels).unwrap_or(0));
        head.extend(u16::try_from(self.skip).unwrap_or(u16::MAX).to_le_bytes());
        head.extend(rate_hz.to_le_bytes());
        // As loud as it is; one stream of one or two channels.
        head.extend([0, 0, 0]);
        head
    }
}

/// RFC 7845 5.2: who has encoded it, and nothing of who is heard.
fn tags() -> Vec<u8> {
    let vendor = opus::version();
    let mut tags = b"OpusTags".to_vec();
    tags.extend(u32::try_from(vendor.len()).unwrap_or(0).to_le_bytes());
    tags.extend(vendor.as_bytes());
    tags.extend([0; 4]);
    tags
}

/// An encoder, and how many samples later than they went in its sounds come out.
fn encoder(rate_hz: u32, layout: opus::Channels) -> Result<(opus::Encoder, u32), opus::Error> {
    // Speech that a telephone has coded already is kept as it is, not made clearer.
    let mut encoder = opus::Encoder::new(rate_hz, layout, opus::Application::Audio)?;
    encoder.set_bitrate(opus::Bitrate::Bits(match layout {
        opus::Channels::Mono => MONO_BITRATE,
        opus::Channels::Stereo => STEREO_BITRATE,
    }))?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_signal(opus::Signal::Voice)?;
    encoder.set_lsb_depth(SAMPLE_BITS)?;
    let lookahead = encoder.get_lookahead()?;
    Ok((encoder, u32::try_from(lookahead).unwrap_or(0)))
}

const _: () = assert!(WAV_CHANNELS_MAX == 2, "a layout for each number of channels");

#[cfg(test)]
mod tests;
