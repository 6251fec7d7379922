//! How a journal is to be kept.

/// When what was written is made to survive a loss of power. A process that dies loses nothing in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Before each entry counts as written; entries that come together share one sync.
    Always,
    /// Once a second.
    #[default]
    Interval,
    /// When the system sees fit.
    Never,
}

/// How a journal is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// When to sync.
    pub fsync: Fsync,
    /// The size in bytes at which a segment is followed by the next; a quarter of `limit_bytes` at most.
    pub segment_bytes: u64,
    /// The size in bytes of all segments at which calls are refused. One file descriptor is held per segment.
    ///
    /// A call that was opened has its record written at any size. One that goes on although it was refused has it
    /// written up to twice the limit; from there on its record waits in memory for room, as long as `overdue_bytes`
    /// last. So the disk needs twice the limit, and what is owed to the calls that are open.
    pub limit_bytes: u64,
    /// The most bytes of closings to hold in memory while the journal takes none.
    pub overdue_bytes: usize,
    /// The most records to keep in memory for the reader; it reads the files for those that are more, or that the
    /// store did not take.
    pub fresh_records: usize,
}

impl Default for Settings {
    /// 16 MiB a segment, 1 GiB in all, 64 MiB in memory, a sync per second; 8192 records for the reader: a quarter of a
    /// second's at 30,000 a second.
    fn default() -> Self {
        Self {
            fsync: Fsync::default(),
            segment_bytes: 16 << 20,
            limit_bytes: 1 << 30,
            overdue_bytes: 64 << 20,
            fresh_records: 8192,
        }
    }
}
