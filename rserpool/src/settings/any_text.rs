//! What a fuzzer does with the configuration file; compiled into its target and into the tests.

use std::fmt::Debug;
use std::path::Path;

use clap::{Args, FromArgMatches};
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;
use rserpool_transport::sctp::SctpConfig;
use rserpool_transport::tcp::TcpConfig;

use crate::settings::{
    ElementSettings, InspectorSettings, RegistrarSettings, Role, UserSettings, read_file, with_file,
};

/// Reads any text as the file of each role. That never panics, an error is one line, and settings that were
/// read can be put into a configuration and checked.
pub(crate) fn try_any_text(text: &str) {
    if let Some(settings) = read::<RegistrarSettings>(text, Role::Registrar) {
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
    read::<ElementSettings>(text, Role::Element);
    if let Some(settings) = read::<UserSettings>(text, Role::User) {
        let mut config = UserConfig::rfc(1);
        settings.apply(&mut config);
        let _ = config.check();
    }
    read::<InspectorSettings>(text, Role::Inspector);
}

/// The settings of a file, read as the flags of their names are.
pub(crate) fn read<S: Args + FromArgMatches + Debug>(text: &str, role: Role) -> Option<S> {
    match read_file(Path::new("f.toml"), text, role) {
        Ok(entries) => {
            let matches = with_file(role.settings(), &entries).try_get_matches_from([""; 0]);
            let matches = matches.expect("values that were read one by one can be read together");
            Some(S::from_arg_matches(&matches).expect("every setting is optional"))
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
