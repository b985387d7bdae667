#!/usr/bin/env bash
# Whether the tests of the transport notice when the handling of ICMP errors breaks.
#
#     conformance/icmp-mutants.sh
#
# Builds all mutants at once into a copy of the tree, switches them on one at a time, and runs the unit tests of the
# transport that are about them. About four minutes on two cores. Prints which test fails; ends with status 1 if a
# mutant survives. The tree itself is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never CARGO_PROFILE_DEV_DEBUG=0 PROPTEST_FAILURE_PERSISTENCE=off
output=$(realpath -m "${CARGO_TARGET_DIR:-target}/icmp-mutants")
tree=$output/tree
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$tree"
tests=(undelivered doubt path_mtu multihoming destinations)

names=()
# mutant NAME FILE OLD NEW: replaces OLD, which is there once, in a file of SCTP. In NEW, `broken` is true while this
# mutant is switched on.
mutant() {
    names+=("$1")
    OLD=$3 NEW=${4//broken/crate::mutant(${#names[@]})} perl -0777 -i -pe '
        BEGIN { $old = $ENV{OLD}; $new = $ENV{NEW} }
        $count = () = /\Q$old\E/g; die "$count times: $old\n" if $count != 1; s/\Q$old\E/$new/' \
        "$tree/rserpool-transport/src/sctp/$2"
}

cat >>"$tree/rserpool-transport/src/lib.rs" <<'RUST'
pub(crate) fn mutant(number: usize) -> bool {
    static ON: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *ON.get_or_init(|| std::env::var("MUTANT").unwrap().parse().unwrap()) == number
}
RUST

mutant 'any tag of an association is believed' undelivered.rs \
    'association.peer_tag == header.tag' 'broken || association.peer_tag == header.tag'
mutant 'our own tag is taken for that of the peer' undelivered.rs \
    'let association = stack.associations.get(&id)?;' \
    'let association = stack.associations.get(&id)?; if broken && header.tag != association.local_tag { return None; }'
mutant 'an INIT is believed whatever tag it states' attempt.rs \
    'chunk::first_u32(chunk) == self.local.tag)' 'broken || chunk::first_u32(chunk) == self.local.tag)'
mutant 'the first report is proof' doubt.rs \
    'if secret.is_some() && secret == self.asked {' 'if broken || secret.is_some() && secret == self.asked {'
mutant 'any second report is proof' doubt.rs \
    '&& secret == self.asked {' '&& secret == self.asked || broken && self.asked.is_some() {'
mutant 'every report is a question' doubt.rs 'if now < self.not_before {' 'if !broken && now < self.not_before {'
mutant 'a peer that is heard is doubted on' doubt.rs \
    'pub(super) const fn dispel(&mut self) {' 'pub(super) fn dispel(&mut self) { if broken { return; }'
mutant 'no route ends an association' association/undelivered.rs \
    'Obstacle::NoRoute => false,' 'Obstacle::NoRoute => broken,'
mutant 'one closed address ends the association' association/undelivered.rs \
    'if self.destinations.give_up(index, core.now, &core.config) {' \
    'if !broken && self.destinations.give_up(index, core.now, &core.config) {'
mutant 'the other addresses are not asked' association/undelivered.rs \
    'for other in self.destinations.alive() {' 'for other in self.destinations.alive().into_iter().filter(|_| !broken) {'
mutant 'a failed address is asked again and again' destinations.rs \
    'State::Alive => destination.doubt.report(secret, now, random),' \
    'State::Alive => destination.doubt.report(secret, now, random),
            State::Failed if broken => destination.doubt.report(secret, now, random),'
mutant 'a refused attempt waits for its deadline' attempt.rs \
    'Obstacle::PortClosed => candidate.stage = Stage::Refused,' \
    'Obstacle::PortClosed => if !broken { candidate.stage = Stage::Refused },'
mutant 'no route refuses an attempt' attempt.rs \
    'Obstacle::NoRoute => self.start_next(core),' \
    'Obstacle::NoRoute if broken => candidate.stage = Stage::Refused,
            Obstacle::NoRoute => self.start_next(core),'
mutant 'silly sizes are believed' path_mtu.rs \
    '|| mtu < SMALLEST_MTU ||' '|| (mtu < SMALLEST_MTU && !broken) ||'
mutant 'a lowered size stays for ever' path_mtu.rs \
    'if self.lowered.is_some_and(' 'if !broken && self.lowered.is_some_and('

cargo() {
    CARGO_TARGET_DIR=$output/build command cargo "$1" --quiet --manifest-path "$tree/Cargo.toml" \
        --package rserpool-transport --lib "${@:2}"
}
cargo test --no-run
survived=0
# First without any.
names=('' "${names[@]}")
for number in "${!names[@]}"; do
    name=${names[number]}
    report=$output/$number.txt
    if MUTANT=$number cargo test -- "${tests[@]}" >"$report" 2>&1; then
        found=
    else
        found=$(sed -n 's/^---- .*::\(.*\) stdout ----$/\1/p' "$report" | head -1)
    fi
    if [[ -z $name ]]; then
        [[ -z $found ]] || { echo "without a mutant: $found fails"; exit 1; }
    elif [[ -n $found ]]; then
        echo "$name: noticed by $found"
    else
        echo "$name: SURVIVES; see $report"
        survived=1
    fi
done
exit $survived
