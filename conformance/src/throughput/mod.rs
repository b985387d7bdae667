//! How fast messages of 200 octets travel over one association: our stack, and beside it what does
//! its data phase, alone, in the same run.
//!
//! All are driven in the same ways: over UDP on loopback with the batches of `rserpool-tokio`,
//! each end in a thread of its own, as the event loop does it, with and without busy polling; and in
//! memory, both ends in one thread, without any I/O.

mod alone;
mod memory;
mod player;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crate::UdpStack;
use rserpool_transport::sctp::{Dcsctp, Sctp, SctpConfig, SctpProto};
use serde_json::{Value, json};

/// How long each measurement takes.
const SPAN: Duration = Duration::from_millis(1000);

/// Measurements of each kind; what is shown is the one in the middle.
const ROUNDS: usize = 3;

/// How long an end that polls busily keeps asking.
const BUSY_POLL: Duration = Duration::from_micros(100);

/// Octets of a message.
const LENGTH: usize = 200;

/// The SCTP port of the listening end.
const PORT: u16 = 3863;

/// A stack that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// Our stack with sctp-proto inside.
    SctpProto,
    /// Our stack with dcsctp inside.
    Dcsctp,
    /// The crate sctp-proto without anything of ours.
    SctpProtoAlone,
}

impl Subject {
    const ALL: [Self; 3] = [Self::SctpProtoAlone, Self::SctpProto, Self::Dcsctp];

    const fn name(self) -> &'static str {
        match self {
            Self::SctpProto => "our stack, sctp-proto",
            Self::Dcsctp => "our stack, dcsctp",
            Self::SctpProtoAlone => "sctp-proto alone",
        }
    }

    fn stack(self, local: SocketAddr) -> Box<dyn UdpStack> {
        let config = SctpConfig::rfc(u64::from(local.port()) << 16 | u64::from(std::process::id()));
        match self {
            Self::SctpProto => Box::new(Sctp::<SctpProto>::with_engine(config, local)),
            Self::Dcsctp => Box::new(Sctp::<Dcsctp>::with_engine(config, local)),
            Self::SctpProtoAlone => Box::new(alone::Alone::new(&config)),
        }
    }
}

/// How the datagrams travel from one end to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Over UDP; an end that has nothing to do sleeps until a datagram arrives.
    Udp,
    /// Over UDP with busy polling: an end keeps asking for the next datagram for a while.
    BusyUdp,
    /// Without I/O.
    Memory,
}

impl Way {
    const ALL: [Self; 3] = [Self::Udp, Self::BusyUdp, Self::Memory];

    const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::BusyUdp => "busy UDP",
            Self::Memory => "memory",
        }
    }

    fn measure(self, subject: Subject) -> io::Result<Figures> {
        match self {
            Self::Udp => udp::measure(subject, Duration::ZERO),
            Self::BusyUdp => udp::measure(subject, BUSY_POLL),
            Self::Memory => Ok(memory::measure(subject)),
        }
    }
}

/// What was measured of one subject in one way.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// Messages in a second, one way.
    rate: f64,
    /// The median of the round trips.
    round_trip: Duration,
}

/// Measures and shows; fails only if nothing can be measured.
pub fn run(as_json: bool) -> ExitCode {
    let mut rounds: Vec<(Subject, Way, Vec<Figures>)> = Vec::new();
    for subject in Subject::ALL {
        rounds.extend(Way::ALL.map(|way| (subject, way, Vec::new())));
    }
    // In turn, so that a busy moment of the machine meets all of them.
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        for (subject, way, figures) in &mut rounds {
            match way.measure(*subject) {
                Ok(measured) => figures.push(measured),
                Err(error) => {
                    eprintln!("{}: {error}", subject.name());
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let lines: Vec<(Subject, Way, Figures)> =
        rounds.into_iter().map(|(subject, way, figures)| (subject, way, middle(figures))).collect();
    if as_json {
        println!("{:#}", document(&lines));
    } else {
        print!("{}", table(&lines));
    }
    ExitCode::SUCCESS
}

/// The middle of each figure.
fn middle(mut figures: Vec<Figures>) -> Figures {
    figures.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let rate = figures[figures.len() / 2].rate;
    figures.sort_by_key(|figures| figures.round_trip);
    Figures { rate, round_trip: figures[figures.len() / 2].round_trip }
}

/// How a line compares with the library alone in the same way, in percent of its rate.
fn share(lines: &[(Subject, Way, Figures)], way: Way, rate: f64) -> f64 {
    let alone = lines.iter().find(|(s, w, _)| *s == Subject::SctpProtoAlone && *w == way);
    alone.map_or(f64::NAN, |(_, _, figures)| 100.0 * rate / figures.rate)
}

fn table(lines: &[(Subject, Way, Figures)]) -> String {
    let mut text = format!(
        "{:<24}{:<10}{:>12}{:>14}{:>22}\n",
        "", "over", "messages/s", "round trip", "of sctp-proto alone"
    );
    for (subject, way, figures) in lines {
        text += &format!(
            "{:<24}{:<10}{:>12.0}{:>11} us{:>20.0} %\n",
            subject.name(),
            way.name(),
            figures.rate,
            figures.round_trip.as_micros(),
            share(lines, *way, figures.rate),
        );
    }
    text
}

fn document(lines: &[(Subject, Way, Figures)]) -> Value {
    let entry = |(subject, way, figures): &(Subject, Way, Figures)| {
        json!({
            "subject": subject.name(),
            "over": way.name(),
            "octets": LENGTH,
            "messages_per_second": figures.rate.round(),
            "round_trip_us": figures.round_trip.as_micros() as u64,
            "percent_of_sctp_proto_alone": share(lines, *way, figures.rate).round(),
        })
    };
    lines.iter().map(entry).collect()
}
