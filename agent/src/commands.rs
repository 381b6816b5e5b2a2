//! The commands, each from its flags to what it prints: standard output has the answer, standard error everything else.
#![expect(clippy::print_stdout, reason = "this module is the program's voice on standard output")]

mod pause;

use crate::cli::{Cli, Command, Common, ConfigCommand, Enroll};
use crate::clock;
use crate::config::{self, Config};
use crate::daemon;
use crate::enrol::{self, Outcome};
use crate::error::{EXIT_DONE, EXIT_FAILED, Error};
use crate::identity::Identity;
use crate::logs;
use crate::orders::{Pause, read_pause};
use crate::paths::Paths;
use crate::policy::{self, PermittedSite};
use crate::secrets;
use crate::service;
use crate::status::{self, LinkState, Reading, Status};
use serde_json::json;

/// Does what the command line says and gives the exit code.
///
/// # Errors
/// What to print on standard error; [`Error::exit_code`] is the exit code then.
pub async fn execute(cli: Cli) -> Result<u8, Error> {
    let Cli { common, command } = cli;
    let paths = Paths::for_process(common.state.clone(), common.config.clone())?;
    match command {
        Command::Config(ConfigCommand::Defaults) => {
            print!("{}", config::DEFAULTS);
            Ok(EXIT_DONE)
        }
        Command::Config(ConfigCommand::Check) => check_config(&common, &paths),
        Command::Service(what) => service::execute(&what, common.json),
        Command::Status => show_status(&common, &paths),
        Command::Pause(given) => pause::pause(&given, &common, &paths),
        Command::Resume => pause::resume(&common, &paths),
        Command::Enroll(given) => enroll(&given, &common, &paths).await,
        Command::Run(given) => {
            let config = load(&common, &paths)?;
            daemon::run(&given, &config, &paths).await.map(|()| EXIT_DONE)
        }
    }
}

fn load(common: &Common, paths: &Paths) -> Result<Config, Error> {
    let config = config::load(&paths.config)?;
    logs::start(
        common.log_level.unwrap_or(config.log.level),
        common.log_format.unwrap_or(config.log.format),
    )?;
    Ok(config)
}

async fn enroll(given: &Enroll, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let config = load(common, paths)?;
    let (identity, news) = match enrol::enrol(given, &config, paths).await? {
        Outcome::Enrolled(identity) => (identity, true),
        Outcome::AlreadyDone(identity) => (identity, false),
    };
    let permitted = addresses(&policy::gather(&config, paths, &given.premises)?);
    let next = next_command(common);
    let Identity { seeds, enrolment } = *identity;
    let fingerprint = seeds.fingerprint()?;
    if common.json {
        println!(
            "{}",
            json!({"agent_id": enrolment.agent_id, "name": enrolment.name, "uplink": enrolment.uplink, "relay": enrolment.relay,
                "relay_id": enrolment.relay_id, "fingerprint": fingerprint, "permitted": permitted, "state": paths.state,
                "already_enrolled": !news, "next": next})
        );
        return Ok(EXIT_DONE);
    }
    let verb = if news { "Enrolled" } else { "Already enrolled with this token" };
    println!(
        "{verb}: agent {} ({}) of uplink {} at {}",
        enrolment.agent_id, enrolment.name, enrolment.uplink, enrolment.relay
    );
    println!(
        "Fingerprint: {fingerprint}   (the relay must show the same: `uplinkctl uplink show {}`)",
        enrolment.uplink
    );
    println!("Keys and settings are in {}", paths.state.display());
    match permitted.as_slice() {
        [] => println!("No Jira is permitted yet: repeat with --allow-jira URL, or give it to `run`"),
        some => println!("Permitted to read: {}", some.join(", ")),
    }
    println!("Next: {next}");
    Ok(EXIT_DONE)
}

/// The command that starts what was just enrolled, with the same places.
fn next_command(common: &Common) -> String {
    let flag = |name: &str, path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| format!(" {name} {}", path.display())).unwrap_or_default()
    };
    format!("uplink-agent run{}{}", flag("--state", &common.state), flag("--config", &common.config))
}

fn addresses(sites: &[PermittedSite]) -> Vec<String> {
    sites.iter().map(|site| site.address.to_string()).collect()
}

