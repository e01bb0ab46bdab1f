//! Lamps of the phone: subscriptions (RFC 6665) to dialogs (RFC 4235) and messages (RFC 3842).

use core::time::Duration;

use model::Mono;
use sip::{Header, Method};

use super::agent::{Agent, token};
use super::message::Seen;
use super::request::Draft;
use super::transaction::Purpose;
use super::transfer::DialogNames;

/// The event package of calls.
pub(crate) const DIALOG: &str = "dialog";

/// How long a subscription is asked for, seconds.
const LASTS_S: u32 = 3_600;

/// One subscription of the phone.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(super) id: u32,
    /// What is watched, as it was dialled.
    pub(crate) resource: String,
    /// `dialog` or `message-summary`.
    pub(crate) event: &'static str,
    call_id: String,
    tag: String,
    remote_tag: String,
    target: String,
    pub(super) cseq: u32,
    remote_cseq: u32,
    /// The last response: 0 while there is none.
    pub(crate) status: u16,
    /// The body of the last NOTIFY.
    pub(crate) shown: Option<String>,
    /// The switch has ended it, or the person.
    pub(crate) is_over: bool,
    pub(super) refresh: Option<Mono>,
}

/// What a lamp shows of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LampDialog {
    /// `trying`, `early`, `confirmed`, `terminated`.
    pub state: String,
    /// `initiator` or `recipient`.
    pub direction: String,
    /// The user part of who is at the other end.
    pub remote: String,
    /// The name of who is there; empty: none is told.
    pub display: String,
    /// The user part of where one reaches it.
    pub target: String,
    /// What an INVITE with Replaces would name.
    pub names: Option<DialogNames>,
}

impl Watch {
    /// What is wrong with a new document, whatever it tells (RFC 4235 4.1); `None`: nothing is.
    fn wrong(&self, xml: &str, domain: &str) -> Option<String> {
        let version =
            |xml: &str| attribute(xml.split_once("<dialog-info")?.1, "version")?.parse().ok();
        let (last, now): (Option<u32>, Option<u32>) =
            (self.shown.as_deref().and_then(version), version(xml));
        if now.is_none() || now <= last {
            return Some(format!("version {now:?} of a lamp after {last:?}"));
        }
        let mut user = String::new();
        sip::escape_user(&self.resource, &mut user);
        let entity = format!("sip:{user}@{domain}");
        let entities: Vec<&str> = xml.split("<local><identity>").skip(1).collect();
        let is_its = |local: &&str| local.starts_with(&format!("{entity}<"));
        let head = attribute(xml, "entity");
        if head.as_ref() != Some(&entity) || !entities.iter().all(is_its) {
            return Some(format!("a lamp of {head:?}, not {entity}"));
        }
        let ids: Vec<_> = xml.split("<dialog id=").skip(1).map(|d| d.split('"').nth(1)).collect();
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        (distinct.len() != ids.len()).then(|| format!("dialogs of one id: {ids:?}"))
    }
}

impl Agent {
    /// Watches something from now on.
    pub(crate) fn watch(&mut self, now: Mono, resource: &str, event: &'static str) {
        let mut user = String::new();
        sip::escape_user(resource, &mut user);
        let watch = Watch {
            id: self.next_watch,
            resource: resource.to_owned(),
            event,
            call_id: token(&mut self.chance, 20),
            tag: token(&mut self.chance, 8),
            remote_tag: String::new(),
            target: format!("sip:{user}@{}", self.place.domain),
            cseq: 0,
            remote_cseq: 0,
            status: 0,
            shown: None,
            is_over: false,
            refresh: None,
        };
        self.next_watch += 1;
        let id = watch.id;
        self.watches.push(watch);
        self.subscribe(now, id, LASTS_S);
    }

    /// Watches nothing any more.
    pub(crate) fn unwatch(&mut self, now: Mono) {
        let live: Vec<u32> =
            self.watches.iter().filter(|w| !w.is_over && w.status == 200).map(|w| w.id).collect();
        for id in live {
            self.subscribe(now, id, 0);
        }
    }

    /// Asks anew for all that it watches: the switch may know nothing of it any more.
    pub(crate) fn watch_anew(&mut self, now: Mono) {
        let watched = self.watches.iter().filter(|w| !w.is_over);
        let watched: Vec<_> = watched.map(|w| (w.resource.clone(), w.event)).collect();
        self.unwatch(now);
        self.watches.iter_mut().for_each(|w| w.is_over = true);
        for (resource, event) in watched {
            self.watch(now, &resource, event);
        }
    }

    fn subscribe(&mut self, now: Mono, id: u32, lasts_s: u32) {
        let address = self.address();
        let contact = format!("<{}>", self.place.contact());
        let Some(watch) = self.watches.iter_mut().find(|w| w.id == id) else { return };
        watch.cseq += 1;
        watch.refresh = None;
        let mut user = String::new();
        sip::escape_user(&watch.resource, &mut user);
        let to = match watch.remote_tag.as_str() {
            "" => format!("<sip:{user}@{}>", self.place.domain),
            tag => format!("<sip:{user}@{}>;tag={tag}", self.place.domain),
        };
        let draft = Draft {
            method: Method::Subscribe,
            uri: watch.target.clone(),
            from: format!("{address};tag={}", watch.tag),
            to,
            call_id: watch.call_id.clone(),
            cseq: watch.cseq,
            routes: Vec::new(),
            contact: Some(contact),
            extra: vec![
                (Header::Event, watch.event.to_owned()),
                (Header::Expires, lasts_s.to_string()),
            ],
            body: None,
            attempts: 0,
            max_forwards: self.manner.max_forwards,
        };
        self.send(now, draft, Purpose::Watch(id));
    }

