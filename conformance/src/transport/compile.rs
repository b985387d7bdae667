//! Makes the foreign peers from their sources in `peers/`, with the C compiler of this machine.

use std::path::PathBuf;
use std::process::Command;

/// The peer that is usrsctp, or why there is none.
pub(super) fn usrsctp() -> Result<PathBuf, String> {
    // The static library where it is there: then the program runs elsewhere, too.
    compile("usrsctp", &["-lusrsctp", "-lpthread"])
        .map_err(|reason| format!("needs a C compiler and libusrsctp-dev ({reason})"))
}

/// The peer that is the Linux kernel; without libraries, to run in a virtual machine.
pub(super) fn linux() -> Result<PathBuf, String> {
    compile("linux", &["-static", "-lpthread"])
        .map_err(|reason| format!("needs a C compiler with static libc and linux-libc-dev ({reason})"))
}

fn compile(name: &str, libraries: &[&str]) -> Result<PathBuf, String> {
    let folder = crate::folder("peers");
    let program = std::env::temp_dir().join(format!("conformance-peer-{name}-{}", std::process::id()));
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(folder.join(name).with_extension("c"))
        .args(libraries)
        .output()
        .map_err(|error| format!("cc: {error}"))?;
    if output.status.success() {
        return Ok(program);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let line = complaint.lines().find(|line| line.contains("error")).or_else(|| complaint.lines().next());
    Err(line.unwrap_or("cc fails").to_string())
}
