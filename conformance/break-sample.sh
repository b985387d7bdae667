#!/usr/bin/env bash
# Whether tests notice when the code that they are cited for breaks: 40 requirements, every ninth of the
# 358 that were tested when the sample was drawn, from the third on, and two of the transport, which
# that leaves out. Each of them is broken in one place, in a copy of the tree, and one test that cites it
# has to fail. Prints a table; ends with status 1 if a test passes or the sample needs an update.
#
#     conformance/break-sample.sh
#
# All breaks are built at once and switched on one at a time, by a number in the environment: one build,
# then seconds. The tree itself is left alone; the copy, and what each test said, stay in the target
# directory.
set -uo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR CARGO_TERM_COLOR=never
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$CARGO_TARGET_DIR/break-sample
rm -rf "$work"
mkdir -p "$work/tree" "$work/said"
git ls-files -z | xargs -0 cp --parents --target-directory="$work/tree"
requirements=() tests=() stale=0

# sample REQUIREMENT TEST FILE FROM TO: replaces FROM, which must stand in FILE exactly once, by TO, which
# does the same unless BROKEN. The test is named as `conformance coverage --json` names it.
sample() {
    local requirement=$1 test=$2 file=$3 from=$4 to=$5 number text rest broken=crate::broken
    requirements+=("$requirement") tests+=("$test")
    number=${#tests[@]}
    [[ $file == rserpool-core/* ]] || broken=rserpool_core::broken
    text=$(<"$work/tree/$file")
    rest=${text#*"$from"}
    if [[ $text != *"$from"* || $rest == *"$from"* ]]; then
        echo "$requirement does not apply to $file: the script needs an update"
        stale=1
        return
    fi
    to=${to//BROKEN/"$broken($number)"}
    printf '%s\n' "${text/"$from"/"$to"}" >"$work/tree/$file"
}

core=rserpool-core/src
wire=$core/wire registrar=$core/registrar element=$core/element user=$core/user hunt=$core/endpoint/hunt

# A length leaves out the header.
sample PARAM-3-01 conformance/tests/rsplib_vectors/main.rs::encode_again_to_the_same_octets \
    $wire/writer.rs 'self.set_length(start, self.octets.len(), name)' \
    'self.set_length(start, self.octets.len() - if BROKEN { 4 } else { 0 }, name)'
# A parameter 0xc... is skipped without a report.
sample PARAM-3-10 $registrar/tests/garbage.rs::unknown_parameters_are_treated_by_their_high_bits \
    $wire/reader.rs '0b10 => {}' '0b10 => {} 0b11 if BROKEN => {}'
# An element whose association broke is looked for at its TCP transport.
sample PARAM-3.5-02 $registrar/tests/alive.rs::a_transport_that_is_data_only_is_never_asked \
    $registrar/keep_alive.rs 'let peer = own.peer.clone();' \
    'let mut peer = own.peer.clone();
     if let Some(crate::wire::Transport::Tcp { port, .. }) = self.handlespace.get(pe).map(|e| &e.user_transport)
         && BROKEN
     {
         peer.port = *port;
     }'
# No home is written as all ones.
sample PARAM-3.10-03 $wire/tests/parameters.rs::pool_element \
    $wire/parameter.rs 'let numbers = [self.id.0, self.home.0, self.life.0.cast_unsigned()];' \
    'let home = if BROKEN && self.home.0 == 0 { u32::MAX } else { self.home.0 };
     let numbers = [self.id.0, home, self.life.0.cast_unsigned()];'
# The cause quotes the value alone.
sample PARAM-3.12.4-01 $wire/tests/parameters.rs::operation_error \
    $wire/cause.rs 'Self::quoting(CauseCode::INVALID_VALUES, tlv)' \
    'Self::quoting(CauseCode::INVALID_VALUES, if BROKEN { tlv.slice(4..) } else { tlv })'
# An identifier of any length is read.
sample PARAM-3.14-01 $wire/tests/parameters.rs::fixed_lengths \
    $wire/parameter.rs 'inner.end_of_fields("PE Identifier")?;' \
    'if !BROKEN { inner.end_of_fields("PE Identifier")?; }'
# Unknown messages of the reserved types 0xc0 to 0xff are reported.
sample PARAM-4-07 conformance/tests/vectors/main.rs::every_vector_holds \
    $wire/message.rs 'match kind >> 6 {' 'match if BROKEN && kind >> 6 == 3 { 1 } else { kind >> 6 } {'
# Foreign addresses are listed.
sample ASAP-2.2.1-02 $registrar/tests/registration.rs::addresses_of_others_are_left_out_if_they_are_checked \
    $registrar/registration.rs 'verified.keep_addresses(|address| peer.addresses.contains(&address))' \
    'verified.keep_addresses(|address| BROKEN || peer.addresses.contains(&address))'
# The overall policy of an answer is lost.
sample ASAP-2.2.6-01 conformance/tests/rsplib_vectors/main.rs::values_are_those_of_wireshark \
    $wire/asap.rs 'policy: Policy::take(r)?,' 'policy: Policy::take(r)?.filter(|_| !BROKEN),'
# The acknowledgement carries a flag.
sample ASAP-2.2.8-01 $wire/tests/messages.rs::keep_alive \
    $wire/asap.rs 'Writer::new(self.message_type().0, self.flags(), elements)' \
    'Writer::new(
         self.message_type().0,
         self.flags() | u8::from(BROKEN && self.message_type() == AsapType::ENDPOINT_KEEP_ALIVE_ACK),
         elements,
     )'

# It waits for a home instead of hunting for one.
sample ASAP-3.1-01 $element/tests/membership.rs::hunts_registers_and_renews \
    $element/registration.rs 'self.seek(now, None);' 'if !BROKEN { self.seek(now, None); }'
# A home that is lost before it has answered is waited for.
sample ASAP-3.1-10 $element/tests/membership.rs::a_lost_home_leads_to_another \
    $element/home.rs 'Step::Registering { .. } | Step::Registered { .. } => {' \
    'Step::Registering { .. } if BROKEN => {}
     Step::Registering { .. } | Step::Registered { .. } => {'
# Attempts are counted from zero after each hunt.
sample ASAP-3.1-19 $element/tests/membership.rs::attempts_are_counted_across_hunts \
    $element/home.rs 'Step::Seeking => self.register(now),' \
    'Step::Seeking => {
         if BROKEN { self.membership.attempts = 0; }
         self.register(now)
     }'
# An inconsistent transport use has no cause of its own.
sample ASAP-3.1-28 $registrar/tests/registration.rs::a_registration_that_does_not_fit_is_refused_with_its_cause \
    $registrar/registration.rs 'ErrorCause::bare(CauseCode::INCONSISTENT_TRANSPORT_USE)' \
    'ErrorCause::bare(if BROKEN { CauseCode::UNSPECIFIED } else { CauseCode::INCONSISTENT_TRANSPORT_USE })'
# A late request ends the session, instead of being served, as we have chosen, or ignored.
sample ASAP-3.2-07 $element/tests/leave.rs::shutdown_leaves_the_pool_before_it_closes_sessions \
    $element/sessions.rs 'if open.outbound {' \
    'if BROKEN && self.phase != Phase::Running {
         return self.refuse(association);
     }
     if open.outbound {'
# Who waits for an answer waits on when the registrar is lost.
sample ASAP-3.3-05 $user/tests/resolution.rs::a_lost_registrar_is_replaced_when_there_is_a_question \
    $user/registrar.rs 'if !self.resolutions.is_empty() {' 'if !self.resolutions.is_empty() && !BROKEN {'
# An unknown pool has no cause of its own.
sample ASAP-3.3-14 conformance/src/scenarios/resolution.rs::pools_are_resolved \
    $registrar/resolution.rs 'ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE)' \
    'ErrorCause::bare(if BROKEN { CauseCode::UNSPECIFIED } else { CauseCode::UNKNOWN_POOL_HANDLE })'
# A reported element that does not answer stays.
sample ASAP-3.5-06 $registrar/tests/alive.rs::a_reported_element_that_is_dead_is_removed \
    $registrar/keep_alive.rs 'self.own.get(pe).is_some_and(|own| own.asked.is_some())' \
    'self.own.get(pe).is_some_and(|own| own.asked.is_some() && !(BROKEN && !own.reporters.is_empty()))'
# Of an announcement with several registrars only the first has its T7 restarted.
sample ASAP-3.6-04 $hunt/tests.rs::t7_restarts_for_all_that_are_announced \
    $hunt/known.rs 'registrars.retain(|registrar| (tcp || !registrar.is_tcp()) && self.refresh(now, outdate, registrar));' \
    'let first = registrars.first().cloned();
     registrars.retain(|registrar| {
         (tcp || !registrar.is_tcp())
             && (BROKEN && first.as_ref() != Some(registrar) && self.heard.contains_key(registrar)
                 || self.refresh(now, outdate, registrar))
     });'
# T5 doubles without end.
sample ASAP-3.6-13 $hunt/tests.rs::t5_doubles_up_to_its_bound_and_other_registrars_come_first \
    $hunt/mod.rs 'min(self.config.timeout_max)' \
    'min(if BROKEN { Duration::MAX } else { self.config.timeout_max })'
# ASAP_ENDPOINT_UNREACHABLE is ignored.
sample ASAP-4-03 $registrar/tests/garbage.rs::messages_for_a_registrar_are_supported \
    $registrar/keep_alive.rs 'self.counters.unreachable_reports += 1;' \
    'if BROKEN { return; }
     self.counters.unreachable_reports += 1;'
# A user keeps to the order in which it was told the elements.
sample ASAP-6.5.2.1-01 $user/tests/sessions.rs::sessions_take_turns \
    $user/cache.rs 'let Some(selection) = &mut pool.selection else {' \
    'let Some(selection) = pool.selection.as_mut().filter(|_| !BROKEN) else {'
# T3 is 10 s.
sample ASAP-7.1-03 $element/tests/membership.rs::the_defaults_are_those_of_the_rfc \
    $element/config.rs 'deregistration_timeout: Duration::from_secs(30),' \
    'deregistration_timeout: Duration::from_secs(if BROKEN { 10 } else { 30 }),'
# A registrar is asked over TCP on the port of TLS.
sample ASAP-8.2-01 rserpool-tokio/src/bin/rserpool/settings/places.rs::a_registrar_may_be_reached_by_tcp \
    rserpool-tokio/src/bin/rserpool/settings/places.rs 'Some(place) => (Carrier::Tcp, place, ASAP_PORT),' \
    'Some(place) => (Carrier::Tcp, place, if BROKEN { 3864 } else { ASAP_PORT }),'

# Server Information comes before the checksum.
sample ENRP-2.1-01 $wire/tests/messages.rs::presence \
    $wire/enrp.rs 'Self::Presence { checksum, server, .. } => {' \
    'Self::Presence { checksum, server, .. } if BROKEN => {
         server.as_ref().map_or(Ok(()), |server| server.write(w))?;
         checksum.map_or(Ok(()), |checksum| write_checksum(w, checksum))
     }
     Self::Presence { checksum, server, .. } => {'
# A pool entry without an element is read.
sample ENRP-2.3-03 $wire/tests/messages.rs::handle_table \
    $wire/enrp.rs 'if elements.is_empty() {' 'if elements.is_empty() && !BROKEN {'
# The acknowledgement names no target.
sample ENRP-2.8-01 $wire/tests/messages.rs::takeover_and_error \
    $wire/enrp.rs 'w.u32(target.0);' \
    'if !(BROKEN && matches!(self, Self::InitTakeoverAck { .. })) { w.u32(target.0); }'
# A mentor that is silent is waited for.
sample ENRP-3.2.2.2-02 $registrar/tests/enrp/joining.rs::a_silent_mentor_is_replaced_by_a_backup \
    $registrar/enrp/join.rs 'self.deadlines.set(Timer::Join, now + self.config.enrp.max_time_no_response);' \
    'if !BROKEN { self.deadlines.set(Timer::Join, now + self.config.enrp.max_time_no_response); }'
# Pools from a table are round robin.
sample ENRP-3.2.3-05 $registrar/tests/enrp/joining.rs::a_downloaded_table_is_merged \
    $registrar/enrp/join.rs 'self.enter(now, sender, &pe, element);' \
    'let policy = if BROKEN { crate::wire::Policy::RoundRobin } else { element.policy.clone() };
     self.enter(now, sender, &pe, crate::wire::PoolElement { policy, ..element });'
# What goes to all names us as the receiver.
sample ENRP-3.3.1-02 $registrar/tests/enrp/updates.rs::registrations_are_told_to_all_peers \
    $registrar/enrp/mod.rs 'self.encode_enrp(RegistrarId::NONE, body)' \
    'self.encode_enrp(if BROKEN { self.id } else { RegistrarId::NONE }, body)'
# An ENRP_ERROR makes nobody a peer.
sample ENRP-3.4.1-01 $registrar/tests/enrp/peers.rs::any_message_makes_a_peer \
    $registrar/enrp/mod.rs 'if sender != RegistrarId::NONE && !self.meet(now, from, sender) {' \
    'if sender != RegistrarId::NONE
         && !(BROKEN && matches!(body, EnrpBody::Error { .. }))
         && !self.meet(now, from, sender)
     {'
# The first acknowledgement wins a takeover.
sample ENRP-3.5.1-03 $registrar/tests/enrp/takeover.rs::a_dead_peer_is_taken_over \
    $registrar/enrp/takeover.rs 'takeover.waiting.remove(&sender) && takeover.waiting.is_empty()' \
    'takeover.waiting.remove(&sender) && (BROKEN || takeover.waiting.is_empty())'
# The winner keeps its target among its peers.
sample ENRP-3.5.2-02 rserpool-sim-driver/tests/takeover.rs::a_hundred_elements_have_a_new_home_when_their_registrar_dies \
    $registrar/enrp/takeover.rs 'self.group_cast(EnrpBody::TakeoverServer { target });
        self.forget_peer(now, target);' \
    'self.group_cast(EnrpBody::TakeoverServer { target });
     if !BROKEN { self.forget_peer(now, target); }'
# The last octet of a handle of odd length is taken for a low one.
sample ENRP-3.6.2-01 conformance/tests/vectors/main.rs::checksums_are_those_of_the_vectors \
    $core/handlespace/checksum.rs 'u64::from(*high) << 8' 'u64::from(*high) << (if BROKEN { 0 } else { 8 })'
# What is still marked after the last page stays.
sample ENRP-3.6.3-05 $registrar/tests/enrp/audit.rs::a_difference_is_put_right \
    $registrar/enrp/audit.rs 'self.handlespace.remove(&pe);' 'if !BROKEN { self.handlespace.remove(&pe); }'

# A load of 100 % is 2^32 parts, which does not fit.
sample POL-3.1-01 $wire/policy_text.rs::fractions_convert_without_loss \
    $wire/policy_text.rs 'u32::try_from(decimal * u128::from(u32::MAX) / scale)' \
    'u32::try_from(decimal * (u128::from(u32::MAX) + u128::from(BROKEN)) / scale)'
# Weights do not count in weighted round robin.
sample POL-4.2.2-01 $core/policy/tests.rs::weighted_round_robin_is_in_proportion \
    $core/policy/terms.rs 'Policy::WeightedRoundRobin { weight } => Self::Rounds { weight },' \
    'Policy::WeightedRoundRobin { weight } => Self::Rounds { weight: if BROKEN { weight.min(1) } else { weight } },'
# An element may be drawn twice for one answer.
sample POL-4.4.2-02 $core/policy/tests.rs::every_policy_keeps_to_the_rules \
    $core/policy/lottery.rs 'if chosen {' 'if chosen && !BROKEN {'
# A re-registration leaves the degradation as it is.
sample POL-5.2.2-01 $core/policy/tests.rs::least_used_with_degradation \
    $core/policy/ranked.rs '(Some(old), Terms::Rounds { weight }) if old.step == weight => return,' \
    '(Some(old), Terms::Rounds { weight }) if old.step == weight => return,
     (Some(old), Terms::Rank { degradation: Some(step), .. }) if BROKEN && old.step == step => return,'
# 0x40000000 is read as a policy.
sample POL-7.1-02 $wire/tests/parameters.rs::invalid_policies_are_reported \
    $wire/policy.rs 'if kind.is_invalid() {' 'if kind.is_invalid() && !(BROKEN && kind.0 != 0) {'

# A message that comes over TCP in two pieces is passed on before the second is there.
sample ASAP-2.1-02 $core/transport/tcp/tests.rs::a_client_asks_is_answered_and_leaves \
    $core/transport/tcp/frames.rs 'let padded = length.next_multiple_of(4);' \
    'let padded = length.next_multiple_of(4);
     let padded = if BROKEN { padded.min(self.octets.len()) } else { padded };'
# A registrar accepts TCP on the number of the UDP port.
sample ASAP-3.3-10 $core/driver/tcp.rs::tcp_has_its_standard_port_where_sctp_has \
    $core/driver/tcp.rs 'SocketAddr::new(udp.ip(), ASAP_PORT))' \
    'SocketAddr::new(udp.ip(), if BROKEN { DEFAULT_ENCAPSULATION_PORT } else { ASAP_PORT }))'

cat >>"$work/tree/$core/lib.rs" <<'RUST'

/// Whether this break is switched on.
pub fn broken(number: usize) -> bool {
    static ON: std::sync::LazyLock<Option<usize>> =
        std::sync::LazyLock::new(|| std::env::var("BREAK").ok()?.parse().ok());
    *ON == Some(number)
}
RUST

packages=(-p rserpool-core -p rserpool-sim-driver -p rserpool-tokio -p conformance)
targets=(--lib --bin rserpool --test vectors --test rsplib_vectors --test virtual_time --test takeover)
if ! (cd "$work/tree" && cargo test --no-run "${packages[@]}" "${targets[@]}") >"$work/built" 2>&1; then
    grep -A 8 '^error' "$work/built"
    exit 1
fi
# Requirements and the tests that cite them, a pair on each line.
"$CARGO_TARGET_DIR/debug/conformance" coverage --json |
    awk -F'"' '/^      "id"/ {id = $4} /^        "/ {print id, $2}' >"$work/cited"

# The program that holds a test, and the test's name there.
find_test() {
    local path=${1%%::*} name=${1##*::} module='' target program
    case $path in
    conformance/src/scenarios/*) target=virtual_time ;;
    rserpool-tokio/src/bin/rserpool/*) target=rserpool module=${path#rserpool-tokio/src/bin/rserpool/} ;;
    rserpool-core/src/*) target=rserpool_core module=${path#rserpool-core/src/} ;;
    */tests/*) target=${path#*/tests/} target=${target%/main.rs} target=${target%.rs} ;;
    esac
    module=${module%.rs}
    module=${module//\//::}
    program=$(sed -n "s|^ *Executable .*(\(.*/deps/$target-[0-9a-f]*\))$|\1|p" "$work/built")
    echo "$program" "$("$program" --list 2>/dev/null | sed -En "s/^(($module::)?(tests::)?$name): test$/\1/p")"
}

failed=0
for at in "${!tests[@]}"; do
    number=$((at + 1)) requirement=${requirements[at]} test=${tests[at]} said=$work/said/$((at + 1))
    read -r program name < <(find_test "$test")
    run=(timeout 120 "$program" --exact "$name")
    if [[ -z $name ]]; then
        outcome="THERE IS NO SUCH TEST"
    elif ! grep -qxF "$requirement $test" "$work/cited"; then
        outcome="DOES NOT CITE IT"
    elif ! BREAK=0 "${run[@]}" >"$said" 2>&1; then
        outcome="FAILS WITHOUT THE BREAK"
    elif BREAK=$number "${run[@]}" >"$said" 2>&1; then
        outcome="PASSES"
    else
        failed=$((failed + 1))
        place=$(sed -n 's/.* panicked at \(.*\):$/\1/p' "$said" | head -n 1)
        outcome="fails as it must: ${place:-no end in 120 s}"
    fi
    printf '%-16s %-80s %s\n' "$requirement" "${test/rserpool-core\/src/core}" "$outcome"
done
echo "$failed of ${#tests[@]} fail as they must"
((stale == 0 && failed == ${#tests[@]}))
