//! Runs what `benches/instructions/run` counts the instructions of: each stage of a call, and whole calls.
//!
//! Under callgrind, which counts within [`counted`] alone and writes its count down each time that is left. Everything
//! that a stage is given is the same in every run.

#![expect(clippy::print_stdout, reason = "says what is counted, in order")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up is to fail")]

mod calls;
mod fixtures;
mod stages;

use calls::Serving;

/// As in the program itself: allocations are instructions too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often each stage runs before it is counted: until nothing is done for the first time.
const WARM_UP: u32 = 50;

/// How often each stage is counted.
const CALLS: u32 = 200;

/// A stage by its name.
type Stage<'a> = (&'static str, Box<dyn FnMut() + 'a>);

fn main() {
    println!("{CALLS}");
    // One thread: what it does is the same every time, and what it waits for is not counted.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let parts = stages::Parts::new(&runtime, folder.path());
    let plain = Serving::start(&runtime, &folder.path().join("plain"), "[ledger]\nenabled = false\n");
    let ledgered = Serving::start(&runtime, &folder.path().join("ledgered"), "");
    let calls = [
        plain.converse(&runtime, "call: Converse"),
        plain.stream(&runtime, "call: ConverseStream, 20 events"),
        ledgered.converse(&runtime, "call: Converse, ledger"),
    ];
    for (name, mut stage) in parts.stages(&runtime).into_iter().chain(calls) {
        for _ in 0..WARM_UP {
            stage();
        }
        counted(&mut stage);
        println!("{name}");
    }
}

#[inline(never)]
fn counted(stage: &mut dyn FnMut()) {
    for _ in 0..CALLS {
        stage();
    }
}
