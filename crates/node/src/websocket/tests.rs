//! WebSockets as browsers make them.

use core::time::Duration;

use stack::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request as ClientRequest;

use super::*;
use crate::streams::tests::{Bench, OPTIONS, pass};
use crate::tls::tests::believing;

fn request(headers: &[(&'static str, &str)]) -> ClientRequest {
    let mut request = "ws://a.example/any".into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

const SIP_ONLY: &[(&str, &str)] = &[("Sec-WebSocket-Protocol", "sip")];

async fn connected(bench: &Bench) -> WebSocketStream<TcpStream> {
    let stream = bench.connect().await;
    let (socket, response) = client_async(request(SIP_ONLY), stream).await.unwrap();
    assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "sip");
    socket
}

async fn bench() -> Bench {
    Bench::listening(Transport::Ws, None).await
}

/// The next message that is no ping of ours.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            message => return message,
        }
    }
}

/// The code with which the other side closes.
async fn closes_with(socket: &mut WebSocketStream<TcpStream>) -> CloseCode {
    match next(socket).await {
        Message::Close(Some(frame)) => frame.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_come_as_text_or_binary_and_answers_as_text() {
    let bench = bench().await;
    let mut socket = connected(&bench).await;
    socket.send(Message::text(OPTIONS)).await.unwrap();
    socket.send(Message::binary(OPTIONS.as_bytes().to_vec())).await.unwrap();
    let got = bench.received(2).await;
    let (_, flow, bytes) = &got[0];
    assert_eq!((flow.transport, flow.local), (Transport::Ws, bench.address));
    assert_eq!((bytes.as_slice(), &got[1].2), (OPTIONS.as_bytes(), bytes));

    bench.streams.flows.write(flow.id, b"SIP/2.0 200 OK\r\n\r\n".as_slice().into());
    assert_eq!(next(&mut socket).await, Message::text("SIP/2.0 200 OK\r\n\r\n"));
    bench.streams.flows.write(flow.id, b"\xff".as_slice().into());
    assert_eq!(next(&mut socket).await, Message::binary(b"\xff".as_slice()));
    bench.streams.flows.close(flow.id);
    assert_eq!(closes_with(&mut socket).await, CloseCode::Normal);
}

#[tokio::test]
async fn fragments_make_one_message() {
    let bench = bench().await;
    let mut stream = bench.connect().await;
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: x, SIP\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    // RFC 6455 1.3: the example's answer.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    // RFC 6455 5.2: a text frame that is not final, then its rest; the mask is zero. A byte at a
    // time.
    let (first, second) = OPTIONS.as_bytes().split_at(100);
    for (opcode, part) in [(0x01, first), (0x80, second)] {
        let length = u8::try_from(part.len()).unwrap();
        let mut frame = vec![opcode];
        match length {
            0..126 => frame.push(0x80 | length),
            126.. => frame.extend([0x80 | 126, 0, length]),
        }
        frame.extend([0; 4]);
        frame.extend(part);
        for byte in frame {
            stream.write_all(&[byte]).await.unwrap();
        }
    }
    assert_eq!(bench.received(1).await[0].2, OPTIONS.as_bytes());
}

#[tokio::test]
async fn a_client_that_does_not_speak_sip_is_refused() {
    let bench = bench().await;
    for headers in [&[][..], &[("Sec-WebSocket-Protocol", "chat, sips")]] {
        let refused = client_async(request(headers), bench.connect().await).await;
        let Err(Error::Http(response)) = refused else { panic!("{refused:?}") };
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
    bench.ended(Shut::Handshake, 2).await;
    let mut plain = bench.connect().await;
    plain.write_all(OPTIONS.as_bytes()).await.unwrap();
    bench.ended(Shut::Handshake, 3).await;
}

#[tokio::test]
async fn only_the_pages_that_are_listed_may_connect() {
    let listed = ["https://phone.example".to_owned(), "http://b.example:8000".to_owned()];
    let bench = Bench::listening(Transport::Ws, Some(Arc::from(listed))).await;
    let mut outcomes = Vec::new();
    for origin in ["https://PHONE.example", "http://b.example:8000", "https://evil.example", "null"]
    {
        let headers = [SIP_ONLY, &[("Origin", origin)]].concat();
        let outcome = client_async(request(&headers), bench.connect().await).await;
        outcomes.push(match outcome {
            Ok(_) => 101,
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        });
    }
    assert_eq!(outcomes, [101, 101, 403, 403]);
    let without = client_async(request(SIP_ONLY), bench.connect().await).await;
    assert!(matches!(without, Err(Error::Http(response)) if response.status() == 403));
}

#[tokio::test]
async fn keep_alives_of_both_kinds_are_answered() {
    let bench = bench().await;
    let mut socket = connected(&bench).await;
    socket.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::text("\r\n"));
    socket.send(Message::Ping(b"42".as_slice().into())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong(b"42".as_slice().into()));
    socket.send(Message::text("\r\n")).await.unwrap();
    socket.send(Message::text(OPTIONS)).await.unwrap();
    assert_eq!(bench.received(1).await[0].2, OPTIONS.as_bytes(), "nothing else went in");
}

#[tokio::test]
async fn what_breaks_the_rules_is_told_by_its_code() {
    let bench = bench().await;
    let too_long = "x".repeat(sip::limits::MESSAGE_BYTES_MAX + 1);
    for (message, code) in [
        (Message::text(too_long), CloseCode::Size),
        (Message::text("no SIP at all"), CloseCode::Unsupported),
    ] {
        let mut socket = connected(&bench).await;
        socket.send(message).await.unwrap();
        assert_eq!(closes_with(&mut socket).await, code);
    }
    bench.ended(Shut::Garbage, 2).await;
    // A text frame that is not UTF-8, masked with zeros.
    let mut stream = connected(&bench).await.into_inner();
    stream.write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff]).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest[..4], [0x88, 2, 0x03, 0xef], "1007");
    // A frame without mask: RFC 6455 5.1.
    let mut stream = connected(&bench).await.into_inner();
    stream.write_all(&[0x81, 1, b'x']).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest[..4], [0x88, 2, 0x03, 0xea], "1002");
}

