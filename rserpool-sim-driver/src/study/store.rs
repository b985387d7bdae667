//! Files, and what can be wrong with them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Why a study comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Input(String),
    /// A file cannot be read or written.
    #[error("{0}")]
    File(String),
}

impl StudyError {
    pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Self {
        Self::File(format!("{} cannot be written: {error}", path.display()))
    }
}

/// The content of a file.
pub(super) fn read(path: &Path) -> Result<String, StudyError> {
    fs::read_to_string(path).map_err(|error| {
        let problem = format!("{} cannot be read: {error}", path.display());
        match error.kind() {
            // Somebody has named it wrongly.
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData => StudyError::Input(problem),
            _ => StudyError::File(problem),
        }
    })
}

/// Writes a file, or leaves the one before: never a part of it.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), StudyError> {
    let failed = |error| StudyError::cannot_write(path, &error);
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        // Half a file helps nobody, and its room may be needed.
        let _ = fs::remove_file(&beside);
    }
    renamed.map_err(failed)
}

/// Makes a directory, if it is not there.
pub(super) fn make_directory(path: &Path) -> Result<(), StudyError> {
    fs::create_dir_all(path).map_err(|error| StudyError::cannot_write(path, &error))
}
