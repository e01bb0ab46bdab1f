//! STUN on the SIP port: how a phone on datagrams asks whether its way to us is still open, and
//! under which address it is seen (RFC 5626 4.4.2 and 8, RFC 8489).

use core::net::{IpAddr, SocketAddr};

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];

/// The transaction id of a Binding request; `None`: it is something else.
fn transaction(bytes: &[u8]) -> Option<[u8; 12]> {
    let (header, attributes) = bytes.split_at_checked(HEADER)?;
    let length = u16::from_be_bytes([*header.get(2)?, *header.get(3)?]);
    let is_request = header.starts_with(&BINDING_REQUEST)
        && header.get(4..8) == Some(&MAGIC_COOKIE)
        && usize::from(length) == attributes.len()
        && length.is_multiple_of(4);
    if is_request { header.get(8..)?.try_into().ok() } else { None }
}

/// The answer to a Binding request: the address that it came from. `None`: it is none.
pub(crate) fn answer(bytes: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let transaction = transaction(bytes)?;
    let [first, second, ..] = MAGIC_COOKIE;
    let port = from.port() ^ u16::from_be_bytes([first, second]);
    let mut key = Vec::from(MAGIC_COOKIE);
    key.extend(transaction);
    // RFC 8489 14.2: the port with the first half of the cookie, the address with the cookie and,
    // where it is longer, the transaction id.
    let (family, address) = match from.ip().to_canonical() {
        IpAddr::V4(ip) => (0x01, ip.octets().to_vec()),
        IpAddr::V6(ip) => (0x02, ip.octets().to_vec()),
    };
    let address = address.iter().zip(&key).map(|(byte, key)| byte ^ key);
    let mut value = vec![0, family];
    value.extend(port.to_be_bytes());
    value.extend(address);
    let length = u16::try_from(value.len()).ok()?;
    let mut answer = Vec::with_capacity(HEADER + 4 + value.len());
    answer.extend(BINDING_SUCCESS);
    answer.extend((length + 4).to_be_bytes());
    answer.extend(key);
    answer.extend(XOR_MAPPED_ADDRESS);
    answer.extend(length.to_be_bytes());
    answer.extend(value);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 2.1 without its attributes, 2.2 and 2.3: the published vectors.
    const TRANSACTION: [u8; 12] =
        [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request() -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0];
        bytes.extend(MAGIC_COOKIE);
        bytes.extend(TRANSACTION);
        bytes
    }

    #[test]
    fn the_answer_names_the_address_as_the_published_vectors_do() {
        let answer4 = answer(&request(), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(answer4[..4], [0x01, 0x01, 0x00, 0x0c]);
        assert_eq!(answer4[4..20], request()[4..]);
        assert_eq!(
            answer4[20..],
            [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
        );
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let answer6 = answer(&request(), v6).unwrap();
        assert_eq!(
            answer6[20..],
            [
                0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3,
                0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
            ]
        );
    }

    #[test]
    fn what_is_no_binding_request_has_no_answer() {
        let from = "192.0.2.1:5060".parse().unwrap();
        let changed = |at: usize, byte: u8| {
            let mut bytes = request();
            bytes[at] = byte;
            answer(&bytes, from)
        };
        assert_eq!(changed(1, 0x11), None, "an indication");
        assert_eq!(changed(0, 0x01), None, "a response");
        assert_eq!(changed(4, 0x22), None, "no cookie");
        assert_eq!(changed(3, 4), None, "an attribute that is not there");
        assert_eq!(answer(&request()[..19], from), None);
        assert_eq!(answer(b"", from), None);
        assert!(answer(&request(), from).is_some());
    }
}