/// Exit code 0 means: it runs. A link that is down for now is shown and is no failure of the agent.
fn show_status(common: &Common, paths: &Paths) -> Result<u8, Error> {
    let identity = Identity::require(paths)?;
    match status::read(paths)? {
        Reading::Running(status) if common.json => {
            println!("{}", json!({"running": true, "status": *status}));
            Ok(EXIT_DONE)
        }
        Reading::Running(status) => {
            // An order that cannot be read is told by the status.
            print_status(&status, read_pause(paths).ok().flatten().as_ref());
            Ok(EXIT_DONE)
        }
        Reading::NotRunning(why) => {
            let enrolment = &identity.enrolment;
            if common.json {
                println!(
                    "{}",
                    json!({"running": false, "reason": why, "agent_id": enrolment.agent_id, "uplink": enrolment.uplink,
                    "relay": enrolment.relay, "fingerprint": identity.seeds.fingerprint()?})
                );
                return Ok(EXIT_FAILED);
            }
            println!(
                "Agent {} ({}) of uplink {} at {}",
                enrolment.agent_id, enrolment.name, enrolment.uplink, enrolment.relay
            );
            println!("Fingerprint: {}", identity.seeds.fingerprint()?);
            Err(Error::NotRunning(format!(
                "the agent is not running: {why}; start it with `{}`",
                next_command(common)
            )))
        }
    }
}

fn print_status(status: &Status, pause: Option<&Pause>) {
    println!(
        "Agent {} ({}) of uplink {}, version {}, process {}, since {}",
        status.agent_id, status.name, status.uplink, status.version, status.pid, status.started_at
    );
    println!("Fingerprint: {}", status.fingerprint);
    let link = match status.link.state {
        LinkState::Connecting => "connecting".to_owned(),
        LinkState::Up => "up".to_owned(),
        LinkState::Waiting => format!(
            "down, next attempt at {}",
            status.link.next_attempt_at.as_deref().unwrap_or("any moment")
        ),
        LinkState::Stopped => "stopped".to_owned(),
    };
    println!("Link to {}: {link} (since {})", status.relay, status.link.since);
    match (pause, &status.halted) {
        (Some(pause), _) => {
            println!("Paused since {} by {}: {}", clock::text(pause.since_ms), pause.by, pause.reason);
        }
        (None, Some(reason)) => println!("No work is taken: {reason}"),
        (None, None) => {}
    }
    println!(
        "Permitted to read: {}",
        if status.permitted.is_empty() { "nothing".to_owned() } else { status.permitted.join(", ") }
    );
    if status.runs.is_empty() {
        println!("Runs: none");
    }
    for run in &status.runs {
        let progress = &run.progress;
        let total = progress.issues_total.map(|total| format!(" of {total}")).unwrap_or_default();
        println!(
            "Run {} of {} since {}: {}, {}{total} issues read, {} bytes read, {} bytes sent",
            run.run,
            run.connection,
            run.started_at,
            progress.phase,
            progress.issues_read,
            progress.bytes_read,
            progress.bytes_sent
        );
    }
    if let Some(error) = &status.last_error {
        println!("Last error, {} ({}): {} [{}]", error.at, error.about, error.message, error.code);
    }
}

/// Everything that `run` would read, without starting anything.
fn check_config(common: &Common, paths: &Paths) -> Result<u8, Error> {
    let config = config::load(&paths.config)?;
    let sites = policy::gather(&config, paths, &crate::cli::Premises::default())?;
    for account in sites.iter().flat_map(|site| &site.accounts) {
        secrets::read_password(&account.password_file).map_err(|error| Error::BadValue {
            key: "jira[].password_file".to_owned(),
            place: paths.config.path().display().to_string(),
            reason: error.to_string(),
        })?;
    }
    let identity = Identity::load(paths)?;
    if let Some(identity) = &identity {
        daemon::authority(identity, &config, paths)?.tls()?;
    }
    let file = paths.config.path();
    if common.json {
        println!(
            "{}",
            json!({"ok": true, "file": file, "file_exists": file.exists(), "state": paths.state, "enrolled": identity.is_some(),
            "permitted": addresses(&sites), "max_runs": config.limits.max_runs, "max_parallel": config.limits.max_parallel})
        );
        return Ok(EXIT_DONE);
    }
    let found = if file.exists() { "read" } else { "not there, the defaults count" };
    println!("The configuration is right: {} ({found})", file.display());
    println!(
        "State folder: {} ({})",
        paths.state.display(),
        if identity.is_some() { "enrolled" } else { "not enrolled" }
    );
    println!(
        "Permitted to read: {}",
        if sites.is_empty() { "nothing".to_owned() } else { addresses(&sites).join(", ") }
    );
    println!("At most {} runs, {} requests at once each", config.limits.max_runs, config.limits.max_parallel);
    Ok(EXIT_DONE)
}
