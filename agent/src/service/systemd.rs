//! systemd: the same unit, user and folders that the packages bring, written to /etc.

use super::plan::{self, Step};
use super::{Manager, ServiceError, State};
use crate::config;
use std::path::{Path, PathBuf};

const UNIT: &str = include_str!("../../../packaging/systemd/uplink-agent.service");
const SYSUSERS: &str = include_str!("../../../packaging/systemd/sysusers.d/uplink-agent.conf");
const TMPFILES: &str = include_str!("../../../packaging/systemd/tmpfiles.d/uplink-agent.conf");

const UNIT_NAME: &str = "uplink-agent.service";
const UNIT_PATH: &str = "/etc/systemd/system/uplink-agent.service";
const SYSUSERS_PATH: &str = "/etc/sysusers.d/uplink-agent.conf";
const TMPFILES_PATH: &str = "/etc/tmpfiles.d/uplink-agent.conf";
const CONFIG_PATH: &str = "/etc/uplink-agent/agent.toml";
const CONFIG_FOLDER: &str = "/etc/uplink-agent";
const STATE_FOLDER: &str = "/var/lib/uplink-agent";
const LOG_FOLDER: &str = "/var/log/uplink-agent";
/// Where the unit says that the program is.
const PACKAGED_PROGRAM: &str = "/usr/bin/uplink-agent";
/// Where packages put units.
const PACKAGED_UNITS: [&str; 2] =
    ["/usr/lib/systemd/system/uplink-agent.service", "/lib/systemd/system/uplink-agent.service"];
/// Folders that the unit hides from the service.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// The service manager of most Linux machines.
pub(super) struct Systemd;

/// Whether systemd runs this machine.
pub(super) fn is_here() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

impl Manager for Systemd {
    fn check(&self, program: &Path) -> Result<(), ServiceError> {
        if let Some(unit) = PACKAGED_UNITS.iter().map(PathBuf::from).find(|unit| unit.exists()) {
            return Err(ServiceError::Packaged { unit });
        }
        check_program(program)
    }

    fn install(&self, program: &Path) -> Vec<Step> {
        vec![
            Step::Write(SYSUSERS_PATH.into(), SYSUSERS.to_owned()),
            Step::run(&["systemd-sysusers", "uplink-agent.conf"]),
            Step::Write(TMPFILES_PATH.into(), TMPFILES.to_owned()),
            Step::run(&["systemd-tmpfiles", "--create", "uplink-agent.conf"]),
            Step::WriteOnce(CONFIG_PATH.into(), config::DEFAULTS.to_owned()),
            Step::Write(UNIT_PATH.into(), unit_for(program)),
            Step::run(&["systemctl", "daemon-reload"]),
            Step::run(&["systemctl", "enable", UNIT_NAME]),
        ]
    }

    fn uninstall(&self, purge: bool) -> Vec<Step> {
        let mut steps = vec![
            Step::attempt(&["systemctl", "disable", "--now", UNIT_NAME]),
            Step::Remove(UNIT_PATH.into()),
            Step::Remove(SYSUSERS_PATH.into()),
            Step::Remove(TMPFILES_PATH.into()),
            Step::run(&["systemctl", "daemon-reload"]),
        ];
        if purge {
            steps.extend([
                // Debian comes without this folder; another's file in it keeps it.
                Step::attempt(&["rmdir", "--ignore-fail-on-non-empty", "/etc/sysusers.d"]),
                Step::Remove(STATE_FOLDER.into()),
                Step::Remove(CONFIG_FOLDER.into()),
                Step::Remove(LOG_FOLDER.into()),
                Step::attempt(&["userdel", "uplink-agent"]),
            ]);
        }
        steps
    }

    fn start(&self) -> Vec<Step> {
        vec![Step::run(&["systemctl", "start", UNIT_NAME])]
    }

    fn stop(&self) -> Vec<Step> {
        vec![Step::run(&["systemctl", "stop", UNIT_NAME])]
    }

    fn state(&self) -> Result<State, ServiceError> {
        let asked = "LoadState,ActiveState,SubState,MainPID,NRestarts,ConditionResult,StatusText";
        let words = ["systemctl", "show", UNIT_NAME, "--property", asked];
        plan::output(&words.map(str::to_owned)).map(|text| state_of(&text))
    }

