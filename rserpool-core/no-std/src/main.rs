//! A pool element without `std`: the core, an allocator that counts, and a script.
//!
//! The program registers, answers keep-alives and serves 64 users (see `script`), and prints what heap
//! that took. `measure.sh` builds it as small as it gets, runs it, and compares code and heap with their
//! limits. Nothing of `std` can hide in it: `std` has an allocator and a panic handler of its own, and
//! a second one of either is an error of the compiler.
//!
//! On a machine with an operating system the C library calls `main` and takes the figures; on a
//! bare one (`thumbv7em-none-eabi`) the program is linked to be measured, not run.

#![no_std]
#![no_main]

extern crate alloc;

mod heap;
mod script;

use heap::Heap;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// There is nothing to print a message on: the figures are for programs that only reset.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    stop(101)
}

#[cfg(not(target_os = "none"))]
mod platform {
    #[link(name = "c")]
    unsafe extern "C" {
        fn write(file: i32, octets: *const u8, count: usize) -> isize;
        fn _exit(status: i32) -> !;
    }

    pub(crate) fn print(text: &[u8]) {
        // SAFETY: the pointer and the count are those of one slice.
        unsafe { write(1, text.as_ptr(), text.len()) };
    }

    pub(crate) fn stop(status: u8) -> ! {
        // SAFETY: it takes any status and does not return.
        unsafe { _exit(i32::from(status)) }
    }

    /// Where the C library begins.
    #[unsafe(no_mangle)]
    extern "C" fn main(_: i32, _: *const *const u8) -> i32 {
        i32::from(super::run())
    }

    /// `core` is compiled for programs that unwind and names this; nothing here unwinds.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}
}

#[cfg(target_os = "none")]
mod platform {
    pub(crate) fn print(text: &[u8]) {
        // What is printed must be computed.
        core::hint::black_box(text);
    }

    pub(crate) fn stop(status: u8) -> ! {
        loop {
            core::hint::black_box(status);
        }
    }

    /// Where the linker begins.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        stop(super::run())
    }
}

use platform::{print, stop};

/// Runs the script; the status is 0, or the number of the step that went wrong.
fn run() -> u8 {
    match script::run() {
        Ok(figures) => {
            for (name, octets) in figures {
                line(name, octets);
            }
            0
        }
        Err(step) => step,
    }
}

/// `name number`, without the formatting of `core`, which would be measured, too.
fn line(name: &str, mut number: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len() - 1;
    while number > 9 {
        digits[first] += (number % 10) as u8;
        number /= 10;
        first -= 1;
    }
    digits[first] += number as u8;
    print(name.as_bytes());
    print(b" ");
    print(&digits[first..]);
    print(b"\n");
}
