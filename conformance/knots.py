#!/usr/bin/env python3
"""Finds knots: files of one folder that call each other's functions in a circle.

How it counts. Each of the folders below is looked at by itself, with its subfolders and without
test files (a folder or file `tests`, `invariants.rs`, and what follows `#[cfg(test)] mod tests {`).
Comments and strings are removed first. A file defines every `fn name` in it. A file calls

* `.name(`, when exactly one file of the folder defines `name` and std has no method of that name;
* `part.name(`, whatever the name, when the file `part.rs` or `part/mod.rs` defines it;
* `Self::name(` or `Type::name(`, when one file has `impl Type` and defines `name`;
* `module::name(`, when the file `module.rs` or `module/mod.rs` defines `name`.

A name that the calling file defines itself is its own call. A name that several files define is
counted only where what stands before it tells whose it is. A knot is a strongly connected component of more than one file. The
limit is 4 files: `knots.py [--json] [FOLDER ...]` exits with 1 if a knot is larger.
"""

import json
import re
import sys
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent / "rserpool-core" / "src"
FOLDERS = ["registrar", "element", "user"]
LIMIT = 4
# Methods of std's types that endpoints call as well.
STD = set(
    """new default get get_mut get_or_insert_with insert remove len is_empty clear contains contains_key iter
    iter_mut keys values values_mut into_iter entry entry_or or_default push pop push_back pop_front take replace
    extend retain drain map filter find find_map any all next count min max sum first last fmt clone eq cmp from
    into set and_then then then_some or or_else zip as_ref as_mut as_slice ok unwrap_or range""".split()
)


def strip(text):
    """Source without comments, strings and the unit tests at its end."""
    text = re.sub(r"#\[cfg\(test\)\]\s*mod \w+ \{.*", "", text, flags=re.S)
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', text)


def sources(folder):
    for path in sorted(folder.rglob("*.rs")):
        name = path.relative_to(folder).as_posix()
        if "tests" not in path.relative_to(folder).with_suffix("").parts and path.stem != "invariants":
            yield name, strip(path.read_text())


def calls(folder):
    """file -> file -> names called there."""
    texts = dict(sources(folder))
    defined = {file: set(re.findall(r"\bfn (\w+)", text)) for file, text in texts.items()}
    types = {file: set(re.findall(r"\bimpl(?:<[^{]*?>)? (?:[\w:<>, ]+ for )?(\w+)", text)) for file, text in texts.items()}
    modules = {file: Path(file).parent.name if file.endswith("mod.rs") else Path(file).stem for file in texts}
    found = {file: {} for file in texts}
    for file, text in texts.items():
        for receiver, name in re.findall(r"(\w*)\s*\.(\w+)\(", text):
            owners = [other for other in texts if name in defined[other]]
            named = [other for other in owners if modules[other] == receiver]
            if name in STD or len(owners) > 1:
                owners = named
            if len(owners) == 1 and owners[0] != file:
                found[file].setdefault(owners[0], set()).add(name)
        for prefix, name in re.findall(r"\b(\w+)::(\w+)\(", text):
            kinds = types[file] if prefix == "Self" else {prefix}
            owners = [o for o in texts if name in defined[o] and (types[o] & kinds or modules[o] == prefix)]
            if file not in owners and len(owners) == 1:
                found[file].setdefault(owners[0], set()).add(name)
    return found


def knots(graph):
    """Strongly connected components of more than one file, the largest first (by reachability)."""
    reach = {}
    for start in graph:
        seen, waiting = set(), [start]
        while waiting:
            for target in graph[waiting.pop()]:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        reach[start] = seen
    circles = {frozenset(b for b in graph if b in reach[a] and a in reach[b]) for a in graph if a in reach[a]}
    return sorted((sorted(circle) for circle in circles if len(circle) > 1), key=lambda c: (-len(c), c))


def main(arguments):
    chosen = [a for a in arguments if not a.startswith("--")] or FOLDERS
    report = {}
    for name in chosen:
        graph = calls(CORE / name)
        circles = knots(graph)
        arrows = lambda circle: {f: {t: sorted(graph[f][t]) for t in graph[f] if t in circle} for f in circle}
        report[name] = {"files": len(graph), "largest": max(map(len, circles), default=0),
                        "knots": [{"files": circle, "calls": arrows(circle)} for circle in circles]}
    if "--json" in arguments:
        print(json.dumps(report, indent=1))
    else:
        for name, part in report.items():
            print(f"{name}: {part['files']} files, largest knot {part['largest']}")
            for knot in part["knots"]:
                print(f"  {len(knot['files'])}: {' '.join(knot['files'])}")
    return int(any(part["largest"] > LIMIT for part in report.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
