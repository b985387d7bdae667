//! What happened, as a hash over every octet and, if wanted, as text with one line per event.

use std::collections::VecDeque;
use std::fmt::Write;

use bytes::Bytes;
use rserpool_core::base::{Instant, ProtocolId};
use rserpool_core::wire::{AsapMessage, EnrpBody, EnrpMessage, UpdateAction};

use crate::random::mix;

/// How much of the text is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceMode {
    /// Only the hash.
    Hash,
    /// The hash and the last lines.
    Last(usize),
    /// The hash and every line.
    Text,
}

/// A trace.
#[derive(Debug)]
pub struct Trace {
    mode: TraceMode,
    hash: u64,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn new(mode: TraceMode) -> Self {
        Self { mode, hash: 0, lines: VecDeque::new() }
    }

    /// The hash over everything that happened, with its time and every octet that was delivered.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines that were kept.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The lines as one text.
    pub fn text(&self) -> String {
        self.lines().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }

    /// Takes octets into the hash only.
    pub(crate) fn hash_octets(&mut self, now: Instant, words: [u64; 2], octets: &[u8]) {
        let mut hash = mix(self.hash ^ now.as_nanos());
        let content = u64::from(crc32c::crc32c(octets)) << 32 | octets.len() as u64;
        for word in words.into_iter().chain([content]) {
            hash = mix(hash ^ word);
        }
        self.hash = hash;
    }

    /// Notes one event: numbers and octets for the hash, and the text if anybody wants it.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        words: [u64; 2],
        octets: &[u8],
        text: impl FnOnce() -> String,
    ) {
        self.hash_octets(now, words, octets);
        let limit = match self.mode {
            TraceMode::Hash => return,
            TraceMode::Last(limit) => limit,
            TraceMode::Text => usize::MAX,
        };
        if self.lines.len() >= limit {
            self.lines.pop_front();
        }
        let nanos = now.as_nanos();
        let line = format!("{:4}.{:06} {}", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000, text());
        self.lines.push_back(line);
    }
}

/// A message in a few words.
pub(crate) fn summary(protocol: ProtocolId, bytes: &Bytes) -> String {
    match protocol {
        ProtocolId::ASAP => match AsapMessage::decode(bytes) {
            Ok(decoded) => asap_summary(&decoded.message),
            Err(error) => format!("ASAP malformed: {error}"),
        },
        ProtocolId::ENRP => match EnrpMessage::decode(bytes) {
            Ok(decoded) => enrp_summary(&decoded.message.body),
            Err(error) => format!("ENRP malformed: {error}"),
        },
        ProtocolId(id) => format!("data {id:#x}, {} octets", bytes.len()),
    }
}

fn asap_summary(message: &AsapMessage) -> String {
    use AsapMessage as M;
    let refused = |refused: bool| if refused { " refused" } else { "" };
    match message {
        M::Registration { handle, element } => format!("Registration {handle}/{}", element.id),
        M::Deregistration { handle, element } => format!("Deregistration {handle}/{element}"),
        M::RegistrationResponse { rejected, handle, element, .. } => {
            format!("RegistrationResponse {handle}/{element}{}", refused(*rejected))
        }
        M::DeregistrationResponse { handle, element, error } => {
            format!("DeregistrationResponse {handle}/{element}{}", refused(error.is_some()))
        }
        M::HandleResolution { handle, .. } => format!("HandleResolution {handle}"),
        M::HandleResolutionResponse { handle, elements, error, .. } => {
            let mut text = format!("HandleResolutionResponse {handle}{}", refused(error.is_some()));
            elements.iter().for_each(|element| {
                let _ = write!(text, " {}", element.id);
            });
            text
        }
        M::EndpointKeepAlive { home, registrar, handle, element } => {
            let element = element.map(|id| format!("/{id}")).unwrap_or_default();
            let home = if *home { " home" } else { "" };
            format!("KeepAlive {handle}{element} from {registrar}{home}")
        }
        M::EndpointKeepAliveAck { handle, element } => format!("KeepAliveAck {handle}/{element}"),
        M::EndpointUnreachable { handle, element } => format!("Unreachable {handle}/{element}"),
        M::ServerAnnounce { registrar, .. } => format!("ServerAnnounce {registrar}"),
        M::Cookie { .. } => "Cookie".into(),
        M::CookieEcho { .. } => "CookieEcho".into(),
        M::BusinessCard { handle, .. } => format!("BusinessCard {handle}"),
        M::Error { error } => format!("Error {:?}", error.causes.iter().map(|c| c.code).collect::<Vec<_>>()),
    }
}

fn enrp_summary(body: &EnrpBody) -> String {
    use EnrpBody as B;
    let flag = |set: bool, name: &'static str| if set { name } else { "" };
    match body {
        B::Presence { reply_required, checksum, .. } => {
            let checksum = checksum.map(|sum| format!(" {sum:04x}")).unwrap_or_default();
            format!("Presence{checksum}{}", flag(*reply_required, " reply required"))
        }
        B::HandleTableRequest { own_only } => format!("HandleTableRequest{}", flag(*own_only, " own only")),
        B::HandleTableResponse { rejected, more, pools } => {
            let elements: usize = pools.iter().map(|pool| pool.elements.len()).sum();
            let (rejected, more) = (flag(*rejected, " refused"), flag(*more, " more to come"));
            format!("HandleTableResponse of {elements}{rejected}{more}")
        }
        B::HandleUpdate { takeover_suggested, action, handle, element } => {
            let action = match *action {
                UpdateAction::ADD_PE => "add",
                UpdateAction::DEL_PE => "remove",
                _ => "?",
            };
            let suggested = flag(*takeover_suggested, ", takeover suggested");
            format!("HandleUpdate {action} {handle}/{} of {}{suggested}", element.id, element.home)
        }
        B::ListRequest => "ListRequest".into(),
        B::ListResponse { rejected, servers } => {
            format!("ListResponse of {}{}", servers.len(), flag(*rejected, " refused"))
        }
        B::InitTakeover { target } => format!("InitTakeover {target}"),
        B::InitTakeoverAck { target } => format!("InitTakeoverAck {target}"),
        B::TakeoverServer { target } => format!("TakeoverServer {target}"),
        B::Error { error } => format!("Error {:?}", error.causes.iter().map(|c| c.code).collect::<Vec<_>>()),
    }
}
