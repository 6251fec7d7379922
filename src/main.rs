//! The `tollgate` command.

/// Calls allocate and free on several threads; the system's allocator costs a tenth of a call more. Without huge pages
/// (`no_thp`), of which each buffer that is mostly empty would hold its share in full.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tollgate::cli::main()
}
