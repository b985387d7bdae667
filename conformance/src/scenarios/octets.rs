//! Sessions as streams of octets, and as streams and sinks of messages.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;

use bytes::Bytes;
use futures_lite::future::zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};
use rserpool_core::base::ElementId;
use rserpool_driver::vocabulary::SessionEvent;
use rserpool_driver::{ElementSession, Octets, PoolElement, Sink};

use super::accept::accepting;
use super::mortal::Mortal;
use super::scope::{ECHO, Make, POOL, TheUser, await_elements, registrar, user};

/// Gives back every octet, whatever pieces they come in.
async fn echo<E: Make>(session: ElementSession<Mortal<E>>) {
    let mut octets = session.octets(ECHO);
    let mut piece = [0; 1_000];
    while let Ok(length @ 1..) = octets.read(&mut piece).await {
        octets.write_all(&piece[..length]).await.unwrap();
        octets.flush().await.unwrap();
    }
}

async fn ask(octets: &mut Octets, length: usize) {
    let sent: Vec<u8> = (0..length).map(|n| n as u8).collect();
    let mut back = vec![0; length];
    octets.write_all(&sent).await.unwrap();
    octets.flush().await.unwrap();
    octets.read_exact(&mut back).await.unwrap();
    assert_eq!(back, sent);
}

/// Octets arrive as they were written, in order. The next element gets none that were meant for the one before; its own
/// begin anew in the same session.
pub async fn octets_are_those_of_one_element<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let first = accepting(7, &registrar, echo::<E>).await;
    let user: TheUser<E> = user(&[registrar.local_addr()]).await;
    let session = user.connect(POOL).await.unwrap();
    let mut octets = session.octets(ECHO);
    ask(&mut octets, 1).await;
    ask(&mut octets, 100_000).await;
    let _second = accepting(8, &registrar, echo::<E>).await;
    await_elements(&registrar, &[7, 8]).await;
    let read = async {
        let mut piece = [0; 10];
        octets.read(&mut piece).await.map_err(|error| error.kind())
    };
    let (end, ()) = zip(read, first.kill()).await;
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    while !matches!(session.next_event().await, Some(SessionEvent::FailedOver { to: ElementId(8), .. })) {}
    // Were it not so, the second would echo what the first was told.
    let late = async {
        octets.write_all(b"too late").await?;
        octets.flush().await
    };
    assert_eq!(late.await.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    let mut octets = session.octets(ECHO);
    ask(&mut octets, 10_000).await;
    octets.close().await.unwrap();
    assert_eq!(octets.read(&mut [0; 10]).await.unwrap(), 0, "its end");
}

/// Messages as streams and sinks.
pub async fn messages_are_streams_and_sinks<G: Make, E: Make>() {
    async fn send(sink: &mut (impl Sink<Bytes, Error = std::io::Error> + Unpin), message: &'static str) {
        poll_fn(|context| Pin::new(&mut *sink).poll_ready(context)).await.unwrap();
        Pin::new(&mut *sink).start_send(message.into()).unwrap();
    }
    async fn serve<E: Make>(session: ElementSession<Mortal<E>>) {
        let mut sink = session.sink(ECHO);
        let mut messages = Box::pin(session.messages());
        while let Some(message) = messages.next().await {
            send(&mut sink, if message.bytes == "a" { "A" } else { "?" }).await;
            poll_fn(|context| Pin::new(&mut sink).poll_flush(context)).await.unwrap();
        }
    }
    let registrar = registrar::<G>(1, &[]).await;
    let element: super::scope::TheElement<E> = accepting(7, &registrar, serve::<E>).await;
    let _: &PoolElement<Mortal<E>> = &element;
    let user: TheUser<E> = user(&[registrar.local_addr()]).await;
    let session = user.connect(POOL).await.unwrap();
    let (mut sink, mut events) = (session.sink(ECHO), Box::pin(session.events()));
    for message in ["a", "b", "a"] {
        send(&mut sink, message).await;
    }
    poll_fn(|context| Pin::new(&mut sink).poll_close(context)).await.unwrap();
    let mut answers = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            SessionEvent::Received { bytes, .. } => answers.push(bytes),
            SessionEvent::Closed { error: None, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    // What it has said after the session was closed is lost.
    assert!(answers.len() <= 3 && answers.iter().zip(["A", "?", "A"]).all(|(answer, right)| answer == right));
}
