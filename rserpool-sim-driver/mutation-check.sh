#!/usr/bin/env bash
# Whether the simulated worlds notice bugs: puts ten of them into a copy of the tree, one at a time,
# builds it, and lets `rserpool-sim explore` look for a violation. Prints a table of what was found
# with which seed; ends with status 1 if fewer than nine were.
#
#     rserpool-sim-driver/mutation-check.sh [SEEDS [MINUTES]]
#
# SEEDS (default 10000) and MINUTES (default 10) bound the search for each. The tree itself is left
# alone; the copy is in a temporary directory that is removed at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-10000}
minutes=${2:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR="$work/target" CARGO_TERM_COLOR=never
registrar=rserpool-core/src/registrar
found=0 total=0

# mutant NAME FILE FROM TO: replaces FROM, which must stand in FILE exactly once, by TO.
mutant() {
    local name=$1 file=$2 from=$3 to=$4 text rest outcome seed
    total=$((total + 1))
    git ls-files -z | xargs -0 cp --parents --target-directory="$work/tree"
    text=$(<"$work/tree/$file")
    rest=${text#*"$from"}
    if [[ $text != *"$from"* || $rest == *"$from"* ]]; then
        outcome="does not apply to $file: the script needs an update"
    else
        printf '%s\n' "${text/"$from"/"$to"}" >"$work/tree/$file"
        if ! (cd "$work/tree" && cargo build --release --quiet -p rserpool-sim-driver) >"$work/log" 2>&1; then
            outcome="does not build: $(grep -m 1 '^error' "$work/log")"
        else
            "$CARGO_TARGET_DIR/release/rserpool-sim" explore --seeds "0..$seeds" --minutes "$minutes" \
                >"$work/log" 2>&1
            seed=$(grep -m 1 -o '^seed [0-9]*: [^:]*' "$work/log")
            if [[ -n $seed ]]; then
                found=$((found + 1))
                outcome="found by $seed"
            else
                outcome="NOT found in $(grep -o '^[0-9]* seeds' "$work/log")"
            fi
        fi
    fi
    printf '%-44s %s\n' "$name" "$outcome"
}

mkdir "$work/tree"
mutant "updates of registrations are lost" $registrar/registration.rs \
    'if !silent {' 'if false && !silent {'
mutant "a takeover without arbitration" $registrar/enrp/takeover.rs \
    'filter(|(_, peer)| alive(peer)).map(' 'filter(|(_, peer)| alive(peer) && false).map('
mutant "a takeover goes on when its target lives" $registrar/enrp/takeover.rs \
    'if self.end_takeover(id) {' 'if false {'
mutant "who takes over does not watch its elements" $registrar/enrp/takeover.rs \
    'self.adopt(now, &pe);' 'let _ = (now, pe);'
mutant "the checksum forgets an element" rserpool-core/src/handlespace/mod.rs \
    'self.checksums.entry(home).or_default().add(handle, id);' \
    'if id.0 % 16 != 0 { self.checksums.entry(home).or_default().add(handle, id); }'
mutant "the keep-alive timer is not armed again" $registrar/keep_alive.rs \
    'self.handlespace.watch(pe, now + wait);' 'let _ = wait; self.handlespace.unwatch(pe);'
mutant "the cursor of a download stays at the end" $registrar/enrp/table.rs \
    'last.filter(|_| more).map(' 'last.map('
mutant "DEL_PE is obeyed from anyone" $registrar/enrp/update.rs \
    'Some(element) if element.home == sender => {' 'Some(_) => {'
mutant "both yield an element that two claim" $registrar/enrp/ownership.rs \
    'if own.offered.is_some() || self.id < by {' 'if own.offered.is_some() || self.id != by {'
mutant "an audit sweeps before its last page" $registrar/enrp/audit.rs \
    'self.ask_for_more_pages(sender, true);' 'self.sweep(now, sender);'

echo "$found of $total found"
((found >= 9))
