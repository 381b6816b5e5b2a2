//! Windows: a task that starts with the machine, under the account of local services, restarted when it fails. Not a service in the
//! sense of Windows' service control, whose protocol needs code that this program forbids itself (`unsafe`). Compiled and tested as text
//! on every platform; on Windows it has not been tried.

use super::launchd::escaped;
use super::plan::{self, Step};
use super::{Manager, ServiceError, State};
use crate::config;
use std::path::{Path, PathBuf};

const TASK: &str = "uplink-agent";

/// The task scheduler of Windows.
pub(super) struct TaskScheduler;

impl Manager for TaskScheduler {
    fn check(&self, program: &Path) -> Result<(), ServiceError> {
        let users = Path::new(r"C:\Users");
        if program.starts_with(users) {
            let reason = "the folders of users are closed to it; put it below C:\\Program Files".to_owned();
            return Err(ServiceError::Program { program: program.to_owned(), reason });
        }
        Ok(())
    }

    fn install(&self, program: &Path) -> Vec<Step> {
        let (folder, definition) = (data_folder(), data_folder().join("task.xml"));
        let (folder_text, definition_text) = (folder.display().to_string(), definition.display().to_string());
        vec![
            Step::WriteOnce(folder.join("agent.toml"), config::DEFAULTS.to_owned()),
            // Administrators, the system and the service's own account; nobody else, nothing inherited.
            Step::run(&[
                "icacls",
                &folder_text,
                "/inheritance:r",
                "/grant:r",
                "*S-1-5-32-544:(OI)(CI)F",
                "*S-1-5-18:(OI)(CI)F",
                "*S-1-5-19:(OI)(CI)M",
            ]),
            Step::Write(definition, task(program, &folder)),
            Step::run(&["schtasks", "/create", "/f", "/tn", TASK, "/xml", &definition_text]),
        ]
    }

    fn uninstall(&self, purge: bool) -> Vec<Step> {
        let mut steps = vec![
            Step::attempt(&["schtasks", "/end", "/tn", TASK]),
            Step::attempt(&["schtasks", "/delete", "/f", "/tn", TASK]),
            Step::Remove(data_folder().join("task.xml")),
        ];
        if purge {
            steps.push(Step::Remove(data_folder()));
        }
        steps
    }

    fn start(&self) -> Vec<Step> {
        vec![Step::run(&["schtasks", "/run", "/tn", TASK])]
    }

    fn stop(&self) -> Vec<Step> {
        vec![Step::run(&["schtasks", "/end", "/tn", TASK])]
    }

    fn state(&self) -> Result<State, ServiceError> {
        let words = ["schtasks", "/query", "/tn", TASK, "/fo", "csv", "/nh"].map(str::to_owned);
        Ok(match plan::output(&words) {
            Ok(text) => state_of(&text),
            Err(_) => State {
                installed: false,
                running: false,
                detail: "the scheduler does not know it".to_owned(),
            },
        })
    }

    fn next(&self) -> &'static str {
        r"enrol it with `--state %ProgramData%\uplink-agent\state`, then `uplink-agent service start`"
    }
}

fn data_folder() -> PathBuf {
    let root = std::env::var_os("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
    PathBuf::from(root).join("uplink-agent")
}

/// The last column of the answer is the task's status.
fn state_of(text: &str) -> State {
    let status = text.trim().rsplit(',').next().unwrap_or_default().trim_matches('"').to_owned();
    State { installed: true, running: status == "Running", detail: status }
}

fn task(program: &Path, folder: &Path) -> String {
    let arguments = format!(
        "run --state \"{}\" --config \"{}\"",
        folder.join("state").display(),
        folder.join("agent.toml").display()
    );
    format!(
        r#"<?xml version="1.0"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>Uplink agent: reads Jira on the premises and streams tables to a relay</Description></RegistrationInfo>
  <Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-19</UserId><RunLevel>LeastPrivilege</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author"><Exec><Command>{}</Command><Arguments>{}</Arguments></Exec></Actions>
</Task>
"#,
        escaped(&program.display().to_string()),
        escaped(&arguments)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_starts_with_the_machine_and_is_restarted_for_ever() {
        let text = task(Path::new("uplink-agent.exe"), Path::new("data"));
        for wanted in [
            "<BootTrigger>",
            "<ExecutionTimeLimit>PT0S<",
            "<RestartOnFailure>",
            "S-1-5-19",
            "<Command>uplink-agent.exe</Command>",
        ] {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert!(text.contains("--state &quot;"), "{text}");
    }

    #[test]
    fn what_the_scheduler_prints_is_read() {
        assert!(state_of("\"\\uplink-agent\",\"N/A\",\"Running\"\r\n").running);
        assert!(!state_of("\"\\uplink-agent\",\"N/A\",\"Ready\"\r\n").running);
    }

    #[test]
    fn keys_are_kept_unless_told_to_purge() {
        assert!(!TaskScheduler.uninstall(false).contains(&Step::Remove(data_folder())));
        assert!(TaskScheduler.uninstall(true).contains(&Step::Remove(data_folder())));
    }
}
