//! The virtual machine in which the Linux kernel is the peer; `vm/` makes and starts it.
//!
//! This program runs inside, too: on its own network, with the peer in a namespace that has two
//! interfaces. One boot runs all cells; each reports by a line as soon as it has ended.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::cell::{Cell, Entry, Verdict, skipped};
use super::compile;

/// Runs cells inside and passes their verdicts on; cells without one have failed or were skipped.
pub(super) fn run(cells: &[Cell], entries: &Sender<Entry>) {
    let mut left = cells.to_vec();
    let end = boot(cells, |entry| {
        left.retain(|cell| {
            (cell.row.name, cell.stage.backend.name()) != (entry.row.as_str(), entry.backend.as_str())
        });
        let _ = entries.send(entry);
    });
    for cell in left {
        let verdict = match &end {
            Err(reason) if reason.starts_with(NEEDS) => skipped(reason),
            Err(reason) => Verdict::Fail { reason: reason.clone() },
            Ok(()) => Verdict::Fail { reason: "the virtual machine has ended without a verdict".into() },
        };
        let _ = entries.send(cell.entry(verdict, Duration::ZERO));
    }
}

/// How the reason begins if tools are missing.
const NEEDS: &str = "needs ";

/// Boots the machine. The reason, if it does not run.
fn boot(cells: &[Cell], mut verdict: impl FnMut(Entry)) -> Result<(), String> {
    let peer = compile::linux()?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut arguments = vec!["transport", "--lines", "--peer", "linux"];
    for cell in cells {
        for words in [["--backend", cell.stage.backend.name()], ["--row", cell.row.name]] {
            if !arguments.windows(2).any(|pair| *pair == words) {
                arguments.extend(words);
            }
        }
    }
    let mut child = Command::new(crate::folder("vm").join("run"))
        .args([program, peer.clone()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("vm/run: {error}"))?;
    let mut reason = None;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            match serde_json::from_str(line.trim()) {
                Ok(entry) => verdict(entry),
                Err(_) if line.starts_with(NEEDS) => reason = Some(line),
                Err(_) => eprintln!("virtual machine: {line}"),
            }
        }
    }
    let _ = std::fs::remove_file(peer);
    match (child.wait(), reason) {
        (_, Some(reason)) => Err(reason),
        (Ok(status), None) if status.success() => Ok(()),
        (Ok(status), None) => Err(format!("the virtual machine does not run ({status})")),
        (Err(error), None) => Err(error.to_string()),
    }
}
