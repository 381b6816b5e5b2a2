//! The manifest for a cluster: its commands are ones that the agent understands, and its pod is as closed as the unit.

use super::workspace;
use agent::cli::Cli;
use clap::Parser;

fn manifest() -> String {
    std::fs::read_to_string(workspace().join("packaging/kubernetes/uplink-agent.yaml")).unwrap()
}

/// The arguments that follow a line, each a line of its own, or all in that line.
fn arguments(manifest: &str, name: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut lines = manifest.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix(name) else { continue };
        let mut words: Vec<String> = Vec::new();
        if let Some(list) = rest.trim().strip_prefix('[') {
            words.extend(list.trim_end_matches(']').split(',').map(|word| word.trim().to_owned()));
        }
        while let Some(word) = lines.peek().and_then(|next| next.strip_prefix("- ")) {
            words.push(word.to_owned());
            lines.next();
        }
        found.push(words);
    }
    found
}

#[test]
fn the_manifests_commands_are_the_agents_own() {
    let manifest = manifest();
    let mut commands = arguments(&manifest, "args:");
    let probes = arguments(&manifest, "command:");
    commands.extend(probes.into_iter().map(|words| words[1..].to_vec()));
    assert_eq!(commands.len(), 3, "{commands:?}");
    for words in commands {
        let parsed = Cli::try_parse_from(std::iter::once("uplink-agent".to_owned()).chain(words.clone()));
        assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
    }
}

#[test]
fn the_pod_of_the_manifest_has_no_rights_and_no_port() {
    let manifest = manifest();
    for closed in [
        "automountServiceAccountToken: false",
        "runAsNonRoot: true",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "drop: [ALL]",
        "type: RuntimeDefault",
    ] {
        assert!(manifest.contains(closed), "`{closed}` is missing");
    }
    for open in ["containerPort", "hostNetwork", "privileged", "hostPath", "kind: Service\n", "--token "] {
        assert!(!manifest.contains(open), "`{open}` has no place there");
    }
}
