//! Registrations and resolutions, with divan: `cargo bench -p rserpool-core --bench handlespace`.

mod work;

use divan::Bencher;
use work::{BESIDE, Bench, SIZES, TABLE, Workload};

fn main() {
    divan::main();
}

/// A policy, pools, elements in each.
fn cells() -> Vec<Cell> {
    let every = |workload| SIZES.map(|(pools, elements)| Cell { workload, pools, elements });
    TABLE.into_iter().chain(BESIDE).flat_map(every).collect()
}

#[derive(Clone, Copy)]
struct Cell {
    workload: Workload,
    pools: u32,
    elements: u32,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}x{}", self.workload.name, self.pools, self.elements)
    }
}

#[divan::bench(args = cells())]
fn resolve4(bencher: Bencher<'_, '_>, cell: &Cell) {
    let mut bench = Bench::full(cell.workload, cell.pools, cell.elements);
    bencher.bench_local(|| bench.resolve(4));
}

#[divan::bench(args = cells())]
fn resolve1(bencher: Bencher<'_, '_>, cell: &Cell) {
    let mut bench = Bench::full(cell.workload, cell.pools, cell.elements);
    bencher.bench_local(|| bench.resolve(1));
}

#[divan::bench(args = cells(), sample_count = 5)]
fn register_all(bencher: Bencher<'_, '_>, cell: &Cell) {
    bencher
        .with_inputs(|| Bench::new(cell.workload, cell.pools, cell.elements))
        .bench_local_refs(Bench::register_all);
}

#[divan::bench(args = cells(), sample_count = 5)]
fn renew_all(bencher: Bencher<'_, '_>, cell: &Cell) {
    bencher
        .with_inputs(|| {
            let mut bench = Bench::full(cell.workload, cell.pools, cell.elements);
            bench.shuffle();
            bench.draw_loads();
            bench
        })
        .bench_local_refs(Bench::register_all);
}

#[divan::bench(args = cells(), sample_count = 5)]
fn deregister_all(bencher: Bencher<'_, '_>, cell: &Cell) {
    bencher
        .with_inputs(|| {
            let mut bench = Bench::full(cell.workload, cell.pools, cell.elements);
            bench.shuffle();
            bench
        })
        .bench_local_refs(Bench::deregister_all);
}
