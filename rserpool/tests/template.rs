//! `rserpool template`: a file follows a pool.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::net::TcpListener;

use support::{Process, check, run};

/// The file has who is in the pool, and the command runs after each change; when nobody is left, the last file stays.
#[test]
fn a_file_follows_a_pool() {
    let (_registrar, at) = Process::registrar(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (input, out, note) = (path("in"), path("out"), path("note"));
    std::fs::write(&input, "{{pool}}\n{{#elements}}\nserver {{address}} {{id}}\n{{/elements}}\n").unwrap();
    // It fails the first time, and is run again.
    let reload = format!("cat {out} >> {note}; [ -e {note}.failed ] || {{ touch {note}.failed; exit 3; }}");
    let arguments =
        ["template", "--pool", "Web", "--in", &input, "--out", &out, "--reload", &reload, "--pause", "50ms"];
    let template =
        Process::start(&[&arguments, &["--registrar", &at, "--preset", "fast", "--json"][..]].concat());
    assert_eq!(check("template", &template.line())["event"], "kept");

    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let server = listener.local_addr().unwrap();
    let backend = format!("{server} check=none id=0x11");
    let flags = ["--registrar", &at, "--preset", "fast", "--drain", "0s"];
    let attach = Process::start(&[&["attach", "--pool", "Web", "--backend", &backend], &flags[..]].concat());
    assert_eq!(check("template", &template.line())["event"], "written");
    template.error_with("exit status: 3; it is tried again");
    assert_eq!(check("template", &template.line())["event"], "reloaded");
    let text = format!("Web\nserver {server} 0x11\n");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
    assert_eq!(std::fs::read_to_string(&note).unwrap(), text.repeat(2));

    let once = [&arguments[..7], &["--once", "--registrar", &at, "--preset", "fast"]].concat();
    assert_eq!(run(&once).code, Some(0), "the file is as it should be");
    attach.terminate();
    assert_eq!(check("template", &template.line())["event"], "kept");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
    assert_eq!(template.terminate().code, Some(0));

    std::fs::write(&input, "\n{{name}}\n").unwrap();
    let wrong = run(&once);
    assert_eq!(wrong.code, Some(64));
    assert!(wrong.stderr.contains("line 2: there is no {{name}}"), "{}", wrong.stderr);
}
