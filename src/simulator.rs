//! Bedrock without Bedrock: a server in this process that answers as the Bedrock runtime does, breaks as the
//! network does when told to, and knows what it said was used. At the same address it has Bedrock's control
//! plane, and of STS and Cost Explorer what goes with that.
//!
//! It checks every signature with the whole of aws-sigv4, so that what the gateway sends is held against
//! somebody else's reading of the rules. Requests steer it with `x-sim-*` headers, or words in the prompt;
//! `simulator/steer.rs` lists them. The control plane is steered by [`ControlPlane`].

mod calls;
mod chunks;
mod control;
mod families;
mod invoke;
mod line;
mod metadata;
mod models;
mod others;
mod play;
mod refusal;
mod service;
mod steer;
mod stream;
mod truth;
mod verify;

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

use aws_credential_types::Credentials;
pub use control::{Action, ControlPlane, Failure, Trouble};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use line::{Breaker, Line};
use service::Service;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
pub use truth::{Seen, Signer, TokenTotals};

/// How long accepting rests after an error, which is mostly that no descriptor is left.
const ACCEPT_REST: Duration = Duration::from_millis(10);

/// What a simulator is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// The credentials it accepts, besides those that `AssumeRole` gives.
    pub credentials: Credentials,
    /// The account of these credentials: 12 digits.
    pub account: String,
    /// The pause between two pieces of a stream, where the request names none.
    pub pace: Duration,
    /// The application inference profiles that exist at the start.
    pub profiles: Vec<SimulatedProfile>,
    /// The model that every other application inference profile was made from; none: there are no others.
    pub other_profiles: Option<String>,
}

/// An application inference profile that exists for the simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedProfile {
    /// Its ARN.
    pub arn: String,
    /// The model or system-defined profile, by id or ARN, that it was made from.
    pub source_model: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: demo_credentials(),
            account: others::ACCOUNT.to_owned(),
            pace: Duration::ZERO,
            profiles: Vec::new(),
            other_profiles: None,
        }
    }
}

/// Returns the made-up credentials that a simulator accepts by default; AWS knows them not.
pub fn demo_credentials() -> Credentials {
    Credentials::new("AKIASIMULATOR", "no-secret-but-agreed-with-the-simulator", None, None, "simulator")
}

/// A running simulator; dropping it ends it without waiting.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    service: Arc<Service>,
    stopping: DropGuard,
    tracker: TaskTracker,
}

impl Simulator {
    /// Binds the address and begins to answer.
    ///
    /// An ARN among the profiles that is none is refused as invalid input.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let control = ControlPlane::new(&settings)
            .map_err(|invalid| io::Error::new(io::ErrorKind::InvalidInput, invalid))?;
        let listener = TcpListener::bind(settings.address).await?;
        let address = listener.local_addr()?;
        let service = Arc::new(Service::new(settings.pace, control));
        let token = CancellationToken::new();
        let tracker = TaskTracker::new();
        tracker.spawn(accept(listener, Arc::clone(&service), token.clone(), tracker.clone()));
        Ok(Self { address, service, stopping: token.drop_guard(), tracker })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its base URL, without a slash at the end.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the control plane, to look into and to steer.
    pub fn control(&self) -> ControlPlane {
        self.service.control.clone()
    }

    /// Returns the tokens of all answers whose final statement was handed over whole.
    pub fn stated(&self) -> TokenTotals {
        self.service.ledger.stated()
    }

    /// Returns the same by `x-amzn-requestid`, in the order of statement: the last 100,000.
    pub fn stated_by_request(&self) -> Vec<(String, TokenTotals)> {
        self.service.ledger.stated_by_request()
    }

    /// Returns the requests that came, in the order of answering: the last 10,000.
    pub fn seen(&self) -> Vec<Seen> {
        self.service.ledger.seen()
    }

    /// Returns how many answers had each status.
    pub fn answered(&self) -> BTreeMap<u16, u64> {
        self.service.ledger.answered()
    }

    /// Returns how many requests were refused for their signature.
    pub fn bad_signatures(&self) -> u64 {
        self.service.ledger.bad_signatures()
    }

    /// Drops every connection and returns once nothing of it runs.
    pub async fn stop(self) {
        drop(self.stopping);
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Takes connections until told to stop.
async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    stopping: CancellationToken,
    tracker: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(stream, Arc::clone(&service));
                let stopping = stopping.clone();
                tracker.spawn(async move { stopping.run_until_cancelled(connection).await });
            }
            Err(_) => tokio::time::sleep(ACCEPT_REST).await,
        }
    }
}

/// Answers one connection's requests until it ends, however it ends.
async fn serve(stream: TcpStream, service: Arc<Service>) {
    // Without it small chunks wait for acknowledgements; a socket that refuses it works all the same.
    let _ = stream.set_nodelay(true);
    let breaker = Arc::new(Breaker::default());
    let line = TokioIo::new(Line::new(stream, Arc::clone(&breaker)));
    let answer = service_fn(|request| Arc::clone(&service).answer(request, Arc::clone(&breaker)));
    // A connection that breaks is what clients and faults do; there is nobody to tell.
    let _ = http1::Builder::new().serve_connection(line, answer).await;
}
