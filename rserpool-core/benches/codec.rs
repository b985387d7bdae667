//! Encoding and decoding, with divan: `cargo bench -p rserpool-core --bench codec`.

mod work;

use divan::{Bencher, black_box};
use rserpool_core::wire::{AsapMessage, Padding};

fn main() {
    divan::main();
}

const MESSAGES: [usize; 4] = [0, 1, 2, 3];

#[divan::bench(args = MESSAGES)]
fn encode(bencher: Bencher<'_, '_>, message: usize) {
    let (_, message) = &work::messages()[message];
    bencher.bench_local(|| black_box(message).encode(Padding::Padded));
}

#[divan::bench(args = MESSAGES)]
fn decode(bencher: Bencher<'_, '_>, message: usize) {
    let octets = work::octets(&work::messages()[message].1);
    bencher.bench_local(|| AsapMessage::decode(black_box(&octets)));
}
