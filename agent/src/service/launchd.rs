//! launchd, the service manager of macOS. Its files and commands are compiled and tested as text on every platform; on a Mac they have
//! not been tried.

use super::plan::{self, Step};
use super::{Manager, ServiceError, State};
use crate::config;
use std::path::Path;

const LABEL: &str = "uplink-agent";
const PLIST_PATH: &str = "/Library/LaunchDaemons/uplink-agent.plist";
const FOLDER: &str = "/Library/Application Support/uplink-agent";
const STATE_FOLDER: &str = "/Library/Application Support/uplink-agent/state";
const CONFIG_PATH: &str = "/Library/Application Support/uplink-agent/agent.toml";
const LOG_PATH: &str = "/Library/Logs/uplink-agent.log";
/// The least that macOS has without making a user.
const USER: &str = "nobody";

/// The service manager of macOS.
pub(super) struct Launchd;

impl Manager for Launchd {
    fn check(&self, program: &Path) -> Result<(), ServiceError> {
        if program.starts_with("/Users") {
            let reason = "the folders of users are closed to it".to_owned();
            return Err(ServiceError::Program { program: program.to_owned(), reason });
        }
        Ok(())
    }

    fn install(&self, program: &Path) -> Vec<Step> {
        vec![
            Step::WriteOnce(CONFIG_PATH.into(), config::DEFAULTS.to_owned()),
            Step::run(&["install", "-d", "-m", "0700", "-o", USER, STATE_FOLDER]),
            Step::Write(PLIST_PATH.into(), plist(program)),
            Step::attempt(&["launchctl", "bootout", "system/uplink-agent"]),
            Step::run(&["launchctl", "bootstrap", "system", PLIST_PATH]),
        ]
    }

    fn uninstall(&self, purge: bool) -> Vec<Step> {
        let mut steps = vec![
            Step::attempt(&["launchctl", "bootout", "system/uplink-agent"]),
            Step::Remove(PLIST_PATH.into()),
        ];
        if purge {
            steps.extend([Step::Remove(FOLDER.into()), Step::Remove(LOG_PATH.into())]);
        }
        steps
    }

    fn start(&self) -> Vec<Step> {
        vec![
            Step::attempt(&["launchctl", "bootstrap", "system", PLIST_PATH]),
            Step::run(&["launchctl", "kickstart", "system/uplink-agent"]),
        ]
    }

    /// A daemon that is kept alive stops only when it is taken out.
    fn stop(&self) -> Vec<Step> {
        vec![Step::run(&["launchctl", "bootout", "system/uplink-agent"])]
    }

    fn state(&self) -> Result<State, ServiceError> {
        let installed = Path::new(PLIST_PATH).exists();
        let words = ["launchctl", "print", "system/uplink-agent"].map(str::to_owned);
        Ok(match plan::output(&words) {
            Ok(text) => state_of(&text, installed),
            Err(_) => State { installed, running: false, detail: "launchd does not hold it".to_owned() },
        })
    }

    fn next(&self) -> &'static str {
        "enrol it with `--state '/Library/Application Support/uplink-agent/state'`, then `uplink-agent service start`"
    }
}

fn state_of(text: &str, installed: bool) -> State {
    let line =
        text.lines().map(str::trim).find(|line| line.starts_with("state = ")).unwrap_or("state unknown");
    State { installed, running: line == "state = running", detail: line.to_owned() }
}

/// Kept alive whatever its exit, at most once in ten seconds.
fn plist(program: &Path) -> String {
    let program = program.display().to_string();
    let arguments: String = [program.as_str(), "run", "--state", STATE_FOLDER, "--config", CONFIG_PATH]
        .iter()
        .map(|word| format!("    <string>{}</string>\n", escaped(word)))
        .collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array>
{arguments}  </array>
  <key>UserName</key>
  <string>{USER}</string>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardErrorPath</key>
  <string>{LOG_PATH}</string>
</dict>
</plist>
"#
    )
}

/// Text as XML wants it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plist_names_program_state_and_configuration() {
        let text = plist(Path::new("/usr/local/bin/a&b"));
        for wanted in [
            "<string>/usr/local/bin/a&amp;b</string>",
            "<string>run</string>",
            STATE_FOLDER,
            CONFIG_PATH,
            "<key>KeepAlive</key>",
        ] {
            assert!(text.contains(wanted), "{wanted}");
        }
    }

    #[test]
    fn what_launchd_prints_is_read() {
        assert!(state_of("system/uplink-agent = {\n\tstate = running\n\tpid = 9\n", true).running);
        assert!(!state_of("\tstate = spawn scheduled\n", true).running);
    }

    #[test]
    fn uninstalling_keeps_keys_unless_told_to_purge() {
        assert!(!Launchd.uninstall(false).contains(&Step::Remove(FOLDER.into())));
        assert!(Launchd.uninstall(true).contains(&Step::Remove(FOLDER.into())));
    }
}
