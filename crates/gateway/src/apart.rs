//! Work off the way of requests: on threads that give way, and that leave no memory behind.

use std::panic::resume_unwind;
use std::thread;

/// How much less such threads matter than those that serve: with as many of both as cores, about a tenth.
///
/// Those that serve wait a third as long beside threads that run only when nobody else wants to (`SCHED_IDLE`: 92 ms in place of
/// 310 of 3 s, with ten snapshots a second on one core), but a core that is full would hear of no change any more.
const NICENESS: i32 = 10;
/// Enough that glibc tidies up an arena for it, too little to come from anywhere else.
const TIDIED_FOR_BYTES: usize = 100 * 1024;

/// Does work that needs much memory for a short time on a thread of its own, and waits for it.
///
/// What it leaves then lies together, apart from what stays, and can go back to the system ([`settle`]).
pub fn run<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = || {
        give_way();
        work()
    };
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Gives memory back to the system that was freed after [`run`].
///
/// glibc keeps small pieces that were freed as they are, in the arena they came from, until somebody asks this arena
/// for a large one. A new thread gets the arena of one that has ended. Where the allocator is another one, this does
/// nothing.
pub(crate) fn settle() {
    let ask = || drop(std::hint::black_box(Vec::<u8>::with_capacity(TIDIED_FOR_BYTES)));
    // Without a thread to be had, the memory stays for the next snapshot.
    if let Ok(thread) = thread::Builder::new().spawn(ask) {
        let _ = thread.join();
    }
}

/// Lets threads that serve go first on a core that they share with this one.
pub(crate) fn give_way() {
    // Where that is not allowed, all threads are alike.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}
