//! The corpora of the fuzz targets in `fuzz/corpus`, replayed without a fuzzer. Inputs that once
//! broke something stay there as `regression-...`. The program replays `config_file` itself.

use std::path::Path;

use conformance::fuzzing;

/// Runs every input of a target; none of them does harm.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "{target} has few seeds");
    for path in paths {
        println!("{}", path.display());
        run(&std::fs::read(path).expect("readable"));
    }
}

#[test]
fn decode_asap() {
    replay("decode_asap", fuzzing::decode_asap);
}

#[test]
fn decode_enrp() {
    replay("decode_enrp", fuzzing::decode_enrp);
}

#[test]
fn round_trip() {
    replay("round_trip", fuzzing::round_trip);
}

/// ENRP-3.6.2-04, ENRP-3.6.2-05: after every event checksums are those of what is listed.
#[test]
fn registrar() {
    replay("registrar", fuzzing::registrar);
}

#[test]
fn element() {
    replay("element", fuzzing::element);
}

#[test]
fn user() {
    replay("user", fuzzing::user);
}

#[test]
fn services() {
    replay("services", fuzzing::services);
}

#[test]
fn sctp() {
    replay("sctp", fuzzing::sctp);
}

/// Reading B14: octets in any pieces are the same messages.
#[test]
fn tcp() {
    replay("tcp", fuzzing::tcp);
}
