//! What an association sends: the packets in which answers, SACK and data travel, and what follows from the peer's SACKs.

use super::shutdown::Phase;
use super::{Association, End, MAX_CONTROL};
use crate::sctp::chunk::{self, Data, Sack, at_or_before, fragment_of};
use crate::sctp::engine::{Acknowledgement, Engine};
use crate::sctp::packet::{self, Chunk};
use crate::sctp::shared::Core;
use rserpool_core::endpoint::Event;

impl<E: Engine> Association<E> {
    /// Puts everything that may be sent into packets. Causes no event: events are for those who
    /// hand something in, and this runs when packets are fetched.
    pub(in crate::sctp) fn flush(&mut self, core: &mut Core, engine: &mut E) {
        self.mtu.turn_to(self.destinations.current().ip(), core.now);
        while let Some((message, receipt)) = self.ledger.release() {
            // The ledger lets nothing through that the engine refuses while it lives.
            let size = fragment_of(self.mtu.packet());
            if !engine.write(core.now, &mut self.flow, &message, receipt, size) {
                break;
            }
        }
        let (mut answers, mut data) = (Vec::new(), Vec::new());
        let (sent, mut again) = (&mut self.sent, false);
        engine.transmit(core.now, &mut self.flow, |chunk| {
            let tsn = chunk::first_u32(&chunk);
            again |= at_or_before(tsn, *sent);
            *sent = if at_or_before(tsn, *sent) { *sent } else { tsn };
            data.push(chunk);
        });
        let is_open = matches!(self.phase, Phase::Open);
        let overdue = std::mem::take(&mut self.timed_out) && again;
        self.impatient |= overdue;
        // When we wait for the SACK of the last chunk, the peer is asked not to delay it (RFC 7053): its delay
        // may be longer than our RTO.Min, as it is with Linux and the fast preset.
        if let Some(last) = data.last_mut().filter(|_| again || self.impatient || !is_open) {
            last.flags |= Data::IMMEDIATE;
        }
        let anyway = !is_open || !data.is_empty() || !self.control.is_empty();
        answers.extend(self.receiver.take_sack(core.now, anyway));
        if overdue {
            self.mtu.lost(core.now);
            self.destinations.suspect(core.now, &core.config);
            self.ask_destinations(core);
        }
        if std::mem::take(&mut self.shutdown_due) {
            data.insert(0, chunk::shutdown(self.receiver.cumulative()));
        }
        let current = if data.is_empty() {
            self.destinations.current()
        } else {
            self.liveness.asked(core.now);
            self.ask_path(core, &data);
            self.destinations.carry()
        };
        let reply = self.destinations.remote(self.reply);
        let control = std::mem::take(&mut self.control);
        debug_assert!(control.len() <= MAX_CONTROL, "answers are bounded");
        if reply == current {
            answers.extend(control);
            answers.append(&mut data);
            self.emit(core, current, &answers);
        } else if self.destinations.is_verified(self.reply) {
            answers.extend(control);
            self.emit(core, reply, &answers);
            self.emit(core, current, &data);
        } else {
            self.emit(core, reply, &control);
            answers.append(&mut data);
            self.emit(core, current, &answers);
        }
    }

    /// Asks whether the path carries large packets, if these chunks could use them.
    fn ask_path(&mut self, core: &mut Core, chunks: &[Chunk]) {
        let octets = packet::HEADER + chunks.iter().map(Chunk::size).sum::<usize>();
        if let Some((secret, packet)) = self.mtu.ask(octets, core.now, &mut core.random) {
            let heartbeat = chunk::heartbeat(secret);
            let padding = chunk::padding(&heartbeat, packet);
            let remote = self.destinations.current();
            let header = self.path_to(remote).header(self.peer_tag);
            core.emit(remote, packet::single(header, &[heartbeat, padding]));
        }
    }

    /// Sends the HEARTBEATs that are due to the peer's addresses, if it has several.
    pub(super) fn ask_destinations(&mut self, core: &mut Core) {
        if self.destinations.deadline().is_none_or(|at| at > core.now) {
            return;
        }
        let mut beats = Vec::new();
        let Core { now, config, random, .. } = &mut *core;
        let asked = self.destinations.handle_timeout(*now, config, random, |remote, secret| {
            beats.push((remote, chunk::heartbeat(secret)));
        });
        for (remote, heartbeat) in beats {
            self.emit(core, remote, &[heartbeat]);
        }
        if asked {
            self.liveness.asked(core.now);
        }
    }

    /// The peer tells what it has received.
    pub(super) fn sack(
        &mut self,
        core: &mut Core,
        engine: &mut E,
        chunk: Chunk,
        sack: &Sack,
    ) -> Result<(), End> {
        let cumulative = sack.cumulative;
        if !at_or_before(self.acknowledged, cumulative) {
            // An earlier one, overtaken on the way (RFC 9260 section 6.2.1).
            return Ok(());
        }
        let highest = cumulative.wrapping_add(sack.blocks.last().map_or(0, |(_, end)| u32::from(*end)));
        if !at_or_before(highest, self.sent) {
            return Err(self.violation("SACK of what was not sent"));
        }
        // A peer that has no room lets us send the same again and again.
        if cumulative != self.acknowledged || (sack.window as usize) < self.mtu.packet() {
            self.mtu.progress();
        }
        self.acknowledged = cumulative;
        let ledger = &mut self.ledger;
        let acknowledgement = Acknowledgement { chunk, cumulative };
        let delivered = |receipt| ledger.delivered(receipt);
        if engine.acknowledge(core.now, &mut self.flow, &acknowledgement, delivered).is_err() {
            return Err(self.violation("SACK impossible"));
        }
        if self.ledger.drained() && self.named {
            core.events.push_back(Event::Drained { association: self.id });
        }
        Ok(())
    }
}
