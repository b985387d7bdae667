//! A file that follows a pool, for programs that read their servers from a file: a text in which lines are repeated for
//! each element. Pure, but for [`write()`].

use std::io::{self, Write};
use std::path::Path;

use crate::choice::Target;

/// A text with what is put in for a pool.
///
/// A line that is just `{{#elements}}` begins what is repeated for each element, and one that is just `{{/elements}}` ends
/// it. Within, `{{id}}`, `{{address}}` (IP address and port), `{{ip}}` and `{{port}}` stand for the element. Anywhere,
/// `{{pool}}` stands for the name of the pool, and `{{count}}` for the number of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Once(Vec<Piece>),
    Each(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Pool,
    Count,
    Id,
    Address,
    Ip,
    Port,
}

/// What is wrong with a template, and in which line, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A name that is not known.
    #[error("line {0}: there is no {{{{{1}}}}}: write pool, count, id, address, ip or port")]
    Unknown(usize, String),
    /// A name of an element outside of what is repeated.
    #[error(
        "line {0}: {{{{{1}}}}} stands for an element: write it between {{{{#elements}}}} and {{{{/elements}}}}"
    )]
    Outside(usize, String),
    /// A name whose end is missing.
    #[error("line {0}: {{{{ without }}}}")]
    Open(usize),
    /// What is repeated does not end, or ends twice, or begins within itself.
    #[error(
        "line {0}: {{{{#elements}}}} and {{{{/elements}}}} must follow each other, each on a line of its own"
    )]
    Nesting(usize),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let (mut pieces, mut within, mut begun) = (Vec::new(), false, 0);
        for (at, line) in (1..).zip(text.split_inclusive('\n')) {
            match (line.trim(), within) {
                ("{{#elements}}", false) => {
                    parts.push(Part::Once(std::mem::take(&mut pieces)));
                    (within, begun) = (true, at);
                }
                ("{{/elements}}", true) => {
                    parts.push(Part::Each(std::mem::take(&mut pieces)));
                    within = false;
                }
                ("{{#elements}}" | "{{/elements}}", _) => return Err(TemplateError::Nesting(at)),
                _ => read_line(line, at, within, &mut pieces)?,
            }
        }
        if within {
            return Err(TemplateError::Nesting(begun));
        }
        parts.push(Part::Once(pieces));
        Ok(Self(parts))
    }

    /// The text for these elements.
    pub fn fill(&self, pool: &str, elements: &[Target]) -> String {
        let mut text = String::new();
        let mut put = |pieces: &[Piece], element: Option<&Target>| {
            for piece in pieces {
                match (piece, element) {
                    (Piece::Text(literal), _) => text.push_str(literal),
                    (Piece::Name(Name::Pool), _) => text.push_str(pool),
                    (Piece::Name(Name::Count), _) => text.push_str(&elements.len().to_string()),
                    (Piece::Name(Name::Id), Some(target)) => text.push_str(&target.element.to_string()),
                    (Piece::Name(Name::Address), Some(target)) => text.push_str(&target.address.to_string()),
                    (Piece::Name(Name::Ip), Some(target)) => text.push_str(&target.address.ip().to_string()),
                    (Piece::Name(Name::Port), Some(target)) => {
                        text.push_str(&target.address.port().to_string());
                    }
                    (Piece::Name(_), None) => debug_assert!(false, "refused when it was read"),
                }
            }
        };
        for part in &self.0 {
            match part {
                Part::Once(pieces) => put(pieces, None),
                Part::Each(pieces) => elements.iter().for_each(|element| put(pieces, Some(element))),
            }
        }
        text
    }
}

fn read_line(line: &str, at: usize, within: bool, pieces: &mut Vec<Piece>) -> Result<(), TemplateError> {
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (word, behind) = behind.split_once("}}").ok_or(TemplateError::Open(at))?;
        let word = word.trim();
        let name = match word {
            "pool" => Name::Pool,
            "count" => Name::Count,
            "id" => Name::Id,
            "address" => Name::Address,
            "ip" => Name::Ip,
            "port" => Name::Port,
            "#elements" | "/elements" => return Err(TemplateError::Nesting(at)),
            _ => return Err(TemplateError::Unknown(at, word.into())),
        };
        if !within && !matches!(name, Name::Pool | Name::Count) {
            return Err(TemplateError::Outside(at, word.into()));
        }
        pieces.extend([Piece::Text(before.into()), Piece::Name(name)]);
        rest = behind;
    }
    pieces.push(Piece::Text(rest.into()));
    Ok(())
}

/// Writes a file so that whoever reads it sees the old text or the new one, and nothing in between: beside it first, then
/// in its place. Its permissions stay. Returns whether the text is another one than before.
///
/// # Errors
/// If it cannot be written. Then the old one stays.
pub fn write(path: &Path, text: &str) -> io::Result<bool> {
    if std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(false);
    }
    // A link stays one: what it leads to is replaced.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        if let Ok(before) = std::fs::metadata(&path) {
            file.set_permissions(before.permissions())?;
        }
        file.sync_all()?;
        std::fs::rename(&beside, &path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written.map(|()| true)
}

#[cfg(test)]
mod tests {
    use rserpool_core::base::ElementId;

    use super::*;

    fn targets() -> Vec<Target> {
        [(0x11, "192.0.2.1:8000"), (0x12, "[2001:db8::1]:80")]
            .map(|(id, address)| Target { element: ElementId(id), address: address.parse().unwrap() })
            .into()
    }

    #[test]
    fn lines_are_repeated_for_each_element() {
        let text = "# {{pool}}: {{count}}\nupstream web {\n  {{#elements}}\n  server {{ address }}; # {{id}}, {{ip}} {{port}}\n  \
                    {{/elements}}\n}\n";
        let template = Template::read(text).unwrap();
        let filled = "# Web: 2\nupstream web {\n  server 192.0.2.1:8000; # 0x11, 192.0.2.1 8000\n  \
                      server [2001:db8::1]:80; # 0x12, 2001:db8::1 80\n}\n";
        assert_eq!(template.fill("Web", &targets()), filled);
        assert_eq!(template.fill("Web", &[]), "# Web: 0\nupstream web {\n}\n");
        assert_eq!(Template::read("no end of line").unwrap().fill("Web", &[]), "no end of line");
    }

    #[test]
    fn what_is_wrong_is_found_with_its_line() {
        let error = |text: &str| Template::read(text).unwrap_err().to_string();
        assert_eq!(
            error("\n{{name}}"),
            "line 2: there is no {{name}}: write pool, count, id, address, ip or port"
        );
        assert!(error("{{ip}}").starts_with("line 1: {{ip}} stands for an element"));
        assert_eq!(error("a {{pool"), "line 1: {{ without }}");
        for bad in [
            "{{/elements}}",
            "x\n{{#elements}}\n",
            "{{#elements}}\n{{#elements}}\n{{/elements}}",
            "a {{#elements}}",
        ] {
            assert!(error(bad).contains("must follow each other"), "{bad}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = std::env::temp_dir().join(format!("rserpool-template-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        assert!(write(&file, "one").unwrap());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        assert!(!write(&link, "one").unwrap(), "the same text is not written again");
        assert!(write(&link, "two").unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(write(&folder.join("no/such/folder"), "x").is_err());
        let left: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
