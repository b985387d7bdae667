//! The table for people and programs.

use std::process::ExitCode;

use serde_json::json;

use super::backend::Backend;
use super::cell::{Cell, Entry, Options, Verdict};
use super::setup::Peer;

/// Says how a cell has ended.
pub(super) fn progress(entry: &Entry, number: usize, of: usize, options: &Options) {
    if options.lines {
        println!("{}", serde_json::to_string(entry).unwrap_or_default());
        return;
    }
    let (word, detail) = words(&entry.verdict);
    let Entry { row, backend, peer, seconds, .. } = entry;
    eprintln!("[{number:>3}/{of}] {backend:<10} {peer:<7} {row:<20} {word:<4} {seconds:>6.1} s  {detail}");
}

/// Shows everything; fails if a cell does.
pub(super) fn finish(cells: &[Cell], entries: &[Entry], options: &Options) -> ExitCode {
    let failed = count(entries, |verdict| matches!(verdict, Verdict::Fail { .. }));
    let missing = cells.len().saturating_sub(entries.len());
    if options.json {
        let document = json!({
            "pass": count(entries, |verdict| matches!(verdict, Verdict::Pass { .. })),
            "fail": failed + missing,
            "skipped": count(entries, |verdict| matches!(verdict, Verdict::Skipped { .. })),
            "cells": sorted(cells, entries),
        });
        println!("{document:#}");
    } else if !options.lines {
        print!("{}", table(cells, entries));
    }
    if failed + missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn count(entries: &[Entry], which: impl Fn(&Verdict) -> bool) -> usize {
    entries.iter().filter(|entry| which(&entry.verdict)).count()
}

fn words(verdict: &Verdict) -> (&'static str, &str) {
    match verdict {
        Verdict::Pass { measured } => ("pass", measured),
        Verdict::Fail { reason } => ("FAIL", reason),
        Verdict::Skipped { reason } => ("-", reason),
    }
}

/// In the order of the table.
fn sorted<'a>(cells: &[Cell], entries: &'a [Entry]) -> Vec<&'a Entry> {
    cells
        .iter()
        .filter_map(|cell| find(entries, cell.row.name, cell.stage.backend, cell.stage.peer))
        .collect()
}

fn find<'a>(entries: &'a [Entry], row: &str, backend: Backend, peer: Peer) -> Option<&'a Entry> {
    entries.iter().find(|e| e.row == row && e.backend == backend.name() && e.peer == peer.name())
}

/// A line for each row, a column for each peer of each backend, then what failed and was skipped.
fn table(cells: &[Cell], entries: &[Entry]) -> String {
    let columns: Vec<(Backend, Peer)> = Backend::ALL
        .into_iter()
        .flat_map(|backend| Peer::ALL.map(|peer| (backend, peer)))
        .filter(|(b, p)| cells.iter().any(|cell| (cell.stage.backend, cell.stage.peer) == (*b, *p)))
        .collect();
    let mut text = format!("\n{:<21}", "");
    for (backend, _) in &columns {
        text += &format!("{:<11}", backend.name());
    }
    text += &format!("\n{:<21}", "");
    for (_, peer) in &columns {
        text += &format!("{:<11}", peer.name());
    }
    text += "\n";
    let mut last = "";
    for cell in cells {
        if cell.row.name == last
            || cells
                .iter()
                .position(|c| c.row.name == cell.row.name)
                .is_none_or(|first| !std::ptr::eq(&raw const cells[first], cell))
        {
            continue;
        }
        last = cell.row.name;
        text += &format!("{last:<21}");
        for (backend, peer) in &columns {
            let word = find(entries, last, *backend, *peer).map_or("", |entry| words(&entry.verdict).0);
            text += &format!("{word:<11}");
        }
        text += cell.row.question;
        text += "\n";
    }
    for entry in sorted(cells, entries) {
        if let Verdict::Fail { reason } = &entry.verdict {
            text += &format!("\nFAIL {} {} {}: {reason}", entry.backend, entry.peer, entry.row);
        }
    }
    let mut reasons: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for entry in entries {
        if let Verdict::Skipped { reason } = &entry.verdict {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    for (reason, cells) in reasons {
        text += &format!("\n{cells} skipped: {reason}");
    }
    let passed = count(entries, |verdict| matches!(verdict, Verdict::Pass { .. }));
    text + &format!("\n{passed} of {} pass\n", cells.len())
}
