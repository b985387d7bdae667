#!/usr/bin/env bash
# Whether the simulated worlds notice bugs: cargo-mutants changes one place of the registrar at a time, and a
# drawn world, or a kept plan, has to violate an invariant.
#
#     rserpool-sim-driver/mutants.sh [SHARD [FILE ...]]
#
# SHARD is a part of all mutants, as cargo-mutants counts them: 0/40 by default, every fortieth from the first
# on; 0/1 for all. FILE is a source file of rserpool-core; by default what moves elements and registrars (see
# `files`). Each mutant takes a build of the core and the simulator, and up to 200 worlds
# (RSERPOOL_SIM_SEEDS=A..B for others): about 40 s on two idle cores.
#
# Prints what was caught and what was not, and the sums. Worlds do not look at everything: what a registrar
# counts (every += is left out), what it refuses, and where its bounds are is for the unit tests
# (conformance/mutants.sh). Therefore it ends with status 1 only if less than PERCENT (default 40) of the
# mutants that build are found. The tree itself is left alone; what each test said stays in mutants.out in the
# target directory.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=1
export RSERPOOL_SIM_SEEDS=${RSERPOOL_SIM_SEEDS:-0..200}
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked
shard=${1:-0/40}
shift || true
files=("$@")
core=rserpool-core/src
((${#files[@]})) || files=(
    $core/handlespace/{mod,pool,watch,checksum}.rs
    $core/registrar/{asap,elements,former,links,listing,registration,resolution}.rs
    "$core/registrar/own/*.rs" "$core/registrar/enrp/*.rs"
)
output=$(realpath -m "${CARGO_TARGET_DIR:-target}/sim-mutants")
mkdir -p "$output"
export CARGO_TARGET_DIR=$output/build
worlds=(--include-ignored many_worlds worlds_that_have)

# Without a mutant the worlds must be sound.
cargo test --quiet --package rserpool-sim-driver --test exploration -- "${worlds[@]}"

only=()
for file in "${files[@]}"; do only+=(--file "$file"); done
status=0
cargo mutants --package rserpool-core "${only[@]}" --shard "$shard" --sharding round-robin --jobs 1 --output "$output" \
    --exclude-re "replace \+= with" \
    --test-package rserpool-sim-driver --cargo-arg=--test=exploration --baseline skip --timeout 120 \
    -- -- "${worlds[@]}" || status=$?
# 2: some were missed, 3: some ran out of time. Anything else went wrong before.
((status == 0 || status == 2 || status == 3)) || exit "$status"

count() { wc -l <"$output/mutants.out/$1.txt"; }
found=$(($(count caught) + $(count timeout)))
all=$((found + $(count missed)))
echo "$found of $all mutants found, $(count unviable) do not build"
((found * 100 >= all * ${PERCENT:-40}))
