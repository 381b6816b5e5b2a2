//! The commands, each from its flags to what it prints: standard output has the answer, standard error everything else.
#![expect(clippy::print_stdout, reason = "this module is the program's voice on standard output")]

mod evidence;
mod explain;
mod identity;
mod mask_key;
mod pause;
mod preview;
mod standing;

use crate::audit::{self, Entry};
use crate::cli::{
    Cli, Command, Common, ConfigCommand, Doctor, Enroll, LogLevelFlags, LogsFlags, PolicyCommand,
};
use crate::clock;
use crate::config::{self, Config};
use crate::daemon;
use crate::doctor;
use crate::enrol::{self, Outcome};
use crate::error::{EXIT_DONE, Error};
use crate::identity::Identity;
use crate::logs::{self, Control, Source};
use crate::paths::{self, Paths};
use crate::policy::{self, PermittedSite};
use crate::reload;
use crate::service;
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
        Command::Status(given) => standing::show(&given, &common, &paths).await,
        Command::Pause(given) => pause::pause(&given, &common, &paths),
        Command::Resume(given) => pause::resume(&given, &common, &paths),
        Command::Reload => pause::reload(&common, &paths),
        Command::Policy(PolicyCommand::Explain { run }) => {
            explain::run(run.as_deref(), &common, &config::load(&paths.config)?, &paths)
        }
        Command::MaskKey(command) => mask_key::run(&command, &common, &config::load(&paths.config)?, &paths),
        Command::Preview(given) => preview::run(&given, &common, &load(&common, &paths)?.0, &paths).await,
        Command::Logs(given) => show_logs(&given, &paths).await,
        Command::LogLevel(given) => order_log_level(&given, &common, &paths),
        Command::Audit(command) => evidence::audit(&command, &common, &paths),
        Command::Manifest(command) => evidence::manifest(&command, &common, &paths),
        Command::Doctor(given) => doctor(&given, &common, &paths).await,
        Command::RotateKey => identity::rotate_key(&common, &paths).await,
        Command::Peers => identity::list_peers(&common, &paths),
        Command::Confirm(given) => identity::confirm(&given, &common, &paths),
        Command::Leave(given) => identity::leave(&given, &common, &paths).await,
        Command::Enroll(given) => enroll(&given, &common, &paths).await,
        Command::Run(given) => {
            let (config, control) = load(&common, &paths)?;
            daemon::run(&given, &config, &paths, &control).await.map(|()| EXIT_DONE)
        }
    }
}

fn load(common: &Common, paths: &Paths) -> Result<(Config, Control), Error> {
    let config = config::load(&paths.config)?;
    let control = logs::start(
        common.log_level.unwrap_or(config.log.level),
        common.log_format.unwrap_or(config.log.format),
        &config.log,
    )?;
    Ok((config, if common.log_level.is_some() { control.fixed() } else { control }))
}

/// Prints the log of the running agent.
async fn show_logs(given: &LogsFlags, paths: &Paths) -> Result<u8, Error> {
    let config = config::load(&paths.config)?;
    let source = match config.log.file.get() {
        Some(path) => Source::File(path.to_owned()),
        None => Source::Journal,
    };
    logs::follow(&source, given.lines, given.follow, &mut std::io::stdout()).await?;
    Ok(EXIT_DONE)
}

fn order_log_level(given: &LogLevelFlags, common: &Common, paths: &Paths) -> Result<u8, Error> {
    Identity::require(paths)?;
    let config = config::load(&paths.config)?;
    let order = logs::order_level(paths, given.level, given.keep)?;
    let until = clock::text(order.until_ms);
    let level = given.level.name();
    audit::note_once(paths, &config.audit, Entry::order("log_level", &format!("{level} until {until}")))?;
    if common.json {
        println!("{}", json!({"level": level, "until": until}));
    } else {
        println!("The agent logs at {level} until {until}; a running one does so within a second.");
    }
    Ok(EXIT_DONE)
}

/// Exit code 1 means: a check failed. A configuration that cannot be used is 2, as everywhere.
async fn doctor(given: &Doctor, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let password = if given.password_stdin { Some(doctor::read_password(given)?) } else { None };
    let report = doctor::examine(given, password, paths).await?;
    if common.json {
        println!("{}", report.json()?);
    } else {
        print!("{}", report.text());
    }
    if let Some(file) = &given.bundle {
        doctor::write_bundle(file, &report, paths).await?;
        if !common.json {
            println!("The support bundle is {}; look into it before you send it", file.display());
        }
    }
    Ok(report.exit_code())
}

async fn enroll(given: &Enroll, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let (config, _control) = load(common, paths)?;
    let (identity, news) = match enrol::enrol(given, &config, paths).await? {
        Outcome::Enrolled(identity) => {
            let Identity { enrolment, .. } = identity.as_ref();
            let detail =
                format!("agent {} of uplink {} at {}", enrolment.agent_id, enrolment.uplink, enrolment.relay);
            audit::note_once(paths, &config.audit, Entry::order("enroll", &detail))?;
            (identity, true)
        }
        Outcome::AlreadyDone(identity) => (identity, false),
    };
    let permitted = addresses(&policy::gather(&config, paths, &given.premises)?);
    let next = next_command(common);
    let Identity { seeds, enrolment, .. } = *identity;
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
    if common.state.is_none()
        && paths::is_root()
        && let Some(command) = service::start_command()
    {
        return command.to_owned();
    }
    let flag = |name: &str, path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| format!(" {name} {}", path.display())).unwrap_or_default()
    };
    format!("uplink-agent run{}{}", flag("--state", &common.state), flag("--config", &common.config))
}

fn addresses(sites: &[PermittedSite]) -> Vec<String> {
    sites.iter().map(|site| site.address.to_string()).collect()
}

/// Everything that `run` would read, without starting anything.
fn check_config(common: &Common, paths: &Paths) -> Result<u8, Error> {
    let reload::Usable { config, sites, is_enrolled } =
        reload::read(paths, &crate::cli::Premises::default())?;
    let file = paths.config.path();
    if common.json {
        println!(
            "{}",
            json!({"ok": true, "file": file, "file_exists": file.exists(), "state": paths.state, "enrolled": is_enrolled,
            "permitted": addresses(&sites), "max_runs": config.limits.max_runs, "max_parallel": config.limits.max_parallel})
        );
        return Ok(EXIT_DONE);
    }
    let found = if file.exists() { "read" } else { "not there, the defaults count" };
    println!("The configuration is right: {} ({found})", file.display());
    println!(
        "State folder: {} ({})",
        paths.state.display(),
        if is_enrolled { "enrolled" } else { "not enrolled" }
    );
    println!(
        "Permitted to read: {}",
        if sites.is_empty() { "nothing".to_owned() } else { addresses(&sites).join(", ") }
    );
    println!("At most {} runs, {} requests at once each", config.limits.max_runs, config.limits.max_parallel);
    Ok(EXIT_DONE)
}
