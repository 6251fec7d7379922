//! Connections to upstream.

use super::families::Families;
use super::{counter, gauge, histogram};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};
use std::time::Duration;

/// Seconds until a connection stands: from a neighbour's resumed handshake to a first one across an ocean, and timeouts.
const CONNECT_BUCKETS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It had reached its age.
    Age,
    /// Nobody had needed it for a while.
    Idle,
    /// Upstream closed it while it was at rest.
    Closed,
    /// It had rested when another, which had too, turned out to be dead.
    Suspect,
    /// Upstream wanted no more calls on it.
    Last,
    /// Within a call: it broke off, or was left.
    Cut,
}

impl End {
    const ALL: [Self; 6] = [Self::Age, Self::Idle, Self::Closed, Self::Suspect, Self::Last, Self::Cut];

    fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Idle => "idle",
            Self::Closed => "closed",
            Self::Suspect => "suspect",
            Self::Last => "last",
            Self::Cut => "cut",
        }
    }
}

/// Where an attempt to connect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFault {
    /// The name leads nowhere.
    Dns,
    /// No address answers.
    Tcp,
    /// The proxy opens no tunnel.
    Proxy,
    /// TLS does not come about.
    Tls,
    /// It took too long, wherever it was.
    Timeout,
}

impl ConnectFault {
    const ALL: [Self; 5] = [Self::Dns, Self::Tcp, Self::Proxy, Self::Tls, Self::Timeout];

    fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
        }
    }
}

/// The families of connections to upstream.
#[derive(Debug)]
pub(super) struct UpstreamFamilies {
    connections: IntGaugeVec,
    connects: IntCounterVec,
    duration: HistogramVec,
    calls: IntCounterVec,
    closed: IntCounterVec,
}

/// The handles of one endpoint.
#[derive(Debug)]
pub struct UpstreamMetrics {
    connects: IntCounterVec,
    closed: IntCounterVec,
    endpoint: String,
    connected: IntCounter,
    duration: Histogram,
    /// Calls that took a connection that stood.
    pub kept: IntCounter,
    /// Calls that waited for a connection of their own.
    pub opened: IntCounter,
}

impl UpstreamFamilies {
    /// Registers them.
    pub(super) fn register(to: &Families) -> Result<Self, prometheus::Error> {
        Ok(Self {
            connections: gauge(
                to,
                "upstream_connections",
                "Connections to an endpoint: busy with a call, or resting until the next.",
                &["endpoint", "state"],
            )?,
            connects: counter(
                to,
                "upstream_connects_total",
                "Attempts to connect to an endpoint, by whether they came about, or what kept them.",
                &["endpoint", "outcome"],
            )?,
            duration: histogram(
                to,
                "upstream_connect_duration_seconds",
                "Name, TCP, proxy and TLS of connections that came about.",
                &["endpoint"],
                &CONNECT_BUCKETS,
            )?,
            calls: counter(
                to,
                "upstream_calls_total",
                "Calls sent to an endpoint, by whether the connection was kept or had to be opened first.",
                &["endpoint", "connection"],
            )?,
            closed: counter(
                to,
                "upstream_connections_closed_total",
                "Connections that ended, by why.",
                &["endpoint", "reason"],
            )?,
        })
    }

    /// Returns the handles of an endpoint.
    pub(super) fn of(&self, endpoint: &str) -> UpstreamMetrics {
        for end in End::ALL {
            self.closed.with_label_values(&[endpoint, end.name()]);
        }
        for fault in ConnectFault::ALL {
            self.connects.with_label_values(&[endpoint, fault.name()]);
        }
        UpstreamMetrics {
            connects: self.connects.clone(),
            closed: self.closed.clone(),
            endpoint: endpoint.to_owned(),
            connected: self.connects.with_label_values(&[endpoint, "ok"]),
            duration: self.duration.with_label_values(&[endpoint]),
            kept: self.calls.with_label_values(&[endpoint, "kept"]),
            opened: self.calls.with_label_values(&[endpoint, "new"]),
        }
    }

    /// Says how many connections to an endpoint there are.
    pub(super) fn say(&self, endpoint: &str, busy: usize, resting: usize) {
        for (state, count) in [("busy", busy), ("resting", resting)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.connections.with_label_values(&[endpoint, state]).set(count);
        }
    }
}

impl UpstreamMetrics {
    /// Counts a connection that came about.
    pub fn connected(&self, took: Duration) {
        self.connected.inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts one that did not.
    pub fn not_connected(&self, fault: ConnectFault) {
        self.connects.with_label_values(&[self.endpoint.as_str(), fault.name()]).inc();
    }

    /// Counts a connection that ended.
    pub fn ended(&self, end: End) {
        self.closed.with_label_values(&[self.endpoint.as_str(), end.name()]).inc();
    }
}
