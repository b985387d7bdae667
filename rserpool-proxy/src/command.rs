//! Commands of the shell that are run for a server, and end with their children if they hang.

use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// How much of the output of a command is read.
const MAX_OUTPUT: u64 = 4096;

/// Why a command has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It could not be started or read.
    #[error("cannot run the command: {0}")]
    Run(#[from] io::Error),
    /// It has ended with another code than 0, or by a signal.
    #[error("the command has ended with {0}")]
    Failed(ExitStatus),
    /// It took too long, and was killed with all that it had started.
    #[error("the command was not done within {0:?}, and was killed")]
    Late(Duration),
}

/// A child that is killed with its whole process group when it is dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

/// Runs a command of the shell for a server, whose address is in its environment as `BACKEND` (both),
/// `BACKEND_HOST` and `BACKEND_PORT`. Returns the first 4,096 octets that it prints.
///
/// Cancel safe: the command is killed.
///
/// # Errors
/// If it cannot be run, ends with another code than 0, or takes longer than `limit`.
pub async fn run(command: &str, server: SocketAddr, limit: Duration) -> Result<String, CommandError> {
    let environment = [
        ("BACKEND", server.to_string()),
        ("BACKEND_HOST", server.ip().to_string()),
        ("BACKEND_PORT", server.port().to_string()),
    ];
    run_with(command, &environment, limit).await
}

/// Runs a command of the shell with these variables in its environment, as [`run`] does.
///
/// # Errors
/// Those of [`run`].
pub async fn run_with(
    command: &str,
    environment: &[(&str, String)],
    limit: Duration,
) -> Result<String, CommandError> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    shell.envs(environment.iter().map(|(name, value)| (name, value)));
    // A group of its own, so that what it has started ends with it.
    let mut group = Group(shell.process_group(0).kill_on_drop(true).spawn()?);
    let output = group.0.stdout.take();
    let run = async {
        let mut text = Vec::new();
        if let Some(mut output) = output {
            (&mut output).take(MAX_OUTPUT).read_to_end(&mut text).await?;
            // What is beyond that is not wanted, but the command is to end by itself.
            tokio::io::copy(&mut output, &mut tokio::io::sink()).await?;
        }
        let status = group.0.wait().await?;
        if status.success() {
            Ok(String::from_utf8_lossy(&text).into_owned())
        } else {
            Err(CommandError::Failed(status))
        }
    };
    tokio::time::timeout(limit, run).await.unwrap_or(Err(CommandError::Late(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> SocketAddr {
        "127.0.0.1:8000".parse().unwrap()
    }

    #[tokio::test]
    async fn a_command_knows_its_server() {
        let text = "echo $BACKEND $BACKEND_HOST $BACKEND_PORT";
        let said = run(text, server(), Duration::from_secs(60)).await.unwrap();
        assert_eq!(said, "127.0.0.1:8000 127.0.0.1 8000\n");
        let failed = run("exit 3", server(), Duration::from_secs(60)).await.unwrap_err();
        assert!(failed.to_string().contains("exit status: 3"), "{failed}");
        let much = run("head -c 100000 /dev/zero", server(), Duration::from_secs(60)).await.unwrap();
        assert_eq!(much.len(), 4096);
    }

    /// What it has started would otherwise stay for ever, one for each check.
    #[tokio::test]
    async fn a_command_that_hangs_ends_with_its_children() {
        let folder = std::env::temp_dir().join(format!("rserpool-hangs-{}", std::process::id()));
        let file = folder.display();
        let text = format!("sleep 1000 & echo $! > {file}; wait");
        let late = run(&text, server(), Duration::from_millis(500)).await.unwrap_err();
        assert!(matches!(late, CommandError::Late(_)), "{late}");
        let child = std::fs::read_to_string(&folder).unwrap();
        std::fs::remove_file(&folder).unwrap();
        let status = format!("/proc/{}/status", child.trim());
        for _ in 0..1000 {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            if status.is_empty() || status.contains("State:\tZ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{child} lives on");
    }
}
