//! Users that resolve pool handles.

use rserpool_core::base::{ElementId, TransportAddress};
use rserpool_driver::vocabulary::UserError;

use super::scope::{Make, POOL, await_elements, registrar, server, tcp_registrar, user, user_builder};

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
