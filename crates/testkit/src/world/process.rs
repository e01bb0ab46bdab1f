//! The process around the switch: it starts, carries out effects in order, dies.

use core::net::SocketAddr;

use media::Effects;
use stack::{Flow, FlowId, Transport};
use switch::Input;

use super::{Event, World};
use crate::company;
use crate::node::{self, Node};

impl World {
    /// Starts the process from what the journals hold.
    pub(super) fn start(&mut self) {
        let life = self.lives;
        self.lives += 1;
        let node = Node::start(&self.settings, life, self.now, &mut self.node_chance);
        self.trace.note(self.now, format_args!("the switch starts"), &[]);
        self.node = Some(node);
        let directory = company::directory(&self.companies);
        for shard in 0..self.settings.shards {
            self.shard(shard, Input::Directory(directory.clone()));
        }
        for at in 0..self.companies.len() {
            let tenant = self.companies[at].id();
            let shard = switch::shard_of(tenant, self.settings.shards);
            let snapshot = self.companies[at].snapshot();
            self.shard(shard, Input::Snapshot { snapshot, ticket: None });
            if life > 0 {
                let journal = self.journals[shard].reread();
                let bindings = journal.bindings(tenant, self.wall());
                let (calls, replaced) = (journal.calls(tenant), journal.replaced(tenant));
                let wrong_pins = journal.wrong_pins(tenant, self.wall());
                let restore = Input::Restore { tenant, bindings, calls, replaced, wrong_pins };
                self.shard(shard, restore);
            }
        }
    }

    /// The process dies at once, and starts again later.
    pub(crate) fn kill(&mut self) {
        if self.node.take().is_none() {
            return;
        }
        self.kill_after = None;
        self.trace.note(self.now, format_args!("the switch dies"), &[]);
        for journal in &mut self.journals {
            journal.die();
        }
        self.find_leftovers();
        self.queue.retain(|e| !e.is_inside());
        for (_, connection) in core::mem::take(&mut self.connections) {
            self.queue.push(self.now, Event::TcpGone { phone: connection.phone });
        }
        self.queue.push(self.now + self.settings.downtime, Event::Start);
    }

