//! Faults: all at once, each with its place.

use super::faults_of;

#[test]
fn a_dangling_reference_is_a_fault_at_its_place() {
    let text =
        include_str!("../fixtures/roster/london-only.toml").replace("calendar = \"london\"", "calendar = \"lodnon\"");
    let faults = faults_of(&text);
    assert_eq!(faults, ["roster.toml:19:12: calendar \"lodnon\" is not in the roster; did you mean \"london\"?"]);
}
