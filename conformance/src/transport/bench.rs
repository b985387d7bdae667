//! The bench on which a row puts its peers: orders to each end, and waiting for what they see.
//!
//! The same rows run in an emulated world with virtual time and over real sockets against foreign
//! stacks; [`World`] is what differs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{Instant, SctpAddress};

use super::content::Message;
use super::end::{Order, PEER, US, What, Who, Why};
use super::packet::{Packet, kind};

/// Why a row has no measurement to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is not as it should be.
    Failed(String),
    /// It cannot be tested here.
    Skipped(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// How a row ends: with what was measured (maybe nothing), or with a reason.
pub(super) type Outcome = Result<String, Failure>;

/// Fails unless something is the case.
///
/// # Errors
///
/// It is not.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Failed(otherwise())) }
}

/// Where the ends of a test live.
pub(super) trait World {
    /// The present moment, virtual or real.
    fn now(&self) -> Instant;

    /// Has an end do something.
    fn order(&mut self, who: Who, with: Who, order: &Order) -> Result<(), Failure>;

    /// Lets the next thing happen, or time pass until this moment if nothing happens before.
    fn advance(&mut self, until: Instant) -> Result<(), Failure>;

    /// What the ends have seen since the last call: who, with whom, what.
    fn seen(&mut self) -> Vec<(Who, Who, What)>;

    /// How `from` reaches `to`.
    fn route(&self, from: Who, to: Who) -> SctpAddress;

    /// What is cut off; what stands there reaches nobody.
    fn cuts(&mut self) -> &mut Cuts;

    /// Kills a peer without a word to anybody, and starts it again, with this SCTP port.
    fn restart(&mut self, peer: Who, port: u16) -> Result<(), Failure>;

    /// All packets since the last call: whether it was ours, and its octets.
    fn packets(&mut self) -> Vec<(bool, Vec<u8>)>;
}

/// Who and what is cut off from the others.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    pub(super) peers: BTreeSet<Who>,
    /// Single addresses of a peer; its others go on.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// The most octets of a datagram that gets through. What foreign peers send is not looked at: how they learn
    /// of a path's MTU is not our question.
    pub(super) largest: Option<usize>,
}

impl Cuts {
    /// Whether a datagram of ours of so many octets is too large to get through.
    pub(super) fn is_too_large(&self, octets: usize) -> bool {
        self.largest.is_some_and(|largest| octets > largest)
    }
}

/// What one end has seen of another.
#[derive(Debug, Default)]
struct Log {
    up: usize,
    failed: VecDeque<String>,
    down: VecDeque<Why>,
    messages: VecDeque<Message>,
    congested: usize,
}

/// A world, and what was seen in it.
pub(super) struct Bench {
    /// Where it happens.
    pub(super) world: Box<dyn World>,
    logs: BTreeMap<(Who, Who), Log>,
    sent: u32,
}

/// How long anything may take that has no bound of its own.
pub(super) const SOON: Duration = Duration::from_secs(20);

impl Bench {
    /// A bench in this world.
    pub(super) fn new(world: Box<dyn World>) -> Self {
        Self { world, logs: BTreeMap::new(), sent: 0 }
    }

    fn log(&mut self, who: Who, with: Who) -> &mut Log {
        self.logs.entry((who, with)).or_default()
    }

    /// Waits until `look` finds something, which fails after `within`; `what` says what.
    ///
    /// # Errors
    ///
    /// Nothing was found in time.
    pub(super) fn wait<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T, Failure> {
        let start = self.world.now();
        loop {
            self.note();
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if self.world.now() >= start + within {
                let seen: Vec<_> = self.logs.iter().filter(|(_, log)| !log.is_empty()).collect();
                return Err(format!("{what}: not within {within:?}; seen otherwise: {seen:?}").into());
            }
            self.world.advance(start + within)?;
        }
    }

    fn note(&mut self) {
        for (who, with, what) in self.world.seen() {
            let log = self.log(who, with);
            match what {
                What::Up => log.up += 1,
                What::Failed(reason) => log.failed.push_back(reason),
                What::Down(why) => log.down.push_back(why),
                What::Message(message) => log.messages.push_back(message),
                What::Congested => log.congested += 1,
            }
        }
    }

    /// Lets time pass.
    ///
    /// # Errors
    ///
    /// The world breaks down.
    pub(super) fn pass(&mut self, duration: Duration) -> Result<(), Failure> {
        let end = self.world.now() + duration;
        while self.world.now() < end {
            self.world.advance(end)?;
            self.note();
        }
        Ok(())
    }

    /// Gives an order.
    ///
    /// # Errors
    ///
    /// It cannot be carried out.
    pub(super) fn order(&mut self, who: Who, with: Who, order: &Order) -> Result<(), Failure> {
        self.world.order(who, with, order)
    }

