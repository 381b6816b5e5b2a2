//! The line to paste on the premises, and how the user makes sure of the relay's authority.

use crate::error::Error;
use aws_lc_rs::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;

/// The shell line that enrols an agent. The token is piped, so that no process list shows it.
pub(crate) fn command(relay: &str, token: &str, has_ca: bool) -> String {
    let ca = if has_ca { " --relay-ca ca.pem" } else { "" };
    format!(
        "printf %s '{token}' | uplink-agent enroll --relay {relay} --token-stdin{ca} --allow-jira https://jira.corp.example/jira"
    )
}

/// The whole text after an uplink or a token is made.
pub(crate) fn instructions(
    uplink: &str,
    command: &str,
    until: &str,
    ca: Option<&(String, String)>,
) -> String {
    let mut text = format!(
        "On a machine of `{uplink}` that reaches Jira, put your Jira's address at the end of this line and paste it\n\
         (the token works once, until {until}):\n\n  {command}\n\nthen start the agent:\n\n  uplink-agent run\n"
    );
    if let Some((path, fingerprint)) = ca {
        text.push_str(&format!(
            "\nca.pem is the authority that signs the relay's certificate. Copy it to that machine from here:\n\n  {path}\n\n\
             Its SHA-256 fingerprint, to compare after copying (openssl x509 -in ca.pem -noout -fingerprint -sha256):\n\n  {fingerprint}\n"
        ));
    }
    text
}

/// Absolute path and fingerprint of the authority that this command itself trusts.
pub(crate) fn authority(path: &Path) -> Result<(String, String), Error> {
    let bad = |reason: String| Error::File { what: "the authority file", path: path.to_owned(), reason };
    let absolute = path.canonicalize().map_err(|e| bad(e.to_string()))?;
    let certificate = CertificateDer::from_pem_file(path).map_err(|e| bad(e.to_string()))?;
    Ok((absolute.display().to_string(), fingerprint(&certificate)))
}

fn fingerprint(certificate: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_paste_pipes_the_token_and_names_relay_and_authority() {
        assert_eq!(
            command("https://relay.example.com:8443", "TOKEN", true),
            "printf %s 'TOKEN' | uplink-agent enroll --relay https://relay.example.com:8443 --token-stdin --relay-ca ca.pem \
             --allow-jira https://jira.corp.example/jira"
        );
        assert!(!command("https://r", "T", false).contains("ca.pem"));
    }

    #[test]
    fn the_fingerprint_is_the_one_that_openssl_prints() {
        assert!(fingerprint(b"").starts_with("E3:B0:C4:42:98:FC"));
        assert_eq!(fingerprint(b"").len(), 32 * 3 - 1);
    }

    #[test]
    fn the_instructions_say_where_the_authority_is_and_how_to_compare_it() {
        let ca = ("/data/ca.pem".to_owned(), "AA:BB".to_owned());
        let text = instructions("hq", "LINE", "noon", Some(&ca));
        for part in ["LINE", "until noon", "/data/ca.pem", "AA:BB", "uplink-agent run"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!instructions("hq", "LINE", "noon", None).contains("ca.pem"));
    }
}
