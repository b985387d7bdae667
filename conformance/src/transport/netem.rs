//! A bad network made by the kernel instead of a [`Wire`](super::wire::Wire): `tc` puts the queueing
//! discipline netem on both ends of the first link inside the virtual machine.

use std::process::Command;

use super::bench::{Failure, ensure};
use super::guest;

/// The links while they are bad; mended when this is dropped.
#[derive(Debug)]
pub(super) struct Netem(());

impl Netem {
    /// Makes both directions bad, each in this way (the words of `tc-netem(8)`).
    ///
    /// # Errors
    ///
    /// There is no `tc` (skipped), no sch_netem (skipped), or the words are wrong.
    pub(super) fn new(what: &str) -> Result<Self, Failure> {
        // Dropped, it mends an end that was made bad before the other failed.
        let links = Self(());
        for end in ENDS {
            tc(end, &format!("qdisc replace dev {} root netem {what}", end.interface))?;
        }
        Ok(links)
    }

    /// What has passed and what was dropped, as the kernel counts it.
    ///
    /// # Errors
    ///
    /// Nothing has passed: the network was not in the way.
    pub(super) fn passed(&self) -> Result<String, Failure> {
        let mut texts = Vec::new();
        for end in ENDS {
            let said = tc(end, &format!("-s qdisc show dev {}", end.interface))?;
            let (passed, lost) = counts(&said).ok_or_else(|| format!("tc shows no netem: {said}"))?;
            ensure(passed > 0, || format!("no packet of {} has met netem: {said}", end.name))?;
            texts.push(format!("{passed} packets of {} passed, {lost} were lost", end.name));
        }
        Ok(texts.join("; "))
    }
}

impl Drop for Netem {
    fn drop(&mut self) {
        for end in ENDS {
            let _ = tc(end, &format!("qdisc del dev {} root", end.interface));
        }
    }
}

/// An end of the first link.
#[derive(Clone, Copy, Debug)]
struct End {
    name: &'static str,
    interface: &'static str,
    namespace: Option<&'static str>,
}

const ENDS: [End; 2] = [
    End { name: "ours", interface: guest::OUR_INTERFACE, namespace: None },
    End { name: "the peer's", interface: guest::PEER_INTERFACE, namespace: Some(guest::PEER_NAMESPACE) },
];

/// Runs `tc` at an end; what it says.
fn tc(end: End, words: &str) -> Result<String, Failure> {
    let mut command = Command::new("tc");
    if let Some(namespace) = end.namespace {
        command.args(["-netns", namespace]);
    }
    let output = command
        .args(words.split_whitespace())
        .output()
        .map_err(|error| Failure::Skipped(format!("needs tc ({error})")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
    // Old kernels say the second.
    if ["qdisc kind is unknown", "No such file or directory"].iter().any(|text| complaint.contains(text)) {
        return Err(Failure::Skipped(format!("needs sch_netem ({complaint})")));
    }
    Err(format!("tc {words}: {complaint}").into())
}

/// How many packets have passed and how many were dropped, as `tc -s` states it for netem.
fn counts(said: &str) -> Option<(u64, u64)> {
    let (kind, rest) = said.split_once("Sent ")?;
    let (sent, rest) = rest.split_once(" pkt (dropped ")?;
    let (dropped, _) = rest.split_once(',')?;
    kind.contains("netem").then_some(())?;
    Some((sent.split(' ').next_back()?.parse().ok()?, dropped.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::counts;

    /// The counts of netem are read, those of another discipline are not taken for them.
    #[test]
    fn counts_of_netem() {
        let said = "qdisc netem 8001: root refcnt 5 limit 1000 delay 20ms  5ms loss 5%\n Sent 20912 bytes 228 \
                    pkt (dropped 19, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n";
        assert_eq!(counts(said), Some((228, 19)));
        assert_eq!(counts(&said.replace("netem", "noqueue")), None);
        assert_eq!(counts(""), None);
    }
}
