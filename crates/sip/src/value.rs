//! What is written into a header: texts, numbers, addresses, without the machinery of formatting.
//!
//! A message has some forty values, and formatting costs each of them more than all the rest.

use core::fmt::{self, Write as _};
use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;

use crate::method::Method;

/// A line that is being written. CR, LF and NUL in anything that is written to it become spaces, so
/// that it stays one line.
#[derive(Debug)]
pub struct Line<'a>(pub(crate) &'a mut Vec<u8>);

impl Line<'_> {
    /// Appends text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        // The least byte tells that there is nothing to look for, at many bytes a time.
        if text.bytes().fold(u8::MAX, u8::min) > b'\r' {
            self.0.extend_from_slice(text.as_bytes());
        } else {
            let breaks = |b: u8| matches!(b, b'\r' | b'\n' | 0);
            self.0.extend(text.bytes().map(|b| if breaks(b) { b' ' } else { b }));
        }
        self
    }

    /// Appends a number.
    pub fn number(&mut self, n: impl Into<u64>) -> &mut Self {
        let mut n = n.into();
        let mut digits = [0; 20];
        let mut at = digits.len();
        while let Some(place) = at.checked_sub(1).and_then(|last| digits.get_mut(last)) {
            *place = b'0' + u8::try_from(n % 10).unwrap_or(0);
            (at, n) = (at - 1, n / 10);
            if n == 0 {
                break;
            }
        }
        self.0.extend_from_slice(digits.get(at..).unwrap_or_default());
        self
    }

    /// Appends an address; one of IPv6 without brackets.
    pub fn ip(&mut self, ip: IpAddr) -> &mut Self {
        let IpAddr::V4(v4) = ip else { return self.value(format_args!("{ip}")) };
        for (i, octet) in v4.octets().into_iter().enumerate() {
            if i > 0 {
                self.0.push(b'.');
            }
            self.number(octet);
        }
        self
    }

    /// Appends an address and a port as `IP:port`, an IPv6 address in brackets.
    pub fn host_port(&mut self, at: SocketAddr) -> &mut Self {
        let SocketAddr::V4(v4) = at else { return self.value(format_args!("{at}")) };
        self.ip(IpAddr::V4(*v4.ip()));
        self.0.push(b':');
        self.number(v4.port())
    }

    /// Appends any value.
    pub fn value(&mut self, value: impl Value) -> &mut Self {
        value.write(self);
        self
    }
}

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// A value by itself, as it would stand in a header.
pub fn written(value: impl Value) -> String {
    let mut out = Vec::new();
    value.write(&mut Line(&mut out));
    // Whoever writes a line writes text.
    String::from_utf8(out).unwrap_or_default()
}

/// What can be the value of a header: text, a number, pieces of text, `format_args!`, or whatever a
/// closure writes.
pub trait Value {
    /// Writes it.
    fn write(&self, line: &mut Line<'_>);
}

impl<F: Fn(&mut Line<'_>)> Value for F {
    fn write(&self, line: &mut Line<'_>) {
        self(line);
    }
}

impl Value for fmt::Arguments<'_> {
    fn write(&self, line: &mut Line<'_>) {
        // Writing into a vector cannot fail.
        let _ = line.write_fmt(*self);
    }
}

impl Value for &str {
    fn write(&self, line: &mut Line<'_>) {
        line.text(self);
    }
}

impl Value for &String {
    fn write(&self, line: &mut Line<'_>) {
        line.text(self);
    }
}

impl Value for &Box<str> {
    fn write(&self, line: &mut Line<'_>) {
        line.text(self);
    }
}

impl Value for String {
    fn write(&self, line: &mut Line<'_>) {
        line.text(self);
    }
}

impl Value for Cow<'_, str> {
    fn write(&self, line: &mut Line<'_>) {
        line.text(self);
    }
}

impl<const N: usize> Value for [&str; N] {
    fn write(&self, line: &mut Line<'_>) {
        for piece in self {
            line.text(piece);
        }
    }
}

impl Value for Method {
    fn write(&self, line: &mut Line<'_>) {
        line.text(self.as_str());
    }
}

impl Value for u8 {
    fn write(&self, line: &mut Line<'_>) {
        line.number(*self);
    }
}

impl Value for u16 {
    fn write(&self, line: &mut Line<'_>) {
        line.number(*self);
    }
}

impl Value for u32 {
    fn write(&self, line: &mut Line<'_>) {
        line.number(*self);
    }
}

impl Value for u64 {
    fn write(&self, line: &mut Line<'_>) {
        line.number(*self);
    }
}

impl Value for usize {
    fn write(&self, line: &mut Line<'_>) {
        line.number(u64::try_from(*self).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_the_standard_form() {
        for n in [0, 1, 9, 10, 99, 100, 65_535, 1 << 32, u64::MAX] {
            assert_eq!(written(|line: &mut Line<'_>| _ = line.number(n)), n.to_string());
        }
    }

    #[test]
    fn an_address_is_written_as_the_standard_form() {
        for text in [
            "0.0.0.0:0",
            "1.20.255.9:5060",
            "255.255.255.255:65535",
            "10.0.100.1:10000",
            "[2001:db8::1]:5061",
        ] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(written(|line: &mut Line<'_>| _ = line.host_port(address)), text);
            assert_eq!(
                written(|line: &mut Line<'_>| _ = line.ip(address.ip())),
                address.ip().to_string()
            );
        }
    }

    #[test]
    fn nothing_begins_a_new_line() {
        let evil = "a\r\nb\0c";
        assert_eq!(written([evil, evil]), "a  b ca  b c");
        assert_eq!(written(format_args!("{evil}")), "a  b c");
    }
}
