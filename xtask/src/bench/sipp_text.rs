//! What SIPp plays: a phone that registers again and again, one that answers, one that calls.

use std::fmt::Write as _;
use std::time::Duration;

/// A phone that registers, and again `cycles` times.
pub(super) fn register(cycles: usize, refresh: Duration) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<scenario>\n");
    for cycle in 0..=cycles {
        if cycle > 0 {
            let _ = writeln!(text, "<pause milliseconds=\"{}\" />", refresh.as_millis());
        }
        text.push_str(&send_register(2 * cycle + 1, ""));
        text.push_str("<recv response=\"401\" auth=\"true\" />\n");
        text.push_str(&send_register(2 * cycle + 2, "[field1]\n"));
        text.push_str("<recv response=\"200\" />\n");
    }
    text.push_str("</scenario>\n");
    text
}

fn send_register(cseq: usize, credentials: &str) -> String {
    format!(
        "<send retrans=\"500\"><![CDATA[
REGISTER sip:[domain] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@[domain]>;tag=[pid]r[call_number]
To: <sip:[field0]@[domain]>
Call-ID: [call_id]
CSeq: {cseq} REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>
Expires: 300
{credentials}Content-Length: 0

]]></send>
"
    )
}

/// A phone that is called, answers and waits for the BYE.
pub(super) const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<scenario>
<recv request="INVITE" rrs="true" />
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:phone@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:phone@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 9 RTP/AVP 8
a=sendrecv

]]></send>
<recv request="ACK" />
<recv request="BYE" />
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"#;

/// A phone that calls, talks for three seconds and hangs up.
pub(super) const CALL: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<scenario>
<send retrans="500"><![CDATA[
INVITE sip:[service]@[domain] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@[domain]>;tag=[pid]c[call_number]
To: <sip:[service]@[domain]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 9 RTP/AVP 8
a=sendrecv

]]></send>
<recv response="401" auth="true" />
<send><![CDATA[
ACK sip:[service]@[domain] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch-2];rport
Max-Forwards: 70
From: <sip:[field0]@[domain]>;tag=[pid]c[call_number]
To: <sip:[service]@[domain]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
INVITE sip:[service]@[domain] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@[domain]>;tag=[pid]c[call_number]
To: <sip:[service]@[domain]>
Call-ID: [call_id]
CSeq: 2 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
[field1]
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 9 RTP/AVP 8
a=sendrecv

]]></send>
<recv response="100" optional="true" />
<recv response="180" optional="true" />
<recv response="200" rrs="true" />
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@[domain]>;tag=[pid]c[call_number]
To: <sip:[service]@[domain]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 ACK
Content-Length: 0

]]></send>
<pause milliseconds="3000" />
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@[domain]>;tag=[pid]c[call_number]
To: <sip:[service]@[domain]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 3 BYE
Content-Length: 0

]]></send>
<recv response="200" />
</scenario>
"#;
