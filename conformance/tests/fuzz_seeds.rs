//! The corpora of the fuzz targets in `fuzz/corpus`, replayed without a fuzzer. Inputs that once
//! broke something stay there as `regression-...`.

use std::path::Path;

use conformance::fuzzing::TARGETS;

/// Every target has seeds, and none of them does harm.
#[test]
fn every_corpus_is_replayed() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
        paths.sort();
        assert!(paths.len() >= 10, "{name} has few seeds");
        for path in paths {
            println!("{}", path.display());
            run(&std::fs::read(path).expect("readable"));
        }
    }
}
