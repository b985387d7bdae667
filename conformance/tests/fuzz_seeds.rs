//! The seeds of the fuzz targets in `fuzz/corpus`, replayed without a fuzzer.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rserpool_core::wire::{AsapMessage, EnrpMessage, Padding, describe_asap, describe_enrp};

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(PathBuf, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("readable").into())).collect()
}

#[test]
fn replay_asap() {
    let seeds = seeds("decode_asap");
    assert!(seeds.len() > 40);
    for (path, octets) in seeds {
        assert!(!describe_asap(&octets).to_string().is_empty());
        if let Ok(decoded) = AsapMessage::decode(&octets) {
            let again = decoded.message.encode(Padding::Padded).expect("what was decoded can be encoded");
            assert_eq!(AsapMessage::decode(&again).map(|d| d.message), Ok(decoded.message), "{path:?}");
        }
    }
}

#[test]
fn replay_enrp() {
    let seeds = seeds("decode_enrp");
    assert!(seeds.len() > 40);
    for (path, octets) in seeds {
        assert!(!describe_enrp(&octets).to_string().is_empty());
        if let Ok(decoded) = EnrpMessage::decode(&octets) {
            let again = decoded.message.encode(Padding::Padded).expect("what was decoded can be encoded");
            assert_eq!(EnrpMessage::decode(&again).map(|d| d.message), Ok(decoded.message), "{path:?}");
        }
    }
}