    /// Opens an association and waits until both ends have it.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub(super) fn connect(&mut self, from: Who, to: Who) -> Result<Duration, Failure> {
        let start = self.world.now();
        let order = Order::Connect { to: self.world.route(from, to), from_port: 0 };
        self.order(from, to, &order)?;
        self.expect_up(from, to, "the side that asks has no association")?;
        self.expect_up(to, from, "the side that is asked has no association")?;
        Ok(self.world.now().since(start))
    }

    /// Waits until an end has one more association.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub(super) fn expect_up(&mut self, who: Who, with: Who, what: &str) -> Result<(), Failure> {
        self.wait(what, SOON, |bench| {
            let log = bench.log(who, with);
            let up = log.up > 0 || !log.failed.is_empty();
            log.up = log.up.saturating_sub(1);
            up.then(|| log.failed.pop_front())
        })?
        .map_or(Ok(()), |reason| Err(Failure::Failed(format!("{what}: {reason}"))))
    }

    /// How many associations an end has seen come up since it was last asked.
    pub(super) fn ups(&mut self, who: Who, with: Who) -> usize {
        self.note();
        std::mem::take(&mut self.log(who, with).up)
    }

    /// How often an end has seen its queue full since it was last asked.
    pub(super) fn congested(&mut self, who: Who, with: Who) -> usize {
        self.note();
        std::mem::take(&mut self.log(who, with).congested)
    }

    /// How many messages have arrived and were not yet expected.
    pub(super) fn arrived(&mut self, who: Who, with: Who) -> usize {
        self.note();
        self.log(who, with).messages.len()
    }

    /// Sends messages; they have to arrive as what is returned.
    ///
    /// # Errors
    ///
    /// There is no association.
    pub(super) fn send(
        &mut self,
        from: Who,
        to: Who,
        protocol: u32,
        length: usize,
        count: u32,
    ) -> Result<Vec<Message>, Failure> {
        let first = self.sent;
        self.sent += count;
        self.order(from, to, &Order::Send { protocol, stream: 0, length, first, count })?;
        Ok((first..first + count).map(|n| Message::expected(protocol, 0, n, length)).collect())
    }

    /// Waits until these messages have arrived, in this order, and no others.
    ///
    /// # Errors
    ///
    /// Something else has arrived, or too little.
    pub(super) fn expect(
        &mut self,
        who: Who,
        from: Who,
        expected: &[Message],
        within: Duration,
    ) -> Result<(), Failure> {
        let mut count = 0;
        let result = self.wait("the rest", within, |bench| {
            while count < expected.len() {
                match bench.log(who, from).messages.pop_front() {
                    Some(message) if message == expected[count] => count += 1,
                    Some(message) => return Some(Some(message)),
                    None if !bench.log(who, from).down.is_empty() => return Some(None),
                    None => return None,
                }
            }
            Some(None)
        });
        let all = expected.len();
        match result {
            Ok(Some(message)) => Err(format!("instead of {:?} arrived {message:?}", expected[count]).into()),
            Ok(None) if count == all => Ok(()),
            Ok(None) => {
                let end = self.log(who, from).down.pop_front();
                Err(format!("{count} of {all} messages have arrived, then the association ended as {end:?}")
                    .into())
            }
            Err(Failure::Failed(reason)) => {
                Err(format!("{count} of {all} messages have arrived; {reason}").into())
            }
            Err(skipped) => Err(skipped),
        }
    }

    /// Waits until an association is over for an end; why, and how long that took.
    ///
    /// # Errors
    ///
    /// It is not over.
    pub(super) fn expect_down(
        &mut self,
        who: Who,
        with: Who,
        within: Duration,
    ) -> Result<(Why, Duration), Failure> {
        let start = self.world.now();
        let what =
            if who == US { "our association is not over" } else { "the peer's association is not over" };
        let why = self.wait(what, within, |bench| bench.log(who, with).down.pop_front())?;
        Ok((why, self.world.now().since(start)))
    }

    /// Waits until an association is over for an end, for this reason.
    ///
    /// # Errors
    ///
    /// It is not over, or for another reason.
    pub(super) fn expect_end(&mut self, who: Who, with: Who, reason: &Why) -> Result<Duration, Failure> {
        let (why, after) = self.expect_down(who, with, SOON)?;
        let name = if who == US { "our" } else { "the peer's" };
        ensure(why == *reason, || format!("{name} association ended as {why:?}, not as {reason:?}"))?;
        Ok(after)
    }

    /// Whether nothing was seen at either end that nobody has waited for.
    ///
    /// # Errors
    ///
    /// What was seen.
    pub(super) fn expect_quiet(&mut self) -> Result<(), Failure> {
        self.note();
        let odd: Vec<_> = self.logs.iter().filter(|(_, log)| !log.is_empty()).collect();
        ensure(odd.is_empty(), || format!("nobody has expected {odd:?}"))
    }

    /// How many DATA chunks were sent more than once, by us and by others, since packets were last
    /// looked at.
    pub(super) fn repetitions(&mut self) -> String {
        let mut seen = BTreeSet::new();
        let mut again = [0, 0];
        for (ours, octets) in self.world.packets() {
            let Some(packet) = Packet::decode(&octets) else { continue };
            for chunk in packet.chunks.iter().filter(|chunk| chunk.kind == kind::DATA) {
                again[usize::from(!ours)] += usize::from(!seen.insert((ours, packet.tag, chunk.word(0))));
            }
        }
        format!("{} of our DATA chunks and {} of the peer's were sent again", again[0], again[1])
    }

    /// A message each way, as the proof that an association works.
    ///
    /// # Errors
    ///
    /// It does not.
    pub(super) fn exchange(&mut self) -> Result<(), Failure> {
        self.exchange_with(PEER)
    }

    /// A message each way with somebody.
    ///
    /// # Errors
    ///
    /// One of them does not arrive.
    pub(super) fn exchange_with(&mut self, peer: Who) -> Result<(), Failure> {
        for (from, to) in [(US, peer), (peer, US)] {
            let sent = self.send(from, to, 11, 100, 1)?;
            self.expect(to, from, &sent, SOON)?;
        }
        Ok(())
    }
}

impl Log {
    fn is_empty(&self) -> bool {
        self.up == 0 && self.failed.is_empty() && self.down.is_empty() && self.messages.is_empty()
    }
}
