//! Tests in Rust sources, and the requirements that they cite.
//!
//! The sources are read as lines, not as Rust: a test begins with `fn` under an attribute `#[test]`
//! or `#[tokio::test]` and ends with the brace in the column of its `fn`, which rustfmt puts there. A
//! scenario is a test too: a public `async fn`, which a macro makes a test for each runtime.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A test and what it cites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// `rserpool-core/src/wire/tests/messages.rs::registration`.
    pub name: String,
    /// The requirements.
    pub cites: BTreeSet<String>,
    /// Whether it is left out unless it is asked for.
    pub ignored: bool,
}

/// All tests of the workspace, by file and line.
///
/// # Panics
///
/// A source cannot be read.
pub fn workspace() -> Vec<Test> {
    let root = crate::folder("").parent().expect("a workspace").to_path_buf();
    let mut files = Vec::new();
    for entry in root.read_dir().expect("readable") {
        let crate_folder = entry.expect("readable").path();
        // Not the build's folder, and not the fuzz targets, which are no tests.
        if crate_folder.join("Cargo.toml").exists()
            && crate_folder.file_name().is_some_and(|name| name != "fuzz")
        {
            ["src", "tests", "examples", "benches"]
                .iter()
                .for_each(|part| sources(&crate_folder.join(part), &mut files));
        }
    }
    files.sort();
    files
        .iter()
        .flat_map(|path| {
            let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
            tests(&name, &std::fs::read_to_string(path).expect("readable"))
        })
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    for path in entries.map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            // Our own tests speak of requirements that do not exist.
            if path != crate::folder("src").join("coverage") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The tests in the text of a file.
fn tests(file: &str, text: &str) -> Vec<Test> {
    let mut found = Vec::new();
    let (mut documentation, mut is_test, mut ignored) = (String::new(), false, false);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if let Some(words) = code.strip_prefix("///") {
            documentation.push_str(words);
            documentation.push(' ');
        } else if code.starts_with("#[") {
            is_test |= code.starts_with("#[test]") || code.starts_with("#[tokio::test");
            ignored |= code.starts_with("#[ignore");
        } else {
            let is_scenario = file.contains("/scenarios/") && code.starts_with("pub async fn");
            let name = function(code).filter(|_| is_test || is_scenario);
            if let Some(name) = name {
                let end = format!("{}}}", &line[..line.len() - code.len()]);
                let mut cites = citations(&documentation);
                if !code.ends_with('}') {
                    for inner in lines.by_ref().take_while(|inner| *inner != end) {
                        cites.extend(citations(inner));
                    }
                }
                found.push(Test { name: format!("{file}::{name}"), cites, ignored });
            }
            (documentation, is_test, ignored) = (String::new(), false, false);
        }
    }
    found
}

/// The name of the function that a line declares.
fn function(code: &str) -> Option<&str> {
    let code = code.strip_prefix("pub ").unwrap_or(code);
    let code = code.strip_prefix("async ").unwrap_or(code);
    code.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// A number of a requirement, taken apart.
#[derive(Clone)]
struct Id {
    protocol: String,
    section: String,
    number: u32,
}

impl Id {
    const PROTOCOLS: [&str; 5] = ["PARAM", "ASAP", "ENRP", "POL", "SEC"];

    /// Reads `ASAP-3.1-22`, or behind another citation `-22` and `-3.2-01`.
    fn read(word: &str, before: Option<&Self>) -> Option<Self> {
        let mut parts = word.split('-');
        let protocol = match parts.next()? {
            "" => before?.protocol.clone(),
            name if Self::PROTOCOLS.contains(&name) => name.to_string(),
            _ => return None,
        };
        let (first, second, rest) = (parts.next()?, parts.next(), parts.next());
        let (section, number) = match second {
            Some(number) => (first.to_string(), number),
            None if word.starts_with('-') => (before?.section.clone(), first),
            None => return None,
        };
        let is_section = section.starts_with(|c: char| c.is_ascii_digit());
        let is_number = number.len() == 2 && number.bytes().all(|digit| digit.is_ascii_digit());
        (rest.is_none() && is_section && is_number).then(|| Self {
            protocol,
            section,
            number: number.parse().unwrap_or_default(),
        })
    }

    fn text(&self) -> String {
        format!("{}-{}-{:02}", self.protocol, self.section, self.number)
    }
}

/// The requirements named in a text: `ASAP-3.1-22, -28`, `PARAM-3-07 to -10`.
fn citations(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut last, mut range) = (None::<Id>, false);
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        match (Id::read(word, last.as_ref()), &last) {
            (Some(id), Some(first))
                if range && first.section == id.section && first.protocol == id.protocol =>
            {
                found.extend((first.number..=id.number).map(|number| Id { number, ..id.clone() }.text()));
                (last, range) = (Some(id), false);
            }
            (Some(id), _) => {
                found.insert(id.text());
                (last, range) = (Some(id), false);
            }
            (None, Some(_)) if word == "to" => range = true,
            (None, _) if word == "and" || word.is_empty() => {}
            (None, _) => (last, range) = (None, false),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{citations, tests};

    fn cited(text: &str) -> Vec<String> {
        citations(text).into_iter().collect()
    }

    #[test]
    fn citations_are_read_in_all_their_forms() {
        assert_eq!(cited("See (ASAP-3.1-22)."), ["ASAP-3.1-22"]);
        assert_eq!(cited("ASAP-3.1-22, -28, -3.2-01: ten"), ["ASAP-3.1-22", "ASAP-3.1-28", "ASAP-3.2-01"]);
        assert_eq!(
            cited("PARAM-3-07 to -3-10, ASAP-2-01"),
            ["ASAP-2-01", "PARAM-3-07", "PARAM-3-08", "PARAM-3-09", "PARAM-3-10"]
        );
        assert_eq!(cited("PARAM-4-05, -06 and -07"), ["PARAM-4-05", "PARAM-4-06", "PARAM-4-07"]);
        assert_eq!(cited("RFC-3-01 x -12 SHA-256 ASAP-3 ASAP-3.1-2"), [""; 0]);
    }

    #[test]
    fn tests_are_found_with_what_they_cite() {
        let text = "/// ASAP-1-01\nfn helper() {\n}\n\n/// ASAP-1-02,\n/// -03\n#[test]\nfn one() {\n    // ASAP-1-04\n}\n// ASAP-1-05\n\
                    mod m {\n    #[ignore = \"slow\"]\n    #[tokio::test(x)]\n    async fn two() {\n        if a {\n        }\n        // ENRP-1-01\n    }\n}\n";
        let found = tests("f.rs", text);
        let names: Vec<_> = found.iter().map(|test| (&*test.name, test.ignored)).collect();
        assert_eq!(names, [("f.rs::one", false), ("f.rs::two", true)]);
        let cites: Vec<Vec<&str>> =
            found.iter().map(|test| test.cites.iter().map(|id| &**id).collect()).collect();
        assert_eq!(cites, [vec!["ASAP-1-02", "ASAP-1-03", "ASAP-1-04"], vec!["ENRP-1-01"]]);

        let text = "/// ASAP-1-01\npub async fn one<G>() {\n}\n\nasync fn helper() {\n}\n";
        assert_eq!(tests("a/src/scenarios/b.rs", text).len(), 1);
        assert_eq!(tests("a/src/b.rs", text), []);
    }
}
