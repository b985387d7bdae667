//! What a fuzzer does with the configuration file; compiled into its target and into the tests.

use std::fmt::Debug;
use std::path::Path;

use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;
use rserpool_transport::sctp::SctpConfig;
use rserpool_transport::tcp::TcpConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::settings::{ElementSettings, InspectorSettings, RegistrarSettings, Source, UserSettings};

/// Reads any text as the file of each role. That never panics, an error is one line, and settings
/// that were read can be put into a configuration, checked, written and read again.
pub(crate) fn try_any_text(text: &str) {
    if let Some(settings) = read::<RegistrarSettings>(text) {
        let mut config = RegistrarConfig::rfc(None, 1);
        settings.apply(&mut config);
        let _ = config.check();
        let mut sctp = SctpConfig::rfc(1);
        settings.sctp.apply(&mut sctp);
        let _ = sctp.check();
        let mut tcp = TcpConfig::default();
        settings.tcp.apply(&mut tcp);
        let _ = tcp.check();
    }
    read::<ElementSettings>(text);
    if let Some(settings) = read::<UserSettings>(text) {
        let mut config = UserConfig::rfc(1);
        settings.apply(&mut config);
        let _ = config.check();
    }
    read::<InspectorSettings>(text);
}

fn read<S: Serialize + DeserializeOwned + Clone + Default + PartialEq + Debug>(text: &str) -> Option<S> {
    match Source::merge(Path::new("f.toml"), text, &S::default()) {
        Ok(settings) => {
            let written = toml::to_string(&settings).expect("settings can be written");
            assert_eq!(toml::from_str::<S>(&written).ok(), Some(settings.clone()), "{written}");
            Some(settings)
        }
        Err(failure) => {
            assert!(!failure.to_string().contains('\n'), "{failure}");
            None
        }
    }
}

/// The seeds of the fuzz target, and every input with which it has found a fault.
#[test]
fn the_corpus_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/config_file");
    let mut count = 0;
    for file in folder.read_dir().expect("there is a corpus") {
        let text = std::fs::read(file.expect("readable").path()).expect("readable");
        try_any_text(&String::from_utf8_lossy(&text));
        count += 1;
    }
    assert!(count >= 16, "{count}");
}
