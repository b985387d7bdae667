//! Registrars that join others (RFC 5353 section 3.2).

mod support;

use rserpool_core::registrar::{Notice, Registrar, RegistrarConfig};
use rserpool_sim_driver::{Fault, HostId, Note, Program, World};
use support::{
    all_are_at_home, assert_agreement, at, elements, ids_of, listed, ms, registrar_id, run, until,
    until_agreement, world,
};

/// When a registrar began to serve, and its mentor.
fn serving(world: &World, host: HostId) -> Option<(u64, Option<HostId>)> {
    world.notes().iter().rev().find_map(|(when, who, note)| match note {
        Note::Registrar(Notice::Serving { mentor, .. }) if *who == host => {
            let is_mentor = |(id, _): &(HostId, _)| world.registrar(*id).map(Registrar::id) == *mentor;
            let mentor = mentor.and_then(|_| world.hosts().find(is_mentor).map(|(id, _)| id));
            Some(((*when - at(0)).as_millis() as u64, mentor))
        }
        _ => None,
    })
}

/// ENRP-3.2.2.1-03: alone and without a peer to ask, it serves at once.
#[test]
fn a_registrar_that_knows_nobody_serves_at_once() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    assert!(world.registrar(r).unwrap().is_serving());
    run(&mut world, 10_000);
    assert_eq!(serving(&world, r), Some((0, None)));
}

/// The configured peer is the mentor (ENRP-3.2.2.1-01). It is asked for its list (ENRP-3.2.2.2-01), then for its
/// table (ENRP-3.2.3-01); service starts after the last page (ENRP-3.2.3-08).
#[test]
fn a_second_registrar_owns_a_copy_of_everything() {
    let mut world = world(1);
    let r1 = world.fast_registrar("r1");
    let elements = elements(&mut world, 20, "Pool", &[r1]);
    run(&mut world, 1_000);
    let r2 = world.fast_peer("r2", &[r1]);
    run(&mut world, 3);
    assert!(!world.registrar(r2).unwrap().is_serving());
    // Four legs of a handshake, then the list and one page of 20 elements.
    let joined = until(&mut world, 20, "r2 serves", |world| world.registrar(r2).unwrap().is_serving());
    assert!(joined <= 10, "{joined} ms");
    assert_eq!(serving(&world, r2).unwrap().1, Some(r1));
    assert_eq!(listed(&world, r2), ids_of(&world, &elements));
    until_agreement(&mut world, 400, &[r1, r2]);
    assert!(all_are_at_home(&world, &elements, &[r1, r2]));
}

/// A mentor answers with all registrars that it knows (ENRP-3.2.2.2-03), and they become peers
/// (ENRP-3.2.2.2-04): the newcomer is known to all.
#[test]
fn a_third_registrar_learns_of_the_second_from_its_mentor() {
    let mut world = world(1);
    let r1 = world.fast_registrar("r1");
    run(&mut world, 100);
    let r2 = world.fast_peer("r2", &[r1]);
    run(&mut world, 1_000);
    let r3 = world.fast_peer("r3", &[r1]);
    until_agreement(&mut world, 500, &[r1, r2, r3]);
    let e = world.fast_element("e", "Pool", &[r2]);
    run(&mut world, 8);
    for r in [r1, r2, r3] {
        assert_eq!(listed(&world, r), ids_of(&world, &[e]));
    }
}

/// Registrations (ENRP-3.3.1-01) and removals (ENRP-3.3.2-01) are announced to all peers: they know after one
/// delay of a cable.
#[test]
fn elements_come_and_go_everywhere() {
    let mut world = world(1);
    let scope = world.fast_registrars(3);
    run(&mut world, 2_000);
    assert_agreement(&world, &scope);
    let e = world.fast_element("e", "Pool", &scope[..1]);
    run(&mut world, 6);
    for r in &scope {
        assert_eq!(listed(&world, *r), ids_of(&world, &[e]));
    }
    world.apply(Fault::Stop(e, ms(1_000)));
    run(&mut world, 2);
    for r in &scope {
        assert_eq!(listed(&world, *r), []);
    }
    assert_agreement(&world, &scope);
}

