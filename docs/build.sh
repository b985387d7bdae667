#!/usr/bin/env bash
# Builds the book into target/book and checks every link inside the repository. Installs mdbook if it is
# missing (a minute of computing, once, into target/tools). Ends with 1 if a chapter, a file or the target of a link is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.4
target=${CARGO_TARGET_DIR:-target}
mdbook=$target/tools/bin/mdbook
if command -v mdbook >/dev/null; then
    mdbook=mdbook
elif ! [ -x "$mdbook" ]; then
    # Not optimised: that halves the time, and the book is small.
    cargo install mdbook --version "$version" --locked --no-default-features --features search --debug \
        --root "$target/tools" --quiet
fi

# mdbook goes on after some errors, such as a file to be included that does not exist.
log=$(mktemp)
trap 'rm "$log"' EXIT
"$mdbook" build docs --dest-dir "$(realpath -m "$target/book")" 2>&1 | tee "$log"
if grep -qE 'WARN|ERROR' "$log"; then
    echo "docs/build.sh: mdbook has warned; mend what it names" >&2
    exit 1
fi
python3 docs/check-links.py "$target/book"
