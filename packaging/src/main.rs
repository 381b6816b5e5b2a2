//! `package-files DIR`: writes the manual pages and shell completions of `uplink-agent` below DIR, from its own definition of commands
//! and flags. A program of the build, so that the agent does not carry what is needed once.
#![expect(clippy::print_stderr, reason = "the one place where a failure is told to a person")]

mod manual;

use agent::cli::Cli;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const PROGRAM: &str = "uplink-agent";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: package-files DIR");
        return ExitCode::from(2);
    };
    match write(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("package-files: {}: {error}", Path::new(&folder).display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let (man, completions) = (fresh(folder, "man")?, fresh(folder, "completions")?);
    manual::write(&command(), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command(), PROGRAM, &completions)?;
    }
    Ok(())
}

/// What an older definition left must not be packed.
fn fresh(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

fn command() -> Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(command: &Command, prefix: &str, found: &mut Vec<String>) {
        found.push(prefix.to_owned());
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
            names(sub, &format!("{prefix}-{}", sub.get_name()), found);
        }
    }

    #[test]
    fn every_command_has_a_page_that_names_its_flags_and_every_shell_knows_it() {
        let place = std::env::temp_dir().join(format!("package-files-{}", std::process::id()));
        write(&place).unwrap();
        let mut commands = Vec::new();
        names(&command(), PROGRAM, &mut commands);
        assert!(commands.contains(&"uplink-agent-config-check".to_owned()), "{commands:?}");
        for name in &commands {
            let page = std::fs::read_to_string(place.join("man").join(format!("{name}.1"))).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{name}");
        }
        let enrol = std::fs::read_to_string(place.join("man/uplink-agent-enroll.1")).unwrap();
        assert!(enrol.contains("token\\-stdin"), "{enrol}");
        let whole = std::fs::read_to_string(place.join("man/uplink-agent.1")).unwrap();
        for section in ["FILES", "EXIT STATUS", "SEE ALSO"] {
            assert!(whole.contains(section), "{section}");
        }
        for file in ["uplink-agent.bash", "_uplink-agent", "uplink-agent.fish"] {
            let text = std::fs::read_to_string(place.join("completions").join(file)).unwrap();
            assert!(text.contains("enroll") && text.contains("token-stdin"), "{file}");
        }
        std::fs::remove_dir_all(place).unwrap();
    }
}