/// ENRP-3.2.3-02 to -04: a table comes in pages, with the M flag on each but the last; each is requested.
#[test]
fn a_long_table_comes_in_pages() {
    let mut world = world(1);
    let r1 = world.fast_registrar("r1");
    let elements = elements(&mut world, 200, "Pool", &[r1]);
    run(&mut world, 1_000);
    let r2 = world.fast_peer("r2", &[r1]);
    until(&mut world, 200, "r2 serves", |world| world.registrar(r2).unwrap().is_serving());
    assert_eq!(listed(&world, r2), ids_of(&world, &elements));
    let text = world.trace().text();
    let pages = text.lines().filter(|line| line.contains("r2 < r1 HandleTableResponse"));
    let (more, last): (Vec<_>, Vec<_>) = pages.partition(|line| line.ends_with("more to come"));
    // 127 elements fit into a page.
    assert_eq!(more.len(), 1);
    assert!(more[0].contains(" of 127 "), "{more:?}");
    assert_eq!(last.len(), 1);
    until_agreement(&mut world, 500, &[r1, r2]);
}

/// Other configured peers are backups (ENRP-3.2.2.1-02): when the mentor dies, the download starts anew at one
/// of them (ENRP-3.2.3-11).
#[test]
fn a_backup_serves_when_the_mentor_dies_half_way() {
    for after in (1..40).step_by(3) {
        let mut world = world(after);
        let others = world.fast_registrars(2);
        let elements = elements(&mut world, 150, "Pool", &others);
        run(&mut world, 2_000);
        let r3 = world.fast_peer("r3", &others);
        run(&mut world, after);
        world.apply(Fault::Kill(others[0]));
        run(&mut world, 3_000);
        assert!(world.registrar(r3).unwrap().is_serving(), "killed after {after} ms");
        assert_agreement(&world, &[others[1], r3]);
        assert!(all_are_at_home(&world, &elements, &[others[1], r3]), "killed after {after} ms");
    }
}

/// A mentor that is starting itself refuses (ENRP-3.2.2.2-05), and is asked again (ENRP-3.2.2.2-06): one of them
/// begins.
#[test]
fn three_that_start_at_once_and_name_each_other_all_serve() {
    for seed in 0..20 {
        let mut world = world(seed);
        let scope = world.fast_registrars(3);
        let elements = elements(&mut world, 9, "Pool", &scope);
        run(&mut world, 1_500);
        let all = |world: &World| scope.iter().all(|r| world.registrar(*r).unwrap().is_serving());
        assert!(all(&world), "seed {seed}");
        until_agreement(&mut world, 2_000, &scope);
        until(&mut world, 3_000, "elements", |world| all_are_at_home(world, &elements, &scope));
    }
}

/// No peer answers: it looks for a mentor for as long as it is told, then serves alone.
#[test]
fn without_anybody_reachable_it_serves_alone() {
    let mut world = world(1);
    let gone = world.idle_registrars(1);
    let r = world.fast_peer("r", &gone);
    run(&mut world, 2_000);
    assert_eq!(serving(&world, r), Some((500, None)));
    // The other one is started: they meet without being told.
    world.apply(Fault::Start(gone[0]));
    until_agreement(&mut world, 2_000, &[gone[0], r]);
}

/// ENRP multicast (reading B22), also where some announcements are lost.
#[test]
fn registrars_find_each_other_by_multicast() {
    for loss in [0, 300_000] {
        let mut world = world(1);
        let add = |world: &mut World, n: usize| {
            let mut config = RegistrarConfig::fast(None, 0);
            config.enrp.announce = true;
            world.add(format!("r{n}"), Program::Registrar(config))
        };
        world.apply(Fault::Cables(rserpool_sim_driver::Cable { loss, ..rserpool_sim_driver::Cable::LAN }));
        let scope: Vec<HostId> = (1..=3).map(|n| add(&mut world, n)).collect();
        run(&mut world, 3_000);
        world.heal();
        until_agreement(&mut world, 3_000, &scope);
        let late = add(&mut world, 4);
        let all = [scope.as_slice(), &[late]].concat();
        until_agreement(&mut world, 2_000, &all);
        assert!(serving(&world, late).unwrap().1.is_some(), "it had a mentor");
    }
}

/// A registrar restarts before others have noticed, with its identifier and with another one.
#[test]
fn a_restarted_registrar_catches_up() {
    for (down, keeps) in [(5, true), (5, false), (400, true), (400, false), (3_000, true), (3_000, false)] {
        let mut world = world(down);
        let scope = world.fast_registrars(3);
        let elements = elements(&mut world, 30, "Pool", &scope);
        run(&mut world, 2_000);
        let id = registrar_id(&world, scope[0]);
        world.apply(Fault::Kill(scope[0]));
        run(&mut world, down);
        world.configure_registrar(scope[0], |config| config.id = keeps.then_some(id));
        world.apply(Fault::Start(scope[0]));
        run(&mut world, 4_000);
        assert_eq!(registrar_id(&world, scope[0]) == id, keeps);
        assert_agreement(&world, &scope);
        assert!(all_are_at_home(&world, &elements, &scope), "down for {down} ms, keeps {keeps}");
    }
}
