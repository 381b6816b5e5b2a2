//! `mask-key`: the key by which columns are pseudonymised.

use crate::cli::{Common, MaskKeyCommand};
use crate::config::Config;
use crate::error::{EXIT_DONE, Error};
use crate::paths::Paths;
use crate::policy::MaskKey;
use crate::private_file;
use serde_json::json;
use std::io::Read;
use zeroize::Zeroizing;

/// Longest text that could be a key.
const MOST_BYTES: u64 = 4096;

pub(super) fn run(
    command: &MaskKeyCommand,
    common: &Common,
    config: &Config,
    paths: &Paths,
) -> Result<u8, Error> {
    let (key, verb) = match command {
        MaskKeyCommand::Create => match MaskKey::load(config, paths)? {
            Some(held) => (held, "There is a key already"),
            None => (MaskKey::draw()?, "Made a key"),
        },
        MaskKeyCommand::Import => (from_stdin()?, "Took the key"),
        MaskKeyCommand::Show => {
            let missing =
                || Error::Usage("there is no key; `uplink-agent mask-key create` makes one".to_owned());
            (MaskKey::load(config, paths)?.ok_or_else(missing)?, "Key")
        }
    };
    private_file::ensure_folder(&paths.state)?;
    let path = key.keep(config, paths)?;
    if common.json {
        println!("{}", json!({"fingerprint": key.fingerprint(), "file": path}));
        return Ok(EXIT_DONE);
    }
    println!("{verb}: {}", key.fingerprint());
    println!(
        "It is in {}. All agents of the uplink need the same one: `mask-key import < mask.key` there",
        path.display()
    );
    Ok(EXIT_DONE)
}

fn from_stdin() -> Result<MaskKey, Error> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .take(MOST_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Error::System { action: "read standard input", reason: error.to_string() })?;
    MaskKey::parse(&text).map_err(|reason| Error::Usage(format!("standard input holds no key: {reason}")))
}
