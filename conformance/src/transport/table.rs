//! Runs the cells of the table: each in a process of its own, so that one that hangs, crashes or
//! eats memory is a verdict and not the end.

use std::collections::VecDeque;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::backend::Backend;
use super::bench::Failure;
use super::cell::{Cell, Entry, Options, Verdict, skipped};
use super::process::PROGRAM;
use super::row::Row;
use super::rows::rows;
use super::setup::Peer;
use super::stage::Stage;
use super::{compile, guest, report, vm};

/// How long a cell may take.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs the table, shows it, and fails if a cell does.
pub fn run(options: &Options) -> ExitCode {
    let cells: Vec<Cell> = match cells(options) {
        Ok(cells) => cells,
        Err(unknown) => {
            eprintln!("{unknown}");
            return ExitCode::from(64);
        }
    };
    let (sender, receiver) = channel();
    let total = cells.len();
    let show = options.clone();
    let collector = std::thread::spawn(move || {
        let mut entries: Vec<Entry> = Vec::new();
        for entry in receiver {
            entries.push(entry);
            report::progress(&entries[entries.len() - 1], entries.len(), total, &show);
        }
        entries
    });
    judge(&cells, &sender);
    drop(sender);
    let entries = collector.join().unwrap_or_default();
    report::finish(&cells, &entries, options)
}

/// The cells that are asked for, or what is unknown.
fn cells(options: &Options) -> Result<Vec<Cell>, String> {
    let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|word| word == name);
    let asked = |row: &Row| {
        options.rows.is_empty() || options.rows.iter().any(|word| row.name.starts_with(word.as_str()))
    };
    for backend in &options.backends {
        if !Backend::ALL.iter().any(|known| known.name() == backend) {
            return Err(format!("unknown backend {backend}"));
        }
    }
    for peer in &options.peers {
        if !Peer::ALL.iter().any(|known| known.name() == peer) {
            return Err(format!("unknown peer {peer}"));
        }
    }
    let mut cells = Vec::new();
    for backend in Backend::ALL.into_iter().filter(|backend| wanted(&options.backends, backend.name())) {
        for row in rows().filter(|row| asked(row)) {
            for peer in row.peers.iter().copied().filter(|peer| wanted(&options.peers, peer.name())) {
                cells.push(Cell { row, stage: Stage { backend, peer } });
            }
        }
    }
    if cells.is_empty() { Err("there is no such row".into()) } else { Ok(cells) }
}

fn judge(cells: &[Cell], entries: &Sender<Entry>) {
    let mut here = VecDeque::new();
    let mut alone = Vec::new();
    let mut guests = Vec::new();
    for cell in cells {
        if cell.stage.peer == Peer::Linux && !guest::is_inside() {
            guests.push(*cell);
        } else if cell.row.alone {
            alone.push(*cell);
        } else {
            here.push_back(*cell);
        }
    }
    let usrsctp = if here.iter().any(|cell| cell.stage.peer == Peer::Usrsctp) {
        compile::usrsctp()
    } else {
        Err(String::new())
    };
    let queue = Mutex::new(here);
    // All peers inside share one kernel, and with it the ports.
    let parallel = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if guest::is_inside() { 1 } else { parallel };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().map_or(None, |mut queue| queue.pop_front());
                    let Some(cell) = next else { break };
                    let program = match (cell.stage.peer, &usrsctp) {
                        (Peer::Usrsctp, Err(reason)) => {
                            let _ = entries.send(cell.entry(skipped(reason), Duration::ZERO));
                            continue;
                        }
                        (Peer::Usrsctp, Ok(program)) => program.to_str(),
                        _ => None,
                    };
                    let _ = entries.send(cell.run(program));
                }
            });
        }
    });
    if let Ok(program) = usrsctp {
        let _ = std::fs::remove_file(program);
    }
    for cell in alone {
        let _ = entries.send(cell.run(None));
    }
    if !guests.is_empty() {
        vm::run(&guests, entries);
    }
}

impl Cell {
    /// Runs the cell in a process of its own.
    fn run(&self, peer: Option<&str>) -> Entry {
        let start = Instant::now();
        let verdict = self.verdict(peer).unwrap_or_else(|reason| Verdict::Fail { reason });
        self.entry(verdict, start.elapsed())
    }

    fn verdict(&self, peer: Option<&str>) -> Result<Verdict, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut command = Command::new(std::env::current_exe().map_err(text)?);
        command.args(["transport-cell", self.stage.backend.name(), self.stage.peer.name(), self.row.name]);
        if let Some(program) = peer {
            command.env(PROGRAM, program);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let start = Instant::now();
        while child.try_wait().map_err(text)?.is_none() {
            if start.elapsed() > LIMIT {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("has not ended within {} s", LIMIT.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().map_err(text)?;
        let said = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(said.trim()).map_err(|_| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first: Vec<_> = complaint.lines().filter(|line| !line.is_empty()).take(3).collect();
            format!("{}: {}", output.status, first.join(" "))
        })
    }
}

/// Runs one cell in this process and prints its verdict for the process that waits.
pub fn cell(backend: &str, peer: &str, name: &str) -> ExitCode {
    let backend = Backend::ALL.into_iter().find(|known| known.name() == backend);
    let peer = Peer::ALL.into_iter().find(|known| known.name() == peer);
    let row = rows().find(|row| row.name == name);
    let (Some(backend), Some(peer), Some(row)) = (backend, peer, row) else {
        return ExitCode::from(64);
    };
    let verdict = match (row.run)(&Stage { backend, peer }) {
        Ok(measured) => Verdict::Pass { measured },
        Err(Failure::Failed(reason)) => Verdict::Fail { reason },
        Err(Failure::Skipped(reason)) => Verdict::Skipped { reason },
    };
    println!("{}", serde_json::to_string(&verdict).unwrap_or_default());
    ExitCode::SUCCESS
}
