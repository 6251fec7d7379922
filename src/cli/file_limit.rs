//! How many files the process may hold open: each connection is one.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::RawFd;

/// What is open beside the connections of calls, at most: listeners, ledger, logs, the admin plane's 512 connections.
const OTHERS: u64 = 600;

/// Makes room for the connections that the config allows: raises the soft limit to the hard one, and says where that is
/// too low. A call takes two files, its client's connection and the one to Bedrock. Best called before there are threads.
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
    let files = limit.map_or(wanted, |limit| limit.min(wanted));
    if let Err(error) = have_table_for(files) {
        tracing::debug!(%error, files, "the table of open files grows as it is needed");
    }
}

/// Has the kernel's table of the process's open files grow to that many now. It doubles when it is full, and whoever
/// opens the file that it has no room for waits then, in a process of several threads, until every processor has been
/// through the scheduler (Linux, fs/file.c, `expand_fdtable`): for 10 to 40 ms, with all calls of the thread.
fn have_table_for(files: u64) -> rustix::io::Result<()> {
    let last = RawFd::try_from(files.saturating_sub(1)).unwrap_or(RawFd::MAX);
    // A file of that number, closed again: tables never shrink.
    fcntl_dupfd_cloexec(std::io::stderr(), last).map(drop)
}

fn wanted(max_connections: usize) -> u64 {
    u64::try_from(max_connections).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(OTHERS)
}
