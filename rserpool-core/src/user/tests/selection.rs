//! Which element a session gets: by the policy of the pool, from the cache.

use super::*;

/// Opens sessions of one user, one after the other, whose elements accept at once. An element that has left does
/// not answer. Counts the sessions of each element.
struct Spread {
    user: User,
    now: u64,
    associations: u64,
    left: Vec<u32>,
}

impl Spread {
    fn new(values: &[(u32, Policy)]) -> Self {
        let mut config = config(&[1]);
        config.max_sessions = 10_000;
        config.cache_life = ms(1_000_000);
        let mut user = User::new(config);
        command(&mut user, 0, 1, Command::Resolve(Resolve::new("pool".into())));
        event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
        let elements: Vec<PoolElement> = values
            .iter()
            .map(|(id, policy)| PoolElement { policy: policy.clone(), ..element(*id) })
            .collect();
        let policy = values.first().map(|(_, policy)| policy.clone());
        let message = AsapMessage::HandleResolutionResponse {
            updates: false,
            handle: "pool".into(),
            policy,
            elements,
            error: None,
        };
        event(&mut user, 2, heard(HOME, &message));
        Self { user, now: 10, associations: HOME, left: vec![] }
    }

    /// The element of the next session.
    fn open(&mut self) -> u32 {
        let (mut actions, mut outputs) =
            command(&mut self.user, self.now, 2, Command::Open(Open::new("pool".into())));
        loop {
            for action in core::mem::take(&mut actions) {
                let Action::Connect { request, peer, .. } = action else { continue };
                if self.left.iter().any(|id| place(*id) == peer) {
                    continue;
                }
                self.associations += 1;
                let (_, more) =
                    event(&mut self.user, self.now, connected(self.associations, Some(request.0), peer));
                outputs.extend(more);
            }
            let opened = outputs.iter().find_map(|output| match output {
                Output::Answer(_, Answer::Opened(Ok(opened))) => Some(opened.element.0),
                _ => None,
            });
            if let Some(element) = opened {
                return element;
            }
            // The stagger passes.
            self.now += 50;
            self.user.handle_timeout(at(self.now));
            (actions, outputs) = drain(&mut self.user);
        }
    }

    fn sequence(&mut self, sessions: usize) -> Vec<u32> {
        (0..sessions).map(|_| self.open()).collect()
    }

    /// How many of so many sessions go to each of these elements.
    fn shares<const N: usize>(&mut self, sessions: usize, elements: [u32; N]) -> [usize; N] {
        let sequence = self.sequence(sessions);
        elements.map(|id| sequence.iter().filter(|element| **element == id).count())
    }
}

/// Reading B60, POL-4.2.3-01, POL-4.3.3-01, ASAP-6.5.2-01: weights count although the registrar lists every
/// element. The list begins with the one that the registrar has chosen.
#[test]
fn weights_count_in_the_cache() {
    let turns = |weight| Policy::WeightedRoundRobin { weight };
    for mut spread in
        [Spread::new(&[(1, turns(10)), (2, turns(1))]), Spread::new(&[(2, turns(1)), (1, turns(10))])]
    {
        let first = spread.user.resolver.cache_mut().listing(&"pool".into(), 1).map(|(_, list)| list[0].id.0);
        let sequence = spread.sequence(1_100);
        assert_eq!(sequence.first().copied(), first, "the first of the list");
        let to_heavy = sequence.iter().filter(|element| **element == 1).count();
        assert!(to_heavy.abs_diff(1_000) <= 1, "{to_heavy}");
    }
    let drawn = |weight| Policy::WeightedRandom { weight };
    let [to_heavy, _] = Spread::new(&[(2, drawn(1)), (1, drawn(10))]).shares(1_100, [1, 2]);
    assert!(to_heavy.abs_diff(1_000) <= 40, "{to_heavy}");
    let lazy = Spread::new(&[(1, drawn(0)), (2, drawn(3))]).shares(100, [1, 2]);
    assert_eq!(lazy, [0, 100], "an element of weight 0");
}

/// Reading B60: many users with one session each have the proportion that their registrar has chosen, and few
/// sessions of each user have it in the mean.
#[test]
fn where_a_round_begins_is_drawn() {
    let weights =
        [(1, Policy::WeightedRoundRobin { weight: 10 }), (2, Policy::WeightedRoundRobin { weight: 1 })];
    let mut seconds = 0;
    for seed in 0..1_000 {
        let mut spread = Spread::new(&weights);
        spread.user.context.random = crate::base::Random::new(seed);
        spread.user.resolver.cache_mut().purge(&"pool".into());
        command(&mut spread.user, 3, 1, Command::Resolve(Resolve::new("pool".into())));
        let list = weights.iter().map(|(id, policy)| PoolElement { policy: policy.clone(), ..element(*id) });
        let mut message = answer("pool", list.collect());
        if let AsapMessage::HandleResolutionResponse { policy, .. } = &mut message {
            *policy = Some(weights[0].1.clone());
        }
        event(&mut spread.user, 4, heard(HOME, &message));
        seconds += usize::from(spread.sequence(2)[1] == 2);
    }
    assert!(seconds.abs_diff(100) <= 30, "a tenth of the second sessions: {seconds}");
}

/// Reading B60, POL-5.1.3-01: the order of the list first, then what this user has selected itself counts, too.
#[test]
fn a_degradation_counts_own_selections() {
    let load = |load, degradation| Policy::LeastUsedDegradation { load, degradation };
    let mut spread = Spread::new(&[(1, load(0, 10)), (2, load(5, 10)), (3, load(12, 1))]);
    assert_eq!(spread.sequence(6), [1, 2, 1, 3, 3, 3]);
    // The registrar has counted selections of element 1 by others, which its load does not show.
    let mut spread = Spread::new(&[(2, load(5, 10)), (1, load(0, 10))]);
    assert_eq!(spread.sequence(4), [2, 1, 2, 1]);
    let near = |distance| Policy::LeastUsedDpf { load: 5, dpf: 0, distance };
    let mut spread = Spread::new(&[(1, near(50)), (2, near(50)), (3, near(100))]);
    assert_eq!(spread.sequence(5), [1, 2, 1, 2, 1], "equal ones take turns");
    let highest = |priority| Policy::Priority { priority };
    let mut spread = Spread::new(&[(1, highest(9)), (2, highest(3))]);
    assert_eq!(spread.sequence(5), [1; 5]);
    // A list that is not sorted by what it tells is used in the order given all the same.
    let mut spread = Spread::new(&[(1, highest(3)), (2, highest(9))]);
    assert_eq!(spread.sequence(5), [1; 5]);
}

/// An element that has left is still in the cache for a while. Its turns go to all others.
#[test]
fn an_element_that_has_left_does_not_double_the_load_of_its_neighbour() {
    let mut spread = Spread::new(
        &[const { Policy::RoundRobin }; 4]
            .into_iter()
            .zip(1..)
            .map(|(policy, id)| (id, policy))
            .collect::<Vec<_>>(),
    );
    assert_eq!(spread.sequence(4), [1, 2, 3, 4]);
    spread.left = vec![2];
    let shares = spread.shares(90, [1, 2, 3, 4]);
    assert_eq!(shares[1], 0);
    assert!([0, 2, 3].iter().all(|at| shares[*at].abs_diff(30) <= 1), "{shares:?}");
    // When its exclusion is over it has a turn again, and is found out again.
    spread.left = vec![];
    spread.now += 10_000;
    assert_eq!(spread.shares(40, [1, 2, 3, 4]), [10; 4]);
}
