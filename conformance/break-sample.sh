#!/usr/bin/env bash
# Breaks the core in the ways that cited tests once did not notice, one at a time; after each, a unit test that cites
# the requirement has to fail. (conformance/mutants.sh breaks it in many small ways, but not in these.)
#
#     conformance/break-sample.sh [REQUIREMENT ...]
#
# Prints a line for each, and ends with status 1 if one is not noticed, or cannot be applied any longer: then the code
# has changed, and its place here has to be changed with it. The tree itself is left alone: all of this happens in
# a copy in the target directory. Each takes a build of the core and its unit tests, some 10 s on two idle cores.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never CARGO_PROFILE_DEV_DEBUG=0 PROPTEST_FAILURE_PERSISTENCE=off
output=$(realpath -m "${CARGO_TARGET_DIR:-target}/conformance-breaks")
tree=$output/tree
mkdir -p "$tree"

# Requirements and the unit tests of the core that cite them, a pair on each line.
cargo run --quiet -p conformance -- coverage --json |
    awk -F'"' '/^      "id"/ {id = $4} /^        "rserpool-core\/src\// {sub(/.*::/, "", $2); print id, $2}' |
    sort -u >"$output/cited"
git ls-files -z | tar --create --null --files-from=- | tar --extract --directory="$tree"
# The dependencies are those that have been built for the tree.
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR
# Cargo would take the broken tests for those of the tree.
trap 'rm -f "$CARGO_TARGET_DIR"/debug/.fingerprint/rserpool-core-*/test-lib-rserpool_core' EXIT

wanted=("$@")
missed=0

