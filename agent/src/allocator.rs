//! One heap for all threads. glibc gives each thread an arena of its own, and each arena keeps what its thread once needed, so that the
//! resident memory grows with luck and not with what is held. The few threads of an agent share one as fast. glibc takes the setting
//! from the environment of a process that starts, so `run` starts itself once more, under the same process id.

/// glibc's setting. A value given by the administrator stands.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Returns in a process whose threads share one arena; where that cannot be had, in this one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_one_arena() {
    use std::os::unix::process::CommandExt;
    let mut arguments = std::env::args_os();
    let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
    if std::env::var_os(ARENAS).is_some() {
        return;
    }
    let error = std::process::Command::new(program).arg0(name).args(arguments).env(ARENAS, "1").exec();
    // Memory is then merely higher; there is no log yet to say so in.
    drop(error);
}

/// Other allocators have no arena for each thread.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_one_arena() {}
