//! Upstream begins to answer before it has the whole request, or says that it will and does not.

use crate::bad_input::A;
use crate::gateway::{NOVA, TestGateway};
use crate::wire::{Wire, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// More than the sockets between gateway and upstream take in.
const BODY: usize = 20_000_000;

/// Reads the head of a request, and what comes with it.
async fn read_head(stream: &mut TcpStream) -> usize {
    let mut unread = Vec::new();
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            return unread.len() - end - 4;
        }
        assert!(stream.read_buf(&mut unread).await.unwrap() > 0);
    }
}

/// Sends a large request through a gateway, and returns the answer's status and body.
async fn ask(listener: &TcpListener) -> impl Future<Output = (u16, Vec<u8>)> + use<> {
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let gateway = TestGateway::start_with(&[("UPSTREAM__ENDPOINT", &endpoint)]).await;
    async move {
        let mut wire = Wire::connect(gateway.server.data()).await;
        wire.send(request(&format!("POST /model/{NOVA}/converse"), &[A], &vec![b' '; BODY])).await;
        let answer = wire.answer().await;
        drop(wire);
        gateway.stop().await;
        (answer.status.as_u16(), answer.body.to_vec())
    }
}

#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_request_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 413 Too Long\r\ncontent-length: 4\r\n\r\nlong").await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(ask(&listener).await, upstream);
    assert_eq!(answer, (413, b"long".to_vec()));
}

#[tokio::test]
async fn the_rest_of_the_request_follows_the_head_of_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut came = read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        let mut buffer = vec![0; 65536];
        while came < BODY {
            came += stream.read(&mut buffer).await.unwrap();
        }
        stream.write_all(b"2\r\n{}\r\n0\r\n\r\n").await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(ask(&listener).await, upstream);
    assert_eq!(answer, (200, b"{}".to_vec()));
}

#[tokio::test]
async fn interim_answers_without_end_are_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let interim = format!("HTTP/1.1 103 Early Hints\r\nlink: {}\r\n\r\n", "x".repeat(10_000));
        while stream.write_all(interim.as_bytes()).await.is_ok() {}
    };
    let (answer, ()) = tokio::join!(ask(&listener).await, upstream);
    assert_eq!(answer.0, 503);
}
