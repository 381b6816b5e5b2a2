//! No code without a test that produces it.

use std::path::Path;

#[test]
fn every_code_of_the_catalogue_is_produced_by_a_test_of_this_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/doctor");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tests: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let codes = agent::catalogue::Code::ALL.iter().map(|code| code.name());
    let untried: Vec<_> = codes.filter(|code| !tests.contains(&format!("\"{code}\""))).collect();
    assert!(untried.is_empty(), "the doctor can name these, and no test produces them: {untried:?}");
}
