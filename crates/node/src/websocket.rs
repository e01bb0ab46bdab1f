//! SIP over WebSocket (RFC 7118): one SIP message in each WebSocket message.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};
use tracing::debug;

use crate::flows::{Order, Shut};
use crate::limits;
use crate::patience::{Patience, Rest};
use crate::streams::{Lane, Streams};

/// The subprotocol's name: RFC 7118 4.1.
const SIP: &str = "sip";

/// Whose web pages may open a WebSocket: `Origin` values. `None`: anybody's.
pub(crate) type Origins = Option<Arc<[String]>>;

/// A WebSocket over a stream that notes when bytes come.
pub(crate) type Socket<S> = WebSocketStream<Noted<S>>;

/// The HTTP part of a connection. `None`: it failed, and the client was told.
pub(crate) async fn accept<S>(stream: S, origins: &Origins) -> Option<Socket<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(limits::WEBSOCKET_READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(Some(sip::limits::MESSAGE_BYTES_MAX))
        .max_frame_size(Some(sip::limits::MESSAGE_BYTES_MAX));
    #[expect(clippy::result_large_err, reason = "the library's form")]
    let check =
        |request: &Request, response| check(request, response, origins).map_err(|refusal| *refusal);
    let noted = Noted { stream, begun: None };
    match accept_hdr_async_with_config(noted, check, Some(config)).await {
        Ok(socket) => Some(socket),
        Err(error) => {
            debug!(%error, "a WebSocket handshake failed");
            None
        }
    }
}

/// RFC 7118 4.1: both sides name the subprotocol.
fn check(
    request: &Request,
    mut response: Response,
    origins: &Origins,
) -> Result<Response, Box<ErrorResponse>> {
    let refused = |status: StatusCode, why: &str| {
        let mut refusal = ErrorResponse::new(Some(why.to_owned()));
        *refusal.status_mut() = status;
        Box::new(refusal)
    };
    if let Some(origins) = origins {
        let origin = request.headers().get(ORIGIN).and_then(|value| value.to_str().ok());
        // RFC 6454 6.2: what is compared is lower case.
        let known = origin.is_some_and(|o| origins.iter().any(|k| k.eq_ignore_ascii_case(o)));
        if !known {
            return Err(refused(StatusCode::FORBIDDEN, "this origin may not connect\n"));
        }
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered.iter().filter_map(|value| value.to_str().ok());
    if !offered.any(|list| list.split(',').any(|name| name.trim().eq_ignore_ascii_case(SIP))) {
        return Err(refused(StatusCode::BAD_REQUEST, "the subprotocol `sip` is required\n"));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
    Ok(response)
}

/// Serves a WebSocket until it is over.
pub(crate) async fn serve<S>(
    streams: &Streams,
    mut socket: Socket<S>,
    lane: Lane,
    patience: &mut Patience,
    mut orders: mpsc::Receiver<Order>,
) -> Shut
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ping = Instant::now() + limits::WEBSOCKET_PING;
    socket.get_mut().begun = None;
    loop {
        let late = late(patience, socket.get_ref().begun);
        let wake = late.min(ping);
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Write(bytes)) => {
                    if let Some(why) = send(&mut socket, message(&bytes)).await {
                        return why;
                    }
                }
                Some(Order::Close) => {
                    close(&mut socket, CloseCode::Normal).await;
                    return Shut::ByUs;
                }
                // The table has dropped the connection: its queue was full.
                None => return Shut::Stuck,
            },
            received = received(&mut socket) => {
                let taken = match received {
                    // The times are others now.
                    Received::Part => continue,
                    Received::Whole(taken) => taken,
                };
                let taken = match taken {
                    None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => {
                        return Shut::ByPeer;
                    }
                    Some(taken) => taken,
                };
                socket.get_mut().begun = None;
                if let Some((why, code)) = take(streams, lane, patience, taken).await {
                    close(&mut socket, code).await;
                    return why;
                }
            },
            () = sleep_until(wake) => {
                let now = Instant::now();
                if now >= late {
                    close(&mut socket, CloseCode::Policy).await;
                    let half = socket.get_ref().begun.is_some();
                    return if half { Shut::Slow } else { patience.why_late() };
                }
                ping = now + limits::WEBSOCKET_PING;
                if let Some(why) = send(&mut socket, Message::Ping(Default::default())).await {
                    return why;
                }
            }
        }
    }
}

