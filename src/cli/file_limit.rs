//! How many files the process may hold open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside the connections of calls, at most: listeners, ledger, logs, the admin plane's 512 connections.
const OTHERS: u64 = 600;

/// Raises the soft limit to the hard one, and says where that is too low for the connections that the config allows: a
/// call takes two files, its client's connection and the one to Bedrock.
pub(super) fn raise(max_connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut limit = current;
    if current != maximum {
        match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            Ok(()) => limit = maximum,
            Err(error) => {
                tracing::warn!(%error, ?current, ?maximum, "the limit of open files cannot be raised");
            }
        }
    }
    let wanted = wanted(max_connections);
    if let Some(limit) = limit.filter(|limit| *limit < wanted) {
        tracing::warn!(
            limit,
            wanted,
            hint = "raise the hard limit (`ulimit -Hn`, systemd's LimitNOFILE, docker's --ulimit nofile), or lower \
                    listen.max_connections",
            "the limit of open files is too low for listen.max_connections: calls beyond it fail"
        );
    }
}

fn wanted(max_connections: usize) -> u64 {
    u64::try_from(max_connections).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(OTHERS)
}
