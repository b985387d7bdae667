//! One table in the layout of RSPLIB's figures, and a file of the same: what is compared with them.
//!
//! `cargo bench -p rserpool-core --bench peer -- [--json FILE]`. Thread CPU time, one thread, best of
//! several. The other benchmarks measure the same work with divan.

mod work;

use std::hint::black_box;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rserpool_core::wire::{AsapMessage, Padding};
use serde_json::{Value, json};
use work::{BESIDE, Bench, SIZES, TABLE, Workload};

/// Each figure is the best of so many.
const REPETITIONS: usize = 7;

/// How long one repetition lasts at least.
const SPAN: Duration = Duration::from_millis(20);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let file = match arguments.as_slice() {
        [] => None,
        [flag, file] if flag == "--json" => Some(file),
        _ => return Err("write --json FILE, or nothing".into()),
    };
    // First, while the memory of the process is untouched.
    let octets = octets_per_element()?;
    let mut report = Report::default();
    for workload in [TABLE[0], TABLE[4], BESIDE[0]] {
        registrations(&mut report, workload);
    }
    for workload in TABLE.into_iter().chain(BESIDE) {
        resolutions(&mut report, workload);
    }
    messages(&mut report);
    report.print(octets);
    if let Some(file) = file {
        std::fs::write(file, serde_json::to_string_pretty(&report.json(octets))?)?;
    }
    Ok(())
}

/// What was measured: operation, policy, pools, elements, operations per second.
#[derive(Default)]
struct Report {
    cells: Vec<(&'static str, &'static str, u32, u32, f64)>,
    messages: Vec<(&'static str, &'static str, f64)>,
}

/// The processor time of this thread.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// The best rate of several repetitions of `run`, which tells how many operations it made in which
/// time.
fn best(mut run: impl FnMut() -> (usize, Duration)) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..REPETITIONS {
        let (mut operations, mut time) = (0, Duration::ZERO);
        while time < SPAN {
            let (more, longer) = run();
            operations += more;
            time += longer;
        }
        best = best.max(operations as f64 / time.as_secs_f64());
    }
    best
}

fn timed(run: impl FnOnce() -> usize) -> (usize, Duration) {
    let begin = cpu_time();
    let operations = run();
    (operations, cpu_time() - begin)
}

fn registrations(report: &mut Report, workload: Workload) {
    for (pools, elements) in SIZES {
        let mut cell = |operation, rate| report.cells.push((operation, workload.name, pools, elements, rate));
        let mut bench = Bench::new(workload, pools, elements);
        let rate = best(|| {
            let result = timed(|| bench.register_all());
            bench.deregister_all();
            result
        });
        cell("register", rate);
        let rate = best(|| {
            bench.register_all();
            bench.shuffle();
            timed(|| bench.deregister_all())
        });
        cell("deregister", rate);
        bench.register_all();
        let rate = best(|| {
            bench.shuffle();
            bench.draw_loads();
            timed(|| bench.register_all())
        });
        cell("reregister", rate);
    }
}

fn resolutions(report: &mut Report, workload: Workload) {
    for (pools, elements) in SIZES {
        for (operation, count) in [("resolve4", 4), ("resolve1", 1)] {
            let mut bench = Bench::full(workload, pools, elements);
            let rate = best(|| {
                timed(|| {
                    for _ in 0..20_000 {
                        black_box(bench.resolve(count));
                    }
                    20_000
                })
            });
            report.cells.push((operation, workload.name, pools, elements, rate));
        }
    }
}

fn messages(report: &mut Report) {
    for (name, message) in work::messages() {
        let octets = work::octets(&message);
        let times = |run: &dyn Fn()| {
            best(|| {
                timed(|| {
                    for _ in 0..5_000 {
                        run();
                    }
                    5_000
                })
            })
        };
        let encode = || drop(black_box(black_box(&message).encode(Padding::Padded)));
        let decode = || drop(black_box(AsapMessage::decode(black_box(&octets))));
        report.messages.push((name, "encode", times(&encode)));
        report.messages.push((name, "decode", times(&decode)));
        let both = || {
            encode();
            decode();
        };
        report.messages.push((name, "encode+decode", times(&both)));
    }
}

/// The memory of the process that each of 100,000 elements of a least-used pool takes, with its
/// timer: what the operating system sees, so nothing is forgotten.
fn octets_per_element() -> Result<f64, Box<dyn std::error::Error>> {
    const ELEMENTS: u32 = 100_000;
    let mut bench = Bench::new(BESIDE[0], 1, ELEMENTS);
    let before = resident()?;
    bench.register_all();
    let after = resident()?;
    Ok((after - before) as f64 / f64::from(ELEMENTS))
}

fn resident() -> Result<usize, Box<dyn std::error::Error>> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = pages.split(' ').nth(1).ok_or("no second field in statm")?.parse()?;
    Ok(pages * 4096)
}

impl Report {
    fn print(&self, octets: f64) {
        let mut rows: Vec<(&str, &str)> = Vec::new();
        for (operation, policy, ..) in &self.cells {
            if !rows.contains(&(operation, policy)) {
                rows.push((operation, policy));
            }
        }
        print!("{:<28}", "operations per second");
        SIZES.iter().for_each(|(pools, elements)| print!("{:>14}", format!("{pools}x{elements}")));
        println!();
        for (operation, policy) in rows {
            print!("{:<28}", format!("{operation} {policy}"));
            for cell in self.cells.iter().filter(|cell| (cell.0, cell.1) == (operation, policy)) {
                print!("{:>14}", human(cell.4));
            }
            println!();
        }
        for (message, operation, rate) in &self.messages {
            println!("{:<56}{:>14}", format!("{operation} {message}"), human(*rate));
        }
        println!("octets per element: {octets:.0}");
    }

    fn json(&self, octets: f64) -> Value {
        let cells: Vec<Value> = self
            .cells
            .iter()
            .map(|(operation, policy, pools, elements, rate)| {
                json!({
                    "operation": operation, "policy": policy, "pools": pools, "elements": elements,
                    "per_second": rate,
                })
            })
            .collect();
        let messages: Vec<Value> = self
            .messages
            .iter()
            .map(|(message, operation, rate)| {
                json!({ "message": message, "operation": operation, "per_second": rate })
            })
            .collect();
        json!({ "cells": cells, "messages": messages, "octets_per_element": octets })
    }
}

fn human(rate: f64) -> String {
    if rate >= 1e6 { format!("{:.2} M", rate / 1e6) } else { format!("{:.0} k", rate / 1e3) }
}
