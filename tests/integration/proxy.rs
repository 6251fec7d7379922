//! An HTTP proxy of a test's own.

use crate::socket::head_len;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// What a proxy does when it is asked for a tunnel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// Opens it.
    Opens,
    /// Says nothing.
    IsSilent,
    /// Sends this, and closes.
    Says(&'static str),
}

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _stopping: DropGuard,
}

impl Proxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopping, tasks) =
            (Arc::new(Mutex::new(Vec::new())), CancellationToken::new(), TaskTracker::new());
        let proxy = Self { address, asked: Arc::clone(&asked), _stopping: stopping.clone().drop_guard() };
        tasks.clone().spawn(async move {
            while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
                let serving = serve(accepted.unwrap().0, manner, Arc::clone(&asked));
                let stopping = stopping.clone();
                tasks.spawn(async move { stopping.run_until_cancelled(serving).await });
            }
        });
        proxy
    }

    /// Returns its URL, with or without credentials (`user:password@`).
    pub(crate) fn url(&self, credentials: &str) -> String {
        format!("http://{credentials}{}", self.address)
    }

    /// Returns the heads of all requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, asked: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    while head_len(&bytes).is_none() {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8(bytes).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(head);
    // However the tunnel ends is none of the proxy's business.
    match manner {
        Manner::Opens => {
            let mut upstream = TcpStream::connect(&target).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut upstream).await;
        }
        Manner::IsSilent => drop(stream.read_buf(&mut Vec::new()).await),
        Manner::Says(text) => drop(stream.write_all(text.as_bytes()).await),
    }
}
