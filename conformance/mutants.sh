#!/usr/bin/env bash
# Whether tests notice when the code that they are cited for breaks: cargo-mutants changes one place of the
# core at a time, and a unit test that cites a requirement has to fail. Other tests are not run.
#
#     conformance/mutants.sh [SHARD [FILE ...]]
#
# SHARD is a part of all mutants, as cargo-mutants counts them: 0/40 by default, every fortieth from the first
# on; 0/1 for all. FILE is a source file of rserpool-core; by default those in `files` below. Each mutant takes
# a build of the core and its cited unit tests: about 10 s on two idle cores, 15 min for the default.
#
# Prints what was caught and what was not, and how many requirements had a cited test that failed for some
# mutant; mutants.out/fell.txt in the target directory lists them. Ends with status 1 if a mutant survives that
# conformance/mutants-accepted.txt does not list. The tree itself is left alone; what each test said stays in
# mutants.out/log there.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never CARGO_PROFILE_DEV_DEBUG=0 PROPTEST_FAILURE_PERSISTENCE=off
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked
shard=${1:-0/40}
shift || true
core=rserpool-core/src
files=("$@")
((${#files[@]})) || files=(
    $core/wire/{reader,writer,parameter,message,asap,enrp,policy}.rs
    $core/policy/{terms,ring,ranked,lottery}.rs
    $core/handlespace/{mod,pool,checksum,watch}.rs
    "$core/registrar/**/*.rs" "$core/element/*.rs" "$core/user/*.rs" "$core/endpoint/hunt/*.rs"
)
output=$(realpath -m "${CARGO_TARGET_DIR:-target}/conformance-mutants")
mkdir -p "$output"

# Requirements and the unit tests of the core that cite them, a pair on each line.
cargo run --quiet -p conformance -- coverage --json |
    awk -F'"' '/^      "id"/ {id = $4} /^        "rserpool-core\/src\// {sub(/.*::/, "", $2); print $2, id}' |
    sort -u >"$output/cited"
mapfile -t tests < <(cut -d' ' -f1 "$output/cited" | uniq)
echo "${#tests[@]} cited tests"

only=()
for file in "${files[@]}"; do only+=(--file "$file"); done
status=0
CARGO_TARGET_DIR=$output/build cargo mutants --package rserpool-core "${only[@]}" --shard "$shard" --sharding round-robin --jobs 1 --output "$output" \
    --cargo-arg=--lib -- -- "${tests[@]}" || status=$?
# 2: some were missed, 3: some ran out of time. Anything else went wrong before.
((status == 0 || status == 2 || status == 3)) || exit "$status"

# The requirements whose tests fell.
out=$output/mutants.out
sed -n 's/^test \(.*::\)\?\([a-z0-9_]*\) \.\.\. FAILED$/\2/p' "$out"/log/*.log | sort -u |
    join - "$output/cited" | cut -d' ' -f2 | sort -u >"$out/fell.txt"
echo "$(wc -l <"$out/fell.txt") of $(cut -d' ' -f2 "$output/cited" | sort -u | wc -l) requirements with a unit" \
    "test in the core had one that failed"

# Line and column change with every edit; the rest names the mutant.
unaccepted=$(sed -E 's/:[0-9]+:[0-9]+: /: /' "$out/missed.txt" |
    grep -vxFf <(grep -v -e '^#' -e '^$' conformance/mutants-accepted.txt) || true)
if [[ -n $unaccepted ]]; then
    printf 'No cited test fails, and conformance/mutants-accepted.txt has no reason:\n%s\n' "$unaccepted"
    exit 1
fi
