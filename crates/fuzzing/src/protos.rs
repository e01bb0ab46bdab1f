//! INVITEs with one broken field each: the families of exceptional values that the PROTOS group
//! tried on SIP (test suite c07, Oulu 2002), made anew: overlong, missing, repeated and binary.

/// An INVITE whose fields are named; what stands after the bar is the good value.
const TEMPLATE: &str = "\
{method|INVITE} {scheme|sip}:{user|101}@{host|pbx.example}:{port|5060}{uri-parameter|;user=phone} \
{version|SIP/2.0}
Via: {via-protocol|SIP}/{via-version|2.0}/{transport|UDP} {sent-by|198.51.100.7}:{via-port|5060}\
;branch={branch|z9hG4bK00003};{rport|rport}
From: {from-name|Alice} <{from-scheme|sip}:{from-user|alice}@{from-host|pbx.example}>;tag={from-tag|3}
To: {to-name|\"Bob\"} <sip:{to-user|101}@{to-host|pbx.example}{to-parameter|;x=y}>{to-tag|}
Call-ID: {call-id|1@198.51.100.7}
CSeq: {cseq|1} {cseq-method|INVITE}
Contact: {contact-name|x} <{contact|sip:alice@198.51.100.7:5060}>;expires={contact-expires|60}
Expires: {expires|1200}
Max-Forwards: {max-forwards|70}
Record-Route: {record-route|<sip:p1.example;lr>}
{header-name|Subject}: {subject|a call}
Supported: {supported|100rel}
Session-Expires: {session-expires|1800}
{proof|}Content-Type: {type|application}/{subtype|sdp}
Content-Length: {content-length|@}

v={sdp-version|0}
o={origin|alice} {session|1} {session-version|1} IN {family|IP4} {origin-host|198.51.100.7}
s={name|-}
c=IN IP4 {connection|198.51.100.7}
t={begin|0} {end|0}
m={media|audio} {media-port|4000} {profile|RTP/AVP} {format|8}
a={attribute|rtpmap}:{payload-type|8} {encoding|PCMA}/{rate|8000}
";

/// Pieces that are repeated until they are overlong.
const PIECES: &[&[u8]] = &[
    b"a",
    b"0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b".",
    b"/",
    b"<",
    b">",
    b"\"",
    b"%",
    b"\\",
    b"@",
    b"[",
    b"=",
    b"%s",
    b"%n",
    b"%00",
    b"%2e",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"\r",
    b"\n",
    b"../",
];

/// How often.
const TIMES: &[usize] = &[1, 33, 257, 4_097];

/// Values that are odd in themselves.
const VALUES: &[&[u8]] = &[
    b"",
    b"-1",
    b"4294967296",
    b"18446744073709551616",
    b"1.5",
    b"0x7f",
    b"\r\n ",
    b"\r\nVia: SIP/2.0/UDP evil.example",
    b"\r\n\r\n",
    b"\xc0\xae\xc0\xae",
    b"\xed\xa0\x80",
    b"\x1b[2J",
    b"999.999.999.999",
    b"[::1",
    b"[1:2:3:4:5:6:7:8:9]",
    b"sip:sip:sip:a@b@c",
];

/// One test case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Which field, and what is wrong with it.
    pub name: String,
    /// The message.
    pub bytes: Vec<u8>,
}

/// The names of all fields.
pub fn fields() -> Vec<&'static str> {
    pieces(TEMPLATE).filter_map(|piece| piece.field).map(|(name, _)| name).collect()
}

/// All cases. `proof` is what stands before Content-Type: nothing, or a header line with its end.
pub fn cases(proof: &str) -> Vec<Case> {
    let mut all = vec![Case { name: "nothing is wrong".into(), bytes: invite("", b"", proof) }];
    for field in fields().into_iter().filter(|name| *name != "proof") {
        for (piece, &times) in PIECES.iter().flat_map(|p| TIMES.iter().map(move |t| (p, t))) {
            let name = format!("{field}: {} times {}", times, piece.escape_ascii());
            all.push(Case { name, bytes: invite(field, &piece.repeat(times), proof) });
        }
        for value in VALUES {
            let name = format!("{field}: {}", value.escape_ascii());
            all.push(Case { name, bytes: invite(field, value, proof) });
        }
    }
    all.extend(lines(proof));
    all
}

/// The same lines, each missing, first, twice and three hundred times.
fn lines(proof: &str) -> Vec<Case> {
    let good = invite("", b"", proof);
    let lines: Vec<&[u8]> = good.split_inclusive(|&b| b == b'\n').collect();
    let mut all = Vec::new();
    for at in 0..lines.len() {
        for times in [0, 2, 300] {
            let repeated = lines.iter().enumerate().flat_map(|(n, line)| {
                let times = if n == at { times } else { 1 };
                core::iter::repeat_n(*line, times)
            });
            let name = format!("line {at} {times} times");
            all.push(Case { name, bytes: repeated.flatten().copied().collect() });
        }
        let moved = core::iter::once(lines[at]);
        let rest = lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| *line);
        let name = format!("line {at} first");
        all.push(Case { name, bytes: moved.chain(rest).flatten().copied().collect() });
    }
    all
}

/// The INVITE with this value in this field.
fn invite(field: &str, value: &[u8], proof: &str) -> Vec<u8> {
    let (head, body) = TEMPLATE.split_once("\n\n").unwrap_or((TEMPLATE, ""));
    let mut description = Vec::new();
    fill(body, field, value, "", &mut description);
    let mut bytes = Vec::with_capacity(2_048);
    let head =
        head.replace("{content-length|@}", &format!("{{content-length|{}}}", description.len()));
    fill(&head, field, value, proof, &mut bytes);
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes.extend(description);
    bytes
}

fn fill(template: &str, field: &str, value: &[u8], proof: &str, to: &mut Vec<u8>) {
    for piece in pieces(template) {
        to.extend(piece.text.replace('\n', "\r\n").bytes());
        match piece.field {
            Some((name, _)) if name == field => to.extend_from_slice(value),
            Some(("proof", _)) => to.extend_from_slice(proof.as_bytes()),
            Some((_, good)) => to.extend_from_slice(good.as_bytes()),
            None => {}
        }
    }
}

/// Text, and the field with its good value that follows it.
struct Piece<'a> {
    text: &'a str,
    field: Option<(&'a str, &'a str)>,
}

fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = Some(template);
    core::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((before, after)) = text.split_once('{') else {
            return Some(Piece { text, field: None });
        };
        let (field, after) = after.split_once('}')?;
        rest = Some(after);
        Some(Piece { text: before, field: field.split_once('|') })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_good_invite_is_good() {
        let message = sip::Message::parse(invite("", b"", "")).unwrap();
        assert_eq!(sip::validate(&message), Ok(()), "{message:?}");
        let description = sip::body::session_description(&message).unwrap();
        assert!(sip::sdp::parse(description).unwrap().shape.audio.is_some());
    }

    #[test]
    fn every_field_is_broken_in_every_way() {
        let fields = fields();
        assert!(fields.len() > 45, "{}", fields.len());
        let cases = cases("");
        assert!(cases.len() >= 4_500, "{}", cases.len());
        let odd = cases.iter().find(|c| c.name == "cseq: -1").unwrap();
        assert!(odd.bytes.windows(16).any(|w| w == b"CSeq: -1 INVITE\r"[..].as_ref()));
    }
}
