#!/usr/bin/env bash
# Whether tests notice when the code that they are cited for breaks: cargo-mutants changes one place of the
# core at a time, and a test that cites a requirement has to fail. Other tests are not run.
#
#     conformance/mutants.sh [SHARD [FILE ...]]
#
# SHARD is a part of all mutants, as cargo-mutants counts them: 0/16 by default, every sixteenth from the first
# on; 0/1 for all. FILE is a source file of rserpool-core; by default those in `files` below. Each mutant takes
# a build of the core and its cited unit tests: 15 s on two idle cores.
#
# Prints what was caught and what was not. Ends with status 1 if a mutant survives that
# conformance/mutants-accepted.txt does not list, each with its reason. The tree itself is left alone; the copy
# and its build are temporary, and what each test said stays in mutants.out in the target directory.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never CARGO_PROFILE_DEV_DEBUG=0 PROPTEST_FAILURE_PERSISTENCE=off
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked
shard=${1:-0/16}
shift || true
core=rserpool-core/src
files=("$@")
((${#files[@]})) || files=(
    $core/wire/{reader,writer,parameter,message,asap,enrp,policy}.rs
    $core/policy/{terms,ring,ranked,lottery}.rs
    $core/handlespace/{mod,pool,checksum,watch}.rs
    $core/registrar/'**/*.rs' $core/element/'*.rs' $core/user/'*.rs' $core/endpoint/hunt/'*.rs'
)
output=${CARGO_TARGET_DIR:-target}/conformance-mutants
mkdir -p "$output"

# The unit tests of the core that cite a requirement, by their names.
mapfile -t cited < <(cargo run --quiet -p conformance -- coverage --json |
    sed -n "s|^ *\"$core/.*::\([a-z0-9_]*\)\",\?$|\1|p" | sort -u)
echo "${#cited[@]} cited tests"

only=()
for file in "${files[@]}"; do only+=(--file "$file"); done
status=0
cargo mutants --package rserpool-core "${only[@]}" --shard "$shard" --jobs 1 --output "$output" \
    -- --lib -- "${cited[@]}" || status=$?
# 2: some were missed, 3: some ran out of time. Anything else went wrong before.
((status == 0 || status == 2 || status == 3)) || exit "$status"

# Line and column change with every edit; the rest names the mutant.
unaccepted=$(sed -E 's/:[0-9]+:[0-9]+: /: /' "$output/mutants.out/missed.txt" |
    grep -vxFf <(grep -v -e '^#' -e '^$' conformance/mutants-accepted.txt) || true)
if [[ -n $unaccepted ]]; then
    printf 'No cited test fails, and no reason is given:\n%s\n' "$unaccepted"
    exit 1
fi