/// What has come.
enum Received {
    /// The first bytes of something.
    Part,
    /// A message, an error, or the end.
    Whole(Option<Result<Message, Error>>),
}

/// Waits for a message, or for its first bytes.
async fn received<S>(socket: &mut Socket<S>) -> Received
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let before = socket.get_ref().begun;
    poll_fn(|context| match socket.poll_next_unpin(context) {
        Poll::Ready(whole) => Poll::Ready(Received::Whole(whole)),
        Poll::Pending if socket.get_ref().begun != before => Poll::Ready(Received::Part),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// When a connection is too late: as its patience says, or with a message half sent.
fn late(patience: &Patience, begun: Option<Instant>) -> Instant {
    let half = begun.map(|begun| begun + limits::MESSAGE_TIME);
    half.map_or(patience.deadline(), |half| half.min(patience.deadline()))
}

/// What to do with what came; `Some`: why it is over, and how the peer is told.
async fn take(
    streams: &Streams,
    lane: Lane,
    patience: &mut Patience,
    received: Result<Message, Error>,
) -> Option<(Shut, CloseCode)> {
    let bytes: Vec<u8> = match received {
        Ok(Message::Text(text)) => text.as_bytes().to_vec(),
        Ok(Message::Binary(bytes)) => bytes.into(),
        // The library answers pings and the peer's goodbye. A pong is the answer to ours, so it
        // is no sign that somebody wants something.
        Ok(Message::Ping(_)) => {
            patience.heard(Rest::Nothing);
            return None;
        }
        Ok(Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => return None,
        Err(Error::Capacity(_)) => return Some((Shut::Garbage, CloseCode::Size)),
        Err(Error::Utf8(_)) => return Some((Shut::Garbage, CloseCode::Invalid)),
        Err(Error::Protocol(_)) => return Some((Shut::Garbage, CloseCode::Protocol)),
        Err(_) => return Some((Shut::ByPeer, CloseCode::Normal)),
    };
    patience.heard(Rest::Nothing);
    match bytes.as_slice() {
        // RFC 5626 4.4.1, which some clients use here too.
        b"\r\n\r\n" => streams.flows.write(lane.flow.id, b"\r\n".as_slice().into()),
        bytes if bytes.trim_ascii().is_empty() => {}
        _ => {
            if !patience.is_proven() {
                if sip::Message::parse(bytes.clone()).is_err() {
                    return Some((Shut::Garbage, CloseCode::Unsupported));
                }
                patience.prove();
                streams.flows.prove(lane.flow.id);
            }
            streams.pass_on(lane, bytes).await;
        }
    }
    None
}

/// RFC 7118 5: text, or binary where it is not UTF-8.
fn message(bytes: &[u8]) -> Message {
    match core::str::from_utf8(bytes) {
        Ok(text) => Message::Text(Utf8Bytes::from(text)),
        Err(_) => Message::Binary(bytes.to_vec().into()),
    }
}

async fn send<S>(socket: &mut Socket<S>, message: Message) -> Option<Shut>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(limits::MESSAGE_TIME, socket.send(message)).await {
        Err(_) => Some(Shut::Stuck),
        Ok(Err(_)) => Some(Shut::ByPeer),
        Ok(Ok(())) => None,
    }
}

/// Tells the peer why; it need not answer.
async fn close<S>(socket: &mut Socket<S>, code: CloseCode)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static("") };
    let _ = timeout(limits::FAREWELL_TIME, socket.close(Some(frame))).await;
}

/// A stream that notes when the first byte came after somebody has cleared the note.
#[derive(Debug)]
pub(crate) struct Noted<S> {
    stream: S,
    begun: Option<Instant>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.begun.get_or_insert_with(Instant::now);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
