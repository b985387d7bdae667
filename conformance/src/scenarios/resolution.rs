//! Users that resolve pool handles.

use rserpool_core::base::{ElementId, TransportAddress};
use rserpool_driver::vocabulary::UserError;
use rserpool_driver::{PoolState, PoolUser, Watch};

use super::Mortal;
use super::scope::{
    Make, POOL, TheRegistrar, await_elements, eventually, registrar, server, tcp_registrar, user,
    user_builder,
};

/// ASAP-2.1-02, ASAP-3.3-11, -12, -14: all elements, as many as are asked for, or none.
pub async fn pools_are_resolved<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let mut servers = Vec::new();
    for id in [7, 8, 9] {
        servers.push(server::<E>(id, &at).await);
    }
    let user = user::<E>(&at).await;
    let ids = |resolution: rserpool_core::user::Resolution| {
        let mut ids: Vec<ElementId> = resolution.elements.iter().map(|element| element.id).collect();
        ids.sort();
        ids
    };
    let resolution = user.resolve_items(POOL, Some(u32::MAX)).await.unwrap();
    assert_eq!(
        (resolution.handle.clone(), ids(resolution)),
        (POOL.into(), [7, 8, 9].map(ElementId).to_vec())
    );
    assert_eq!(ids(user.resolve_items(POOL, Some(1)).await.unwrap()).len(), 1);
    assert_eq!(user.resolve("NoPool").await, Err(UserError::UnknownPool));
}

/// ASAP-3.7.2-02: a dead registrar does not let a user wait for ever; what is in the cache is still there.
pub async fn without_a_registrar_there_is_an_answer<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let _server = server::<E>(7, &at).await;
    let builder = user_builder::<E>(&at).configure(|config| config.hunt.rounds = Some(1));
    let user = builder.start().await.unwrap();
    let known = user.resolve(POOL).await.unwrap();

    registrar.kill().await;
    assert_eq!(user.resolve(POOL).await, Ok(known));
    let error = user.resolve_items(POOL, None).await.unwrap_err();
    let UserError::NoRegistrar { tried } = error else { panic!("{error}") };
    assert_eq!(
        tried.iter().flat_map(TransportAddress::sockets).map(|at| at.port()).collect::<Vec<_>>(),
        [at[0].port()]
    );
}

/// ASAP-2.1-02, ASAP-3.3-10, ASAP-3.6-08: a user asks over TCP; its registrar dies, and it asks another over TCP.
pub async fn pools_are_resolved_over_tcp<G: Make, E: Make>() {
    let first = tcp_registrar::<G>(1, &[]).await;
    let second = tcp_registrar::<G>(2, &[first.local_addr()]).await;
    let _server = server::<E>(7, &[first.local_addr()]).await;
    await_elements(&second, &[7]).await;
    let [one, two] = [&first, &second].map(|registrar| registrar.tcp_addr().unwrap());
    let user = user_builder::<E>(&[]).registrar_tcp(one).registrar_tcp(two).start().await.unwrap();
    for dying in [Some(&first), None] {
        let resolution = user.resolve_items(POOL, None).await.unwrap();
        assert_eq!(resolution.elements.iter().map(|element| element.id).collect::<Vec<_>>(), [ElementId(7)]);
        if let Some(registrar) = dying {
            registrar.kill().await;
        }
    }
    assert_eq!(user.resolve("NoPool").await, Err(UserError::UnknownPool));
}

/// ASAP-2.2.5-02, ASAP-2.2.5-03: whoever watches a pool hears of its changes without asking, also when the registrar
/// dies that has told of them.
pub async fn watched_pools_are_told<G: Make, E: Make>() {
    let first = registrar::<G>(1, &[]).await;
    let second = registrar::<G>(2, &[first.local_addr()]).await;
    let user = user::<E>(&[first.local_addr()]).await;
    watched(&user, &first, &second).await;
}

/// The same over TCP.
pub async fn watched_pools_are_told_over_tcp<G: Make, E: Make>() {
    let first = tcp_registrar::<G>(1, &[]).await;
    let second = registrar::<G>(2, &[first.local_addr()]).await;
    let user = user_builder::<E>(&[]).registrar_tcp(first.tcp_addr().unwrap()).start().await.unwrap();
    watched(&user, &first, &second).await;
}

async fn watched<G: Make, E: Make>(
    user: &PoolUser<Mortal<E>>,
    asked: &TheRegistrar<G>,
    other: &TheRegistrar<G>,
) {
    let at = [other.local_addr()];
    let mut pool = user.watch(POOL).await.unwrap();
    assert_eq!(pool.changed().await, Some(PoolState::Gone));
    // Its elements register at the other registrar: all changes count, whoever tells of them.
    let one = server::<E>(7, &at).await;
    assert_eq!(elements(&mut pool).await, [7]);
    let _two = server::<E>(8, &at).await;
    assert_eq!(elements(&mut pool).await, [7, 8]);
    one.deregister().await.unwrap();
    assert_eq!(elements(&mut pool).await, [8]);
    // Others may watch, too, and hear of it anew.
    let mut again = user.watch(POOL).await.unwrap();
    assert_eq!(elements(&mut again).await, [8]);
    drop(again);
    let _three = server::<E>(9, &at).await;
    assert_eq!(elements(&mut pool).await, [8, 9]);
    drop(pool);
    eventually::<E, _, _>(|| async {
        (asked.counters().await.unwrap().sizes.subscriptions == 0).then_some(())
    })
    .await;
}

async fn elements(pool: &mut Watch) -> Vec<u32> {
    let Some(PoolState::Elements(now)) = pool.changed().await else { panic!("there is no pool") };
    let mut ids: Vec<u32> = now.elements.iter().map(|element| element.id.0).collect();
    ids.sort_unstable();
    ids
}
