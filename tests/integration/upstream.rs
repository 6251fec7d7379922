//! An upstream that does, to the byte, what a test says.

use crate::gateway::{DEADLINE, until};
use crate::socket::{head_len, header};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What is done with a connection, in order; then the next request is awaited.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes bytes.
    Send(Vec<u8>),
    /// Waits for [`Upstream::go_on`], or for the gateway to leave.
    Hold,
    /// Waits for the gateway to leave.
    Stay,
    /// Resets the connection.
    Reset,
    /// Closes the connection in order.
    Close,
}

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A chunk for every piece.
    Chunks,
    /// One chunk for all pieces.
    OneChunk,
    /// Content-length.
    Length,
}

/// A running upstream, which answers each request with the script that its `x-case` names.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    stage: Arc<Stage>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Stage {
    scripts: Mutex<BTreeMap<String, Script>>,
    going_on: CancellationToken,
}

#[derive(Debug, Default)]
struct Script {
    steps: Vec<Step>,
    times: u32,
    is_over: bool,
    has_been_left: bool,
}

impl Upstream {
    /// Begins to listen.
    pub(crate) fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // Tests call side by side: what finds no room waits a second.
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        let (stage, stopping, tasks) =
            (Arc::new(Stage::default()), CancellationToken::new(), TaskTracker::new());
        let upstream = Self { address, stage, stopping, tasks };
        let (stage, stopping, tasks) =
            (Arc::clone(&upstream.stage), upstream.stopping.clone(), upstream.tasks.clone());
        upstream.tasks.spawn(async move {
            while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
                let (stage, stopping) = (Arc::clone(&stage), stopping.clone());
                tasks.spawn(async move {
                    stopping.run_until_cancelled(serve(accepted.unwrap().0, &stage)).await;
                });
            }
        });
        upstream
    }

    /// Returns its base URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says what a case's request is answered with.
    pub(crate) fn script(&self, case: &str, steps: Vec<Step>) {
        let script = Script { steps, ..Script::default() };
        self.stage.scripts.lock().unwrap().insert(case.to_owned(), script);
    }

    /// Ends every hold.
    pub(crate) fn go_on(&self) {
        self.stage.going_on.cancel();
    }

    /// Returns what ends every hold when it is cancelled.
    pub(crate) fn going_on(&self) -> CancellationToken {
        self.stage.going_on.clone()
    }

    /// Waits until a case's request has come.
    pub(crate) async fn begun(&self, case: &str) {
        self.until(case, |script| script.times > 0).await;
    }

    /// Waits until a case's last step is done.
    pub(crate) async fn over(&self, case: &str) {
        self.until(case, |script| script.is_over).await;
    }

    /// Waits until the gateway has left a case that is on hold.
    pub(crate) async fn left(&self, case: &str) {
        self.until(case, |script| script.has_been_left).await;
    }

    /// Returns how often a case's request has come.
    pub(crate) fn times(&self, case: &str) -> u32 {
        self.stage.scripts.lock().unwrap()[case].times
    }

    async fn until(&self, case: &str, is_so: impl Fn(&Script) -> bool) {
        until(|| self.stage.scripts.lock().unwrap().get(case).filter(|script| is_so(script)).map(drop)).await;
    }

    /// Drops every connection.
    pub(crate) async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        tokio::time::timeout(DEADLINE, self.tasks.wait()).await.unwrap();
    }
}

impl Stage {
    fn note(&self, case: &str, note: impl FnOnce(&mut Script)) {
        note(self.scripts.lock().unwrap().get_mut(case).unwrap());
    }
}

async fn serve(mut stream: TcpStream, stage: &Stage) {
    stream.set_nodelay(true).unwrap();
    while let Some(head) = read_request(&mut stream).await {
        let case = header(&head, "x-case").unwrap_or_else(|| panic!("no case: {head}"));
        let mut steps = Vec::new();
        stage.note(&case, |script| {
            script.times += 1;
            steps.clone_from(&script.steps);
        });
        let goes_on = play(&mut stream, stage, &case, steps).await;
        if !goes_on {
            drop(stream);
            stage.note(&case, |script| script.is_over = true);
            return;
        }
        stage.note(&case, |script| script.is_over = true);
    }
}

/// Plays a script; tells whether the connection goes on.
async fn play(stream: &mut TcpStream, stage: &Stage, case: &str, steps: Vec<Step>) -> bool {
    for step in steps {
        match step {
            Step::Send(bytes) => {
                // Whoever left shows in what the test waits for.
                if stream.write_all(&bytes).await.is_err() {
                    stage.note(case, |script| script.has_been_left = true);
                    return false;
                }
            }
            Step::Hold | Step::Stay => {
                let may_go_on = matches!(step, Step::Hold);
                let mut byte = [0];
                tokio::select! {
                    () = stage.going_on.cancelled(), if may_go_on => {}
                    read = stream.read(&mut byte) => {
                        assert!(matches!(read, Ok(0) | Err(_)), "a request on a connection in use");
                        stage.note(case, |script| script.has_been_left = true);
                        return false;
                    }
                }
            }
            Step::Reset => {
                stream.set_zero_linger().unwrap();
                return false;
            }
            Step::Close => return false,
        }
    }
    true
}

/// Reads a request, and returns its head.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = head_len(&bytes) {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let body = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() == end + body {
                return Some(head);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Returns the bytes of an answer's head; `length` is that of the whole body.
pub(crate) fn head(content_type: &str, framing: Framing, length: usize) -> Vec<u8> {
    let framing = match framing {
        Framing::Chunks => "transfer-encoding: chunked".to_owned(),
        Framing::OneChunk => format!("transfer-encoding: chunked\r\n\r\n{length:x}"),
        Framing::Length => format!("content-length: {length}"),
    };
    let lines =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nx-amzn-requestid: r\r\n{framing}\r\n");
    let end = if framing.contains("\r\n\r\n") { "" } else { "\r\n" };
    format!("{lines}{end}").into_bytes()
}

/// Returns a piece of a body as it is on the wire.
pub(crate) fn piece(framing: Framing, bytes: &[u8]) -> Vec<u8> {
    match framing {
        Framing::Chunks if bytes.is_empty() => Vec::new(),
        Framing::Chunks => [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
        Framing::OneChunk | Framing::Length => bytes.to_vec(),
    }
}

/// Returns what ends a body.
pub(crate) fn end(framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Chunks => b"0\r\n\r\n".to_vec(),
        Framing::OneChunk => b"\r\n0\r\n\r\n".to_vec(),
        Framing::Length => Vec::new(),
    }
}
