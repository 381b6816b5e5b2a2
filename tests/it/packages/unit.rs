//! The unit is as hardened as it can be, by systemd's own measure.

use super::workspace;
use std::process::Command;

/// Exposure in tenths: 1.0 is the bar.
const THRESHOLD: &str = "--threshold=10";

/// The exit code of systemd's measure, and what it printed; `None`, said aloud, where there is no systemd to measure with.
fn measured(unit: &std::path::Path) -> Option<(bool, String)> {
    let done = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", THRESHOLD])
        .arg(unit)
        .output();
    let Ok(done) = done else {
        let required = std::env::var("UPLINK_REQUIRE_SYSTEMD").is_ok_and(|value| value == "1");
        assert!(!required, "UPLINK_REQUIRE_SYSTEMD=1, but there is no systemd-analyze on this machine");
        eprintln!("SKIPPED: there is no systemd-analyze on this machine; the unit was not measured");
        return None;
    };
    Some((done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned()))
}

#[test]
fn the_unit_is_exposed_by_1_0_at_most_and_a_weaker_one_is_noticed() {
    let unit = workspace().join("packaging/systemd/uplink-agent.service");
    let Some((good, said)) = measured(&unit) else { return };
    assert!(good, "{said}");
    let place = tempfile::tempdir().unwrap();
    let weaker = place.path().join("uplink-agent.service");
    let text = std::fs::read_to_string(&unit).unwrap().replace("CapabilityBoundingSet=\n", "");
    std::fs::write(&weaker, text).unwrap();
    assert!(!measured(&weaker).unwrap().0, "the measure does not measure");
}
