#!/usr/bin/env bash
# Whether simulated worlds notice when what sessions carry, or what users are told of pools, breaks: cookies, requests
# that are sent again, calls, subscriptions.
#
#     conformance/session-mutants.sh [SEEDS]
#
# Builds all mutants at once into a copy of the tree, switches them on one at a time, and explores that many seeds from 0
# on, 600 by default, until one is violated. About five minutes on two idle cores. Prints which invariant was violated
# and by which seed; ends with status 1 if a mutant survives. The tree itself is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
seeds=${1:-600}
source conformance/switched-mutants.sh
copy_tree session-mutants
sources=rserpool-core/src

cat >>"$tree/rserpool-core/src/lib.rs" <<'RUST'
/// The mutant that is switched on.
pub static MUTANT: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
pub(crate) fn mutant(number: usize) -> bool {
    MUTANT.load(core::sync::atomic::Ordering::Relaxed) == number
}
RUST
OLD='fn main() -> ExitCode {' perl -0777 -i -pe \
    's/\Q$ENV{OLD}\E/$ENV{OLD}\n    let on = std::env::var("MUTANT").unwrap().parse().unwrap();\n    rserpool_core::MUTANT.store(on, std::sync::atomic::Ordering::Relaxed);/' \
    "$tree/rserpool-sim-driver/src/bin/rserpool-sim/main.rs"

mutant 'a session keeps its first cookie' user/handover.rs \
    'self.cookie = Some(Bytes::copy_from_slice(cookie));' \
    'if !(broken && self.cookie.is_some()) { self.cookie = Some(Bytes::copy_from_slice(cookie)); }'
mutant 'no cookie is handed over' user/sessions/control.rs \
    'let (Some(serving), Some(cookie)) = (session.serving(), session.handover().cookie()) else {' \
    'let (Some(serving), Some(cookie)) = (session.serving(), session.handover().cookie().filter(|_| !broken)) else {'
mutant 'requests come before the cookie' user/sessions.rs \
    $'let cookie_echoed = self.hand_over(turn.context, id);\n                self.give_due_card(turn.context, id);\n                let resent = self.send_unanswered(turn.now, turn.context, id);' \
    $'let early = if broken { Some(self.send_unanswered(turn.now, turn.context, id)) } else { None };\n                let cookie_echoed = self.hand_over(turn.context, id);\n                self.give_due_card(turn.context, id);\n                let resent = early.unwrap_or_else(|| self.send_unanswered(turn.now, turn.context, id));'
mutant 'a cookie goes to the first session of the user' user/sessions/control.rs \
    'session.handover_mut().keep_cookie(cookie);' \
    'let to = if broken { self.sessions.keys().next().copied().unwrap_or(id) } else { id }; if let Some(session) = self.sessions.get_mut(&to) { session.handover_mut().keep_cookie(cookie); }'
mutant 'requests are not sent again' user/sessions.rs \
    'context.outbox.act(Action::Send { association, protocol, stream: 0, bytes });
        }
        context.counters.messages_resent' \
    'if !(broken && due.again) { context.outbox.act(Action::Send { association, protocol, stream: 0, bytes }); }
        }
        context.counters.messages_resent'
mutant 'a question that no registrar answers leaves what is known unused' user/sessions.rs \
    'let usable = matches!(outcome, Ok(()) | Err(UserError::NoRegistrar { .. }));' \
    'let usable = matches!(outcome, Ok(())) || !broken && matches!(outcome, Err(UserError::NoRegistrar { .. }));'
mutant 'a call whose failure is told is sent again' user/requests.rs \
    'OnFailure::Report if kept.deliveries > 0 => {' 'OnFailure::Report if kept.deliveries > 0 && !broken => {'
mutant 'a call to be carried out once is sent again as if it were new' user/requests.rs \
    '&& frame.kind == CallKind::OnceRequest' '&& frame.kind == CallKind::OnceRequest && !broken'
mutant 'a call ends with the answer to another one' user/sessions/calls.rs \
    'let request = RequestId(frame.call.number);' \
    'let request = RequestId(if broken { self.calls.keys().next().map_or(0, |(_, first)| first.0) } else { frame.call.number });'
mutant 'an answered call is kept' user/sessions/calls.rs \
    'session.forget(request);' 'if !broken { session.forget(request); }'
mutant 'sessions of different users share a name' user/session.rs \
    'random.next_u64())' 'if broken { 1 } else { random.next_u64() })'
mutant 'the order of cards is not used' user/sessions/control.rs \
    'let preferred = session.handover().preferred(session.handle());' \
    'let preferred = if broken { &[][..] } else { session.handover().preferred(session.handle()) };'
mutant 'an element that has failed stays preferred' user/handover.rs \
    'if let Some(card) = &mut self.card {' 'if let Some(card) = self.card.as_mut().filter(|_| !broken) {'
mutant 'changes within the interval are not told' registrar/subscriptions.rs \
    'ctx.deadlines.set(Timer::Subscription(handle.clone(), to), at);' \
    'if !broken { ctx.deadlines.set(Timer::Subscription(handle.clone(), to), at); }'
mutant 'a subscription ends with its first update' registrar/subscriptions.rs \
    '== Answered::UnknownPool {' '== Answered::UnknownPool || broken {'
mutant 'who has left a pool is no news' registrar/listing.rs \
    'if self.followed.contains(&pe.pool) {' 'if self.followed.contains(&pe.pool) && !broken {'
mutant 'who has come into a pool is no news' registrar/listing.rs \
    'self.followed.contains(&pe.pool) && !self.handlespace.get(pe).is_some_and(same)' \
    '!broken && self.followed.contains(&pe.pool) && !self.handlespace.get(pe).is_some_and(same)'
mutant 'the next registrar is not asked to tell of changes' user/resolution.rs \
    'for handle in self.watches.handles() {' \
    'for handle in self.watches.handles().into_iter().filter(|_| !broken) {'
mutant 'a pool that has vanished is not looked for again' user/resolution.rs \
    'context.deadlines.set(Timer::Watch(handle.clone()), now + again);' \
    'if !(broken && result.is_err()) { context.deadlines.set(Timer::Watch(handle.clone()), now + again); }'
mutant 'updates are no news' user/watches.rs \
    '(watch.told.as_ref() != Some(&now)).then(|| watch.told = Some(now))' \
    '(watch.told.as_ref() != Some(&now) && !(broken && watch.told.is_some())).then(|| watch.told = Some(now))'

# Without link-time optimisation, which takes minutes.
CARGO_PROFILE_SIM_LTO=off CARGO_PROFILE_SIM_CODEGEN_UNITS=16 CARGO_TARGET_DIR=$output/build cargo build --quiet --manifest-path "$tree/Cargo.toml" --profile sim \
    --package rserpool-sim-driver --bin rserpool-sim
try_mutant() {
    "$output/build/sim/rserpool-sim" explore --seeds "0..$seeds" --save "$output/$1.plan" >"$2" 2>&1 ||
        grep -m 1 -E 'violat|panicked' "$2" || tail -n 1 "$2"
}
try_mutants
