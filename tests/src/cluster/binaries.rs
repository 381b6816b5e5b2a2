//! Where the built programs are: one `cargo build` for a test process, in the profile that the test itself was built with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory that holds the built programs.
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Builds the programs once (a no-op when they are current) and says where they are.
    pub fn built() -> &'static Self {
        static BUILT: OnceLock<Binaries> = OnceLock::new();
        BUILT.get_or_init(Self::build)
    }

    /// The path of one program.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// The folder that holds them.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// The target folder of cargo.
    pub fn target(&self) -> &Path {
        self.dir.parent().expect("the profile lies in the target directory")
    }

    /// The profile that they were built in, as cargo calls it.
    pub fn profile(&self) -> &str {
        match self.dir.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        }
    }

    fn build() -> Self {
        // .../target/<profile>/deps/<test>-<hash> or .../target/<profile>/<program>
        let own = std::env::current_exe().expect("the test knows its own path");
        let parent = own.parent().expect("a program lies in a directory");
        let dir = if parent.ends_with("deps") {
            parent.parent().expect("deps lies in the profile")
        } else {
            parent
        };
        let programs = Self { dir: dir.to_owned() };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let workspace =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
        let mut command = Command::new(cargo);
        command.current_dir(workspace).args([
            "build",
            "--quiet",
            "--workspace",
            "--bins",
            "--profile",
            programs.profile(),
        ]);
        command.env("CARGO_TARGET_DIR", programs.target());
        let status = command.status().expect("cargo starts");
        assert!(status.success(), "the programs did not build");
        programs
    }
}

/// A Python with `pyarrow`, made once in the target directory; `None` (said aloud) where this machine cannot give one.
/// With `UPLINK_REQUIRE_PYTHON=1`, as in continuous integration, the lack of it fails the test.
pub fn python_judge() -> Option<PathBuf> {
    static JUDGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    JUDGE.get_or_init(make_judge).clone()
}

fn make_judge() -> Option<PathBuf> {
    python_with("pyarrow", "import pyarrow.parquet")
}

/// Python with pm4py and pyarrow in the judges' environment; `None`, said aloud, where it cannot be had.
pub fn process_mining_judge() -> Option<PathBuf> {
    static JUDGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    // One after the other: both are installed into one environment.
    JUDGE.get_or_init(|| python_judge().and_then(|_| python_with("pm4py", "import pm4py"))).clone()
}

/// The environment's Python, after the package was installed if need be.
fn python_with(package: &str, import: &str) -> Option<PathBuf> {
    let venv = Binaries::built().dir.parent().expect("a target directory").join("python-judge");
    let python = venv.join("bin").join("python");
    let has_package = |python: &Path| {
        Command::new(python).args(["-c", import]).output().is_ok_and(|output| output.status.success())
    };
    if !has_package(&python) {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&venv)
            .output()
            .is_ok_and(|output| output.status.success());
        if made {
            drop(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]).output());
        }
    }
    if has_package(&python) {
        return Some(python);
    }
    let required = std::env::var("UPLINK_REQUIRE_PYTHON").is_ok_and(|value| value == "1");
    assert!(!required, "UPLINK_REQUIRE_PYTHON=1, but there is no python3 with venv and {package}");
    eprintln!("SKIPPED: no python3 with {package} on this machine; the independent reader did not judge");
    None
}
