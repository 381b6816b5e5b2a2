//! One heap for all threads, which gives back what it does not need. glibc gives each thread an arena of its own, and each arena keeps what its thread once needed, so that the
//! resident memory grows with luck and not with what is held. The few threads of an agent share one as fast. By itself glibc also raises
//! the bound above which it gives memory back, so that an agent would keep after a run what the run needed. glibc takes the settings
//! from the environment of a process that starts, so `run` starts itself once more, under the same process id.

/// glibc's setting for arenas. Where the administrator (or the unit) sets it, all of their settings stand.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: &str = "MALLOC_ARENA_MAX";
/// One arena; free memory at the heap's end above 128 KiB, and every piece of 64 KiB or more, goes back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: [(&str, &str); 3] =
    [(ARENAS, "1"), ("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "65536")];

/// Returns in a process whose heap has these settings; where that cannot be had, in this one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_the_heap_small() {
    use std::os::unix::process::CommandExt;
    let mut arguments = std::env::args_os();
    let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
    if std::env::var_os(ARENAS).is_some() {
        return;
    }
    let error = std::process::Command::new(program).arg0(name).args(arguments).envs(SETTINGS).exec();
    // Memory is then merely higher; there is no log yet to say so in.
    drop(error);
}

/// Other allocators have no arena for each thread.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_the_heap_small() {}