#[tokio::test]
async fn a_websocket_inside_tls_is_one() {
    let bench = Bench::listening(Transport::Wss, None).await;
    let connector = TlsConnector::from(believing(&bench.certificate()));
    let name = "a.example".try_into().unwrap();
    let stream = connector.connect(name, bench.connect().await).await.unwrap();
    let (mut socket, _) = client_async(request(SIP_ONLY), stream).await.unwrap();
    socket.send(Message::text(OPTIONS)).await.unwrap();
    assert_eq!(bench.received(1).await[0].1.transport, Transport::Wss);
}

#[tokio::test(start_paused = true)]
async fn half_a_message_has_32_seconds_and_silence_is_pinged() {
    let bench = bench().await;
    let (mut peer, ours) = tokio::io::duplex(1 << 10);
    let config = WebSocketConfig::default();
    let noted = Noted { stream: ours, begun: None };
    let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
    let socket = WebSocketStream::from_raw_socket(noted, role, Some(config)).await;
    let (id, orders) = bench.streams.flows.open([127, 0, 0, 1].into(), Transport::Ws).unwrap();
    let (local, remote) = (bench.address, "127.0.0.1:9".parse().unwrap());
    let flow = stack::Flow { id, transport: Transport::Ws, local, remote };
    let streams = bench.streams.clone();
    let begun = Instant::now();
    let served = tokio::spawn(async move {
        let mut patience = Patience::new();
        patience.prove();
        let why = serve(&streams, socket, Lane { flow, home: 0 }, &mut patience, orders).await;
        (why, begun.elapsed())
    });
    let mut ping = [0; 2];
    peer.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping, begun.elapsed()), ([0x89, 0], limits::WEBSOCKET_PING));
    // The head of a frame of five bytes, then a byte in ten seconds.
    peer.write_all(&[0x81, 0x85, 0, 0, 0, 0]).await.unwrap();
    for byte in b"OPTI" {
        pass(Duration::from_secs(10)).await;
        if peer.write_all(&[*byte]).await.is_err() {
            break;
        }
    }
    let (why, lasted) = served.await.unwrap();
    assert_eq!(why, Shut::Slow);
    assert_eq!(lasted, limits::WEBSOCKET_PING + limits::MESSAGE_TIME);
}
