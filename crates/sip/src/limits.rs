//! Bounds on everything that comes from outside, each with its reason.

/// Longest message, start line to end of body. A UDP datagram over IPv4 carries 65,507 bytes; a
/// stream must have a bound too, and no call needs more.
pub const MESSAGE_BYTES_MAX: usize = 65_536;
/// Longest start line and header part on a stream: with it known, a peer cannot make us keep more
/// before we can tell what it sends. An INVITE with `Identity` and many Vias takes 5 kB.
pub const HEAD_BYTES_MAX: usize = 32_768;
/// Most header lines of a message that is processed; more are answered with 400. Seventy hops
/// (Max-Forwards) with a Via and a Record-Route line each stay below it.
pub const HEADER_LINES_MAX: usize = 256;
/// Header lines that the table has room for without growing.
pub(crate) const HEADER_LINES_USUAL: usize = 28;
/// URI parameters that are compared one by one; URIs with more are equal only if written equally,
/// so that comparing stays linear.
pub const URI_PARAMS_COMPARED_MAX: usize = 32;
/// Most parts of a multipart body that are looked at for a session description.
pub const MULTIPART_PARTS_MAX: usize = 16;
/// Longest multipart boundary (RFC 2046 5.1.1).
pub const BOUNDARY_BYTES_MAX: usize = 70;
/// Most lines of a session description; a browser's offer with several media has some hundreds.
pub const SDP_LINES_MAX: usize = 1_000;
/// Most media of a session description: each must be answered.
pub const SDP_MEDIA_MAX: usize = 16;
/// Most payload types that are read of one m= line: there are 128.
pub const SDP_FORMATS_MAX: usize = 128;
/// Longest media kind, protocol or format of an m= line, since the answer repeats them.
pub const SDP_TOKEN_BYTES_MAX: usize = 64;
