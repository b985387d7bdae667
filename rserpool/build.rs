//! Finds the commit from which the program is built, for `rserpool --version`. Without git, or outside of the
//! repository, there is none, and the version stands alone.

use std::path::Path;
use std::process::Command;

/// Digits of a commit that are shown: enough to be the only one.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if let Some(commit) = packaged().or_else(checked_out) {
        let digits: String = commit.chars().take(DIGITS).collect();
        version += &format!(" (commit {digits})");
    }
    println!("cargo::rustc-env=PROGRAM_VERSION={version}");
}

/// The commit that `cargo package` has noted in the crate.
fn packaged() -> Option<String> {
    let noted = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, behind) = noted.split_once("\"sha1\": \"")?;
    Some(behind.split('"').next()?.to_string())
}

/// The commit that is checked out, if this is the repository of the project and not one that has taken it in.
fn checked_out() -> Option<String> {
    let is_ours =
        git(&["rev-parse", "--show-prefix"])? == "rserpool/" && Path::new("../rserpool-core").is_dir();
    // The log of HEAD grows with each commit and each change of branch.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if !is_ours || !Path::new(&log).exists() {
        return None;
    }
    println!("cargo::rerun-if-changed={log}");
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}