    /// The answer to a SUBSCRIBE; 0: none came.
    pub(super) fn subscribed(&mut self, now: Mono, id: u32, status: u16, seen: Option<&Seen>) {
        let Some(watch) = self.watches.iter_mut().find(|w| w.id == id) else { return };
        if matches!(status, 0 | 408) && !watch.remote_tag.is_empty() && !watch.is_over {
            // RFC 6665 4.1.2.4: a NOTIFY has come, so it is there; the answer was lost.
            watch.status = 200;
            watch.refresh = Some(now + Duration::from_secs(u64::from(LASTS_S)) / 2);
            return;
        }
        watch.status = status;
        if status != 200 {
            watch.is_over = true;
            return;
        }
        let Some(seen) = seen else { return };
        watch.remote_tag.clone_from(&seen.to_tag);
        if let Some(contact) = seen.contact() {
            watch.target = contact;
        }
        let granted = seen.message.expires().ok().flatten().unwrap_or(LASTS_S);
        if granted == 0 {
            watch.is_over = true;
        } else if watch.is_over {
            // Nobody wants it any more.
            self.subscribe(now, id, 0);
        } else {
            watch.refresh = Some(now + Duration::from_secs(u64::from(granted)) / 2);
        }
    }

    /// A NOTIFY of a subscription: the status owed; `None`: it belongs to none.
    pub(super) fn notified(&mut self, seen: &Seen) -> Option<u16> {
        let state = seen.message.text(Header::SubscriptionState).unwrap_or_default();
        let is_last = state.starts_with("terminated");
        // One that it has given up is none any more (RFC 6665 4.1.3), or the switch would keep it.
        let is_its = |w: &&mut Watch| {
            w.call_id == seen.call_id && w.tag == seen.to_tag && (is_last || !w.is_over)
        };
        let watch = self.watches.iter_mut().find(is_its)?;
        if seen.cseq < watch.remote_cseq {
            return Some(500);
        }
        let is_new = seen.cseq > watch.remote_cseq;
        watch.remote_cseq = seen.cseq;
        watch.remote_tag.clone_from(&seen.from_tag);
        if is_last {
            watch.is_over = true;
            watch.refresh = None;
        }
        if !seen.message.body().is_empty() {
            let shown = String::from_utf8_lossy(seen.message.body()).into_owned();
            let wrong = match watch.event {
                DIALOG if is_new => watch.wrong(&shown, &self.place.domain),
                _ => None,
            };
            self.complaints.extend(wrong);
            watch.shown = Some(shown);
        }
        Some(200)
    }

    pub(super) fn tick_watches(&mut self, now: Mono) {
        let due = |w: &&Watch| w.refresh.is_some_and(|at| at <= now);
        let due: Vec<u32> = self.watches.iter().filter(due).map(|w| w.id).collect();
        for id in due {
            self.subscribe(now, id, LASTS_S);
        }
    }

    /// What the newest subscription to something shows.
    pub(crate) fn lamp(&self, resource: &str) -> Option<&Watch> {
        self.watches.iter().rev().find(|w| w.resource == resource)
    }
}

/// The value of the first attribute of this name.
fn attribute(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// The calls in a body of dialog-info.
pub(crate) fn dialogs(xml: &str) -> Vec<LampDialog> {
    let between = |text: &str, from: &str, to: &str| {
        Some(text.split_once(from)?.1.split_once(to)?.0.to_owned())
    };
    let one = |text: &str| {
        let (head, body) = text.split_once('>')?;
        let names = attribute(head, "call-id").map(|call_id| DialogNames {
            call_id,
            to_tag: attribute(head, "local-tag").unwrap_or_default(),
            from_tag: attribute(head, "remote-tag").unwrap_or_default(),
        });
        let end = between(body, "<remote>", "</remote>").unwrap_or_default();
        let user = |uri: Option<String>| {
            let user = uri.and_then(|uri| between(&uri, "sip:", "@")).unwrap_or_default();
            sip::unescape(&user).into_owned()
        };
        let identity = between(&end, "<identity", "</identity>").unwrap_or_default();
        Some(LampDialog {
            state: between(body, "<state>", "</state>")?,
            direction: attribute(head, "direction").unwrap_or_default(),
            display: attribute(&identity, "display").unwrap_or_default(),
            remote: user(Some(identity)),
            target: user(attribute(&end, "uri")),
            names,
        })
    };
    xml.split("<dialog ").skip(1).filter_map(|text| one(&format!(" {text}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_dialogs_is_read() {
        let xml = "<?xml version=\"1.0\"?>\n<dialog-info version=\"1\" state=\"full\">\n\
             <dialog id=\"7\" call-id=\"c\" local-tag=\"l\" remote-tag=\"r\" \
             direction=\"recipient\">\n<state>early</state>\n<local><identity>sip:101@x</identity>\
             </local>\n<remote><identity display=\"A\">sip:%2A100@x</identity></remote>\n</dialog>\n\
             <dialog id=\"8\" direction=\"initiator\">\n<state>confirmed</state></dialog>";
        let names = DialogNames {
            call_id: "c".to_owned(),
            to_tag: "l".to_owned(),
            from_tag: "r".to_owned(),
        };
        let seen = dialogs(xml);
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].state.as_str(), seen[0].remote.as_str()), ("early", "*100"));
        assert_eq!((seen[0].direction.as_str(), &seen[0].names), ("recipient", &Some(names)));
        assert_eq!((seen[1].state.as_str(), &seen[1].names), ("confirmed", &None));
    }
}
