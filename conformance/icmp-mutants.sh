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
source conformance/switched-mutants.sh
copy_tree icmp-mutants
sources=rserpool-transport/src/sctp
tests=(undelivered doubt path_mtu multihoming destinations)

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
try_mutant() {
    cargo test -- "${tests[@]}" >"$2" 2>&1 || sed -n 's/^---- .*::\(.*\) stdout ----$/noticed by \1/p' "$2" | head -1
}
try_mutants
