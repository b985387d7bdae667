//! The configuration file of the program: any text, for each role. Reading it never panics, errors
//! are one line, and settings that were read can be written and read again.
#![no_main]
// The settings are compiled into this target, which needs only a part of them.
#![allow(dead_code, unused_imports)]

#[path = "../../rserpool/src/settings/any_text.rs"]
mod any_text;
#[path = "../../rserpool/src/exit.rs"]
mod exit;
#[path = "../../rserpool/src/settings/mod.rs"]
mod settings;

libfuzzer_sys::fuzz_target!(|text: &str| any_text::try_any_text(text));