    fn next(&self) -> &'static str {
        "enrol it (`uplinkctl uplink create NAME` prints the line to paste), then `uplink-agent service start`"
    }
}

/// The unit with this program in place of the package's.
fn unit_for(program: &Path) -> String {
    UNIT.replace(PACKAGED_PROGRAM, &program.display().to_string())
}

fn check_program(program: &Path) -> Result<(), ServiceError> {
    let refuse = |reason: String| Err(ServiceError::Program { program: program.to_owned(), reason });
    if let Some(hidden) = HIDDEN.iter().find(|hidden| program.starts_with(hidden)) {
        return refuse(format!("{hidden} is hidden from it"));
    }
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if !program.to_str().is_some_and(plain) {
        return refuse("its path holds characters that a unit would have to escape".to_owned());
    }
    if others_can_write(program) { refuse("other users can replace it".to_owned()) } else { Ok(()) }
}

/// Whoever can write the program decides what the service does.
#[cfg(unix)]
fn others_can_write(program: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    [Some(program), program.parent()]
        .into_iter()
        .flatten()
        .any(|path| std::fs::metadata(path).map_or(true, |met| met.uid() != 0 || met.mode() & 0o022 != 0))
}

#[cfg(not(unix))]
fn others_can_write(_: &Path) -> bool {
    false
}

/// Reads what `systemctl show` printed.
fn state_of(text: &str) -> State {
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default().trim()
    };
    let (active, sub) = (value("ActiveState"), value("SubState"));
    let (installed, running) = (value("LoadState") == "loaded", active == "active");
    let mut detail = format!("{active}, {sub}");
    if running {
        detail.push_str(&format!(", process {}, {} restarts", value("MainPID"), value("NRestarts")));
    } else if installed && value("ConditionResult") == "no" {
        detail.push_str(", the last start was skipped because the agent is not enrolled");
    }
    if running && !value("StatusText").is_empty() {
        detail.push_str(&format!("; {}", value("StatusText")));
    }
    State { installed, running, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_and_permits_the_program_that_installed_it() {
        let unit = unit_for(Path::new("/usr/local/bin/uplink-agent"));
        assert!(unit.contains("\nExecStart=/usr/local/bin/uplink-agent run\n"));
        assert!(unit.contains("\nExecPaths=/usr/local/bin/uplink-agent "));
        assert!(!unit.contains(PACKAGED_PROGRAM), "a place was missed");
    }

    #[test]
    fn a_program_that_the_service_cannot_see_or_others_could_replace_is_refused() {
        for path in [
            "/root/uplink-agent",
            "/home/me/bin/uplink-agent",
            "/tmp/uplink-agent",
            "/opt/my agent/uplink-agent",
        ] {
            let error = check_program(Path::new(path)).unwrap_err().to_string();
            assert!(error.contains(path) && error.contains("/usr/local/bin"), "{error}");
        }
    }

    #[test]
    fn a_purge_takes_what_uninstalling_keeps() {
        let kept = Systemd.uninstall(false);
        let gone = Systemd.uninstall(true);
        for folder in [STATE_FOLDER, CONFIG_FOLDER, LOG_FOLDER] {
            let step = Step::Remove(folder.into());
            assert!(!kept.contains(&step) && gone.contains(&step), "{folder}");
        }
        let installed = Systemd.install(Path::new("/usr/local/bin/uplink-agent"));
        for step in installed {
            if let Step::Write(path, _) = step {
                assert!(kept.contains(&Step::Remove(path.clone())), "{} stays behind", path.display());
            }
        }
    }

    #[test]
    fn the_managers_words_are_read() {
        let text = "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=42\nNRestarts=1\nConditionResult=yes\nStatusText=Linked to https://relay=1\n";
        let state = state_of(text);
        assert!(state.installed && state.running);
        assert!(
            state.detail.contains("process 42") && state.detail.ends_with("Linked to https://relay=1"),
            "{}",
            state.detail
        );
        let absent =
            state_of("LoadState=not-found\nActiveState=inactive\nSubState=dead\nConditionResult=no\n");
        assert!(!absent.installed && !absent.running && !absent.detail.contains("not enrolled"));
        let waiting = state_of(
            "LoadState=loaded\nActiveState=inactive\nSubState=dead\nConditionResult=no\nStatusText=Saying goodbye\n",
        );
        assert!(waiting.installed && waiting.detail.ends_with("not enrolled"), "{}", waiting.detail);
    }
}