    /// One thing less that the process lives to do; `true`: it has died.
    pub(super) fn dies_now(&mut self) -> bool {
        match &mut self.kill_after {
            None => false,
            Some(0) => {
                self.kill();
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Hands an input to a shard and carries out what comes of it.
    pub(crate) fn shard(&mut self, shard: usize, input: Input) {
        let (now, wall) = (self.now, self.wall());
        let Some(node) = &mut self.node else { return };
        let own = node.clock(now, wall);
        let mut effects = core::mem::take(&mut self.effects);
        effects.clear();
        node.shards[shard].handle(own, input, &mut effects);
        if let Err(wrong) = node.shards[shard].check() {
            self.fail(&format!("shard {shard}: {wrong}"));
        }
        let mut records = Vec::new();
        effects.retain_mut(|e| match e {
            switch::Effect::Record(record) => {
                records.push(record.clone());
                false
            }
            _ => true,
        });
        let last_words = switch::last_words_first(&mut effects);
        let mut effects_left = effects.drain(..);
        let mut lives = effects_left.by_ref().take(last_words).all(|e| self.does(shard, e));
        if lives && !records.is_empty() {
            lives = self.writes(shard, records);
        }
        if lives {
            effects_left.by_ref().all(|e| self.does(shard, e));
        }
        drop(effects_left);
        effects.clear();
        self.effects = effects;
        self.note_due(shard);
    }

    pub(super) fn note_due(&mut self, shard: usize) {
        if let Some(node) = &mut self.node {
            node.shard_due[shard] = node.shards[shard].deadline().map(|at| node.outside(at));
            node.plane_due[shard] = node.planes[shard].deadline().map(|at| node.outside(at));
        }
    }

    /// Writes the records of one step; `false`: the process has died before.
    pub(super) fn writes(&mut self, shard: usize, records: Vec<leg::Record>) -> bool {
        if self.dies_now() {
            return false;
        }
        if let Err(wrong) = self.ledger.step(&records) {
            self.fail(&wrong);
        }
        for record in &records {
            match record {
                leg::Record::CallSaved(saved) => {
                    let what = format_args!("shard {shard} saves call {}", saved.call);
                    self.trace.note(self.now, what, &[&*saved.exchange, &*saved.stack].concat());
                }
                other => {
                    let text = format!("{other:?}");
                    self.trace.note(self.now, format_args!("shard {shard}"), text.as_bytes());
                }
            }
        }
        self.journals[shard].write(records);
        true
    }

    /// Carries out one effect; `false`: the process has died before.
    pub(super) fn does(&mut self, shard: usize, effect: switch::Effect) -> bool {
        if self.dies_now() {
            return false;
        }
        self.carry_out(shard, effect);
        true
    }

    pub(super) fn carry_out(&mut self, shard: usize, effect: switch::Effect) {
        match effect {
            switch::Effect::Send { flow, bytes } => self.switch_sends(flow, &bytes),
            switch::Effect::CloseFlow(id) => {
                self.closed_by_switch += 1;
                if let Some(connection) = self.connections.remove(&id.0) {
                    self.queue.push(self.now, Event::TcpGone { phone: connection.phone });
                }
            }
            switch::Effect::Connect { connect, transport: Transport::Udp, remote, .. } => {
                let flow = Flow {
                    id: FlowId(shard as u64),
                    transport: Transport::Udp,
                    local: node::sip_address(),
                    remote,
                };
                self.queue.push(self.now, Event::Connected { shard, connect, flow });
            }
            // The simulated network has phones and carriers, which nobody looks up.
            switch::Effect::Resolve { .. } | switch::Effect::Connect { .. } => {
                self.fail("the switch looks for somebody outside of the simulated network");
            }
            switch::Effect::HandOver { to, what } => {
                self.queue.push(self.now, Event::HandedOver { to, what });
            }
            switch::Effect::Media { tenant, command } => {
                let wall = self.wall();
                let Some(node) = &mut self.node else { return };
                let own = node.clock(self.now, wall);
                let mut effects = core::mem::take(&mut self.media);
                node.planes[shard].command(own, tenant, command, &mut effects);
                if let Err(wrong) = node.planes[shard].check() {
                    self.fail(&format!("media of shard {shard}: {wrong}"));
                }
                self.media_effects(shard, &[], effects);
            }
            switch::Effect::Reply { ticket, reply } => {
                self.replies.insert(ticket, reply);
            }
            switch::Effect::Alert { .. } => {}
            // Written before.
            switch::Effect::Record(_) => {}
        }
    }

    /// Carries out what a media plane wants; `packet` is the datagram that it was given.
    pub(super) fn media_effects(&mut self, shard: usize, packet: &[u8], mut effects: Effects) {
        let mut needed = Vec::new();
        for effect in &effects {
            match *effect {
                media::Effect::NeedFile { .. }
                | media::Effect::RecordStart { .. }
                | media::Effect::Record { .. }
                | media::Effect::RecordMoved { .. }
                | media::Effect::RecordEnd { .. }
                | media::Effect::FindRecording(_) => {
                    self.disk(shard, *effect, &effects, &mut needed);
                }
                media::Effect::Send { port, to, bytes } => {
                    let bytes = effects.bytes(packet, bytes);
                    self.trace.note(self.now, format_args!("RTP {port} to {to}"), bytes);
                    let link = self.by_ip.get(&to.ip()).map(|p| self.ways[*p].rtp_down);
                    let link = link.unwrap_or(self.settings.ways.rtp_down);
                    for after in link.carry(&mut self.chance) {
                        let event = Event::RtpDown { to, bytes: bytes.to_vec() };
                        self.queue.push(self.now + after, event);
                    }
                }
                media::Effect::Event { tenant, event } => {
                    self.queue.push(self.now, Event::Media { shard, tenant, event });
                }
                socket => self.socket(socket),
            }
        }
        effects.clear();
        if !needed.is_empty() {
            self.answer_files(shard, &needed, &mut effects);
            return self.media_effects(shard, &[], effects);
        }
        self.media = effects;
        self.note_due(shard);
    }

    pub(super) fn socket(&mut self, effect: media::Effect) {
        let Some(node) = &mut self.node else { return };
        match effect {
            media::Effect::Open { port } => {
                node.sockets.insert(port, None);
            }
            media::Effect::Connect { port, to } => {
                node.sockets.insert(port, self.settings.sockets_connect.then_some(to));
            }
            media::Effect::Disconnect { port } => {
                node.sockets.insert(port, None);
            }
            media::Effect::Close { port } => {
                node.sockets.remove(&port);
            }
            // No sockets.
            _ => {}
        }
    }

    pub(super) fn tick_plane(&mut self, plane: usize) {
        let wall = self.wall();
        let Some(node) = &mut self.node else { return };
        let own = node.clock(self.now, wall);
        let mut effects = core::mem::take(&mut self.media);
        node.planes[plane].tick(own, &mut effects);
        self.media_effects(plane, &[], effects);
    }

    /// A datagram reaches an RTP or RTCP port of the switch.
    pub(super) fn packet(&mut self, port: u16, from: SocketAddr, mut bytes: Vec<u8>) {
        self.trace.note(self.now, format_args!("RTP {from} to {port}"), &bytes);
        let wall = self.wall();
        let Some(node) = &mut self.node else { return };
        let Some(connected) = node.sockets.get(&port) else { return };
        if connected.is_some_and(|peer| peer != from) {
            return;
        }
        let Some(plane) = node.plane_of(port) else { return };
        let own = node.clock(self.now, wall);
        let mut effects = core::mem::take(&mut self.media);
        node.planes[plane].packet(own, port, from, &mut bytes, &mut effects);
        self.media_effects(plane, &bytes, effects);
    }
}
