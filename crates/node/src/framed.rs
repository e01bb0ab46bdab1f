//! SIP on a stream, bare or inside TLS: cut into messages, handed over; orders written.

use core::future::poll_fn;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::ready;
use std::io;

use sip::framing::{Frame, Framer, FramingError};
use sip::{Reply, Verdict, Writer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{timeout, timeout_at};
use tracing::debug;

use crate::flows::{Order, Shut};
use crate::limits;
use crate::patience::{Patience, Rest};
use crate::streams::{Lane, Streams};

/// Serves a stream until it is over.
pub(crate) async fn serve<S>(
    streams: &Streams,
    stream: S,
    lane: Lane,
    patience: &mut Patience,
    orders: mpsc::Receiver<Order>,
) -> Shut
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (read, write) = tokio::io::split(stream);
    let writing = write_orders(write, orders);
    tokio::pin!(writing);
    let mut reading = Reading { read, framer: Framer::new(), patience, is_owed: false };
    let why = tokio::select! {
        why = reading.run(streams, lane) => why,
        why = &mut writing => return why,
    };
    if why == Shut::Garbage {
        // What came whole before it gets its answers.
        if reading.is_owed
            && let Ok(why) = timeout(limits::ANSWERS_TIME, &mut writing).await
        {
            return why;
        }
        // What it is owed goes out before the connection closes.
        streams.flows.close(lane.flow.id);
        let _ = timeout(limits::FAREWELL_TIME, writing).await;
    }
    why
}

/// One connection's reading end.
struct Reading<'a, R> {
    read: R,
    framer: Framer,
    patience: &'a mut Patience,
    /// Messages of the last look were passed on.
    is_owed: bool,
}

impl<R: AsyncRead + Unpin> Reading<'_, R> {
    async fn run(&mut self, streams: &Streams, lane: Lane) -> Shut {
        loop {
            match timeout_at(self.patience.deadline(), self.fill()).await {
                Err(_) => return self.patience.why_late(),
                Ok(Err(_) | Ok(0)) => return Shut::ByPeer,
                Ok(Ok(_)) => self.is_owed = false,
            }
            while let Some(frame) = self.framer.next_frame() {
                self.patience.whole();
                match frame {
                    Ok(Frame::Message(message)) => {
                        if self.patience.prove() {
                            streams.flows.prove(lane.flow.id);
                        }
                        streams.pass_on(lane, message.bytes().to_vec()).await;
                        self.is_owed = true;
                    }
                    Ok(Frame::Ping) => {
                        streams.flows.write(lane.flow.id, b"\r\n".as_slice().into());
                    }
                    Ok(Frame::Pong) => {}
                    Err(error) => {
                        answer_garbage(streams, lane, &error);
                        return Shut::Garbage;
                    }
                }
            }
            let rest = if self.framer.pending() == 0 { Rest::Nothing } else { Rest::Part };
            self.patience.heard(rest);
        }
    }

    /// Reads what is there into the framer; 0: the stream has ended. The buffer lives no longer
    /// than one look, so a silent connection holds none.
    async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|context| {
            let mut bytes = [MaybeUninit::uninit(); limits::STREAM_READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut self.read).poll_read(context, &mut buffer))?;
            self.framer.push(buffer.filled());
            Ok(buffer.filled().len()).into()
        })
        .await
    }
}

fn answer_garbage(streams: &Streams, lane: Lane, error: &FramingError) {
    let flow = lane.flow;
    debug!(flow = flow.id.0, remote = %flow.remote, error = error.reason, "no SIP on it");
    if let Some((request, Verdict::Answer { status, reason })) = error.answer.as_deref() {
        let source = Some(flow.remote);
        let reply = Reply { reason: Some(reason), source, ..Reply::new(*status) };
        let bytes = Writer::response(request, reply).finish();
        streams.flows.write(flow.id, bytes.into());
    }
}

async fn write_orders<W: AsyncWrite + Unpin>(
    mut write: W,
    mut orders: mpsc::Receiver<Order>,
) -> Shut {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Write(bytes) => {
                let written = async {
                    write.write_all(&bytes).await?;
                    // Inside TLS bytes may wait for each other.
                    write.flush().await
                };
                match timeout(limits::MESSAGE_TIME, written).await {
                    Err(_) => return Shut::Stuck,
                    Ok(Err(_)) => return Shut::ByPeer,
                    Ok(Ok(())) => {}
                }
            }
            Order::Close => {
                // TLS says goodbye, so that the peer knows that nothing was cut off.
                let _ = timeout(limits::FAREWELL_TIME, write.shutdown()).await;
                return Shut::ByUs;
            }
        }
    }
    // The table has dropped the connection: its queue was full.
    Shut::Stuck
}