# sample REQUIREMENT FILE OLD NEW [FILE OLD NEW ...]: replaces OLD, which is there once, in each file of the core.
sample() {
    local requirement=$1 file
    shift
    if ((${#wanted[@]})) && [[ ! " ${wanted[*]} " == *" $requirement "* ]]; then return; fi
    local files=()
    while (($#)); do
        file=rserpool-core/src/$1
        if [[ " ${files[*]-} " != *" $file "* ]]; then
            files+=("$file")
            cp "$tree/$file" "$tree/$file.whole"
        fi
        if ! OLD=$2 NEW=$3 perl -0777 -i -pe '
            BEGIN { $old = $ENV{OLD}; $new = $ENV{NEW} }
            $count = () = /\Q$old\E/g; die "$count times: $old\n" if $count != 1; s/\Q$old\E/$new/' \
            "$tree/$file" 2>"$output/why"; then
            echo "$requirement: cannot be applied to $file"
            cat "$output/why"
            missed=1
        fi
        shift 3
    done
    local tests
    mapfile -t tests < <(awk -v id="$requirement" '$1 == id {print $2}' "$output/cited")
    if ! cargo test --quiet --manifest-path "$tree/Cargo.toml" -p rserpool-core --lib --no-run \
        >"$output/$requirement.log" 2>&1; then
        echo "$requirement: what is broken does not compile; see $output/$requirement.log"
        missed=1
    elif cargo test --quiet --manifest-path "$tree/Cargo.toml" -p rserpool-core --lib -- "${tests[@]}" \
        >"$output/$requirement.log" 2>&1; then
        echo "$requirement: NOT NOTICED by ${tests[*]}"
        missed=1
    else
        echo "$requirement: noticed by $(sed -n 's/^test result.* \([0-9]*\) failed.*/\1/p' "$output/$requirement.log") of ${#tests[@]}"
    fi
    for file in "${files[@]}"; do mv "$tree/$file.whole" "$tree/$file"; done
}

# A flag without a meaning switches one that has one off.
sample PARAM-4-02 \
    wire/asap.rs 'let flag = flags & message::FLAG_0 != 0;' 'let flag = flags == message::FLAG_0;'
sample PARAM-4-02 \
    wire/enrp.rs 'let (flag, more) = (flags & message::FLAG_0 != 0, flags & message::FLAG_1 != 0);' \
    'let (flag, more) = (flags == message::FLAG_0, flags == message::FLAG_1);'
# The peers are not told that a life has ended.
sample ASAP-3.2-12 \
    registrar/removal.rs $'listing.publish(ctx, pe, change, Update::Sent);\n    }\n    if let Some(registrant)' \
    $'listing.publish(ctx, pe, change, if reason == RemovalReason::Expired { Update::Needless } else { Update::Sent });\n    }\n    if let Some(registrant)'
# An answer with elements is positive, although it has an Operation Error.
sample ASAP-2.2.6-07 \
    user/mod.rs 'let answer = error.map_or_else(' 'let answer = error.filter(|_| elements.is_empty()).map_or_else('
# Only the first of those that are listed counts as selected.
sample POL-5.2.2-01 \
    policy/ranked.rs $'for _ in listed {\n                self.order.pop_best();' $'for _ in &listed[..1] {\n                self.order.pop_best();' \
    policy/ranked.rs $'for slot in listed {\n                let new' $'for slot in &listed[..1] {\n                let new'
sample POL-5.2.2-02 \
    policy/ranked.rs $'for _ in listed {\n                self.order.pop_best();' $'for _ in &listed[..1] {\n                self.order.pop_best();' \
    policy/ranked.rs $'for slot in listed {\n                let new' $'for slot in &listed[..1] {\n                let new'
# The home that an element states is kept.
sample ASAP-3.1-24 \
    registrar/registration.rs '    element.home = ctx.id;' \
    '    if element.home == crate::base::RegistrarId::NONE { element.home = ctx.id; }'
# Peers without an association are left out of the list.
sample ENRP-3.2.2.2-03 \
    registrar/enrp/peers.rs '!rejected && **id != sender);' \
    '!rejected && **id != sender && ctx.group.contains_key(id));'
# A re-registration is not checked.
sample ASAP-3.1-23 \
    handlespace/mod.rs 'pool.check(&element).map_err(AdmissionError::Inconsistent)?;' \
    'if pool.slot(id).is_none() { pool.check(&element).map_err(AdmissionError::Inconsistent)?; }'
# The ASAP transport that an element states is believed.
sample ASAP-3.1-25 \
    registrar/registration.rs '    element.asap_transport = Some(SctpTransport {' '    let seen = Some(SctpTransport {' \
    registrar/registration.rs '    element.encapsulation = Some(EncapsulationPorts { user, asap: peer.udp_port.0 });' \
    '    element.asap_transport = element.asap_transport.take().or(seen);
    element.encapsulation = Some(EncapsulationPorts { user, asap: peer.udp_port.0 });'
# Peers are told of a registration that is refused.
sample ASAP-3.1-30 \
    registrar/registration.rs '    let life = element.life;
    let stated = ctx' '    let (life, refused) = (element.life, element.clone());
    let stated = ctx' \
    registrar/registration.rs 'Err(cause) => return answers::reject(ctx, links, (from, answers), pe, cause),' \
    'Err(cause) => { elements.listing.publish(ctx, pe, Change::Removed(refused), Update::Sent); return answers::reject(ctx, links, (from, answers), pe, cause) }'
# A deregistration is refused without an error.
sample ASAP-3.2-11 \
    registrar/answers.rs 'deregistration(ctx, to, pe, Some(cause));' 'deregistration(ctx, to, pe, Some(cause).filter(|_| false));'
# A keep-alive without the H flag changes the home.
sample ASAP-3.4-04 \
    element/registrar.rs '            _ if wants_home => Claim::Adopt,
            Some(_) => Claim::None,' '            Some(_) => Claim::Adopt,' \
    element/registrar.rs '        wants_home: bool,' '        _: bool,'
# That an association is silent is not reported.
sample ASAP-3.5-01 \
    user/sessions.rs 'FailureReason::Disconnected(DownReason::Silent | DownReason::Violation) => true,' \
    'FailureReason::Disconnected(DownReason::Violation) => true,'
# If no element has a weight, none is listed.
sample ASAP-2.2.6-06 \
    policy/lottery.rs '_ if self.span == 0 => self.draw_idle(random, count, selected),' '_ if self.span == 0 => {}'
# A table resets the degradation of elements that it names.
sample POL-5.2.2-02 \
    registrar/listing.rs 'Word::Listed => self.handlespace.amend(&pe.pool, element),' \
    'Word::Listed => self.handlespace.admit(&pe.pool, element),'
# The first cookie stays.
sample ASAP-3.8-02 \
    user/handover.rs 'self.cookie = Some(Bytes::copy_from_slice(cookie));' \
    'self.cookie.get_or_insert_with(|| Bytes::copy_from_slice(cookie));'
# The cookie comes behind the requests that are sent again.
sample ASAP-3.8-03 \
    user/sessions.rs 'let cookie_echoed = self.hand_over(turn.context, id);' '' \
    user/sessions.rs 'let resent = self.send_unanswered(turn.now, turn.context, id);' \
    'let resent = self.send_unanswered(turn.now, turn.context, id);
                let cookie_echoed = self.hand_over(turn.context, id);'
# An empty cookie is none.
sample ASAP-3.8-04 \
    user/sessions/control.rs 'session.handover().cookie()) else {' \
    'session.handover().cookie().filter(|cookie| !cookie.is_empty())) else {'
# What does not verify is believed.
sample ASAP-3.8-05 \
    element/context.rs 'Some(seal) => seal.get().open(&self.config.handle, cookie),' \
    'Some(seal) => seal.get().open(&self.config.handle, cookie).or_else(|_| Ok(cookie.clone())),'
# A card counts although there is no control channel.
sample ASAP-3.9-03 \
    user/sessions/control.rs 'session.has_control_channel()) else {
            turn.context.counters.unexpected += 1;' 'session.has_control_channel() || true) else {
            turn.context.counters.unexpected += 1;'
# The first card stays.
sample ASAP-3.9-04 \
    user/handover.rs 'self.card = Some(Card { handle, elements });' 'self.card.get_or_insert(Card { handle, elements });'
# Nobody asks for the pool of a card.
sample ASAP-3.9-05 \
    user/sessions/control.rs '!turn.resolver.is_known(&handle)' 'turn.resolver.is_known(&handle)'
# The elements of the card are tried last.
sample ASAP-3.9-06 \
    user/sessions/control.rs 'candidates.push_front(element);' 'candidates.push_back(element);'
# Updates are promised of a pool that does not exist.
sample ASAP-2.2.5-04 \
    registrar/subscriptions.rs 'if listing.pool(handle).is_none() {' \
    'if listing.pool(handle).is_none() && self.count == usize::MAX {'
# There is always room for a subscription.
sample ASAP-2.2.6-02 \
    registrar/subscriptions.rs 'if !known && full {' 'if !known && full && self.count == usize::MAX {'
# Every change is told at once.
sample ASAP-2.2.5-02 \
    registrar/subscriptions.rs 'if at <= ctx.now {' 'if at <= ctx.now || at > ctx.now {'
exit $missed
