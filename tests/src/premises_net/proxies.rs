//! Real proxies between premises and cloud.

use super::{Host, PremisesNet, RELAY_PORT};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The account at the proxies.
pub const PROXY_USERNAME: &str = "agent";
/// Its password; made to be found again in places where it must not be.
pub const PROXY_PASSWORD: &str = "pr0xy-canary/word";
/// Where squid listens.
pub const SQUID_PORT: u16 = 3128;
/// Where mitmproxy listens.
pub const MITM_PORT: u16 = 3129;
/// A proxy that does not listen after this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

impl PremisesNet {
    /// Starts squid, which wants a login and connects to the relay's port only.
    pub fn start_squid(&mut self) {
        let folder = self.dir.path().join("squid");
        std::fs::create_dir(&folder).expect("a folder for squid");
        let users = folder.join("users");
        let made =
            Command::new("htpasswd").arg("-bc").arg(&users).args([PROXY_USERNAME, PROXY_PASSWORD]).output();
        assert!(made.is_ok_and(|output| output.status.success()), "htpasswd made no file");
        let (at, folder_text) = (self.proxy(), folder.display());
        let settings = format!(
            "http_port {at}:{SQUID_PORT}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {users}
acl ok proxy_auth REQUIRED
acl tls port {RELAY_PORT}
http_access deny CONNECT !tls
http_access allow ok
http_access deny all
cache deny all
cache_mem 8 MB
dns_nameservers {at}
access_log stdio:{folder_text}/access.log
cache_log {folder_text}/cache.log
pid_filename none
shutdown_lifetime 1 seconds
visible_hostname proxy.test
",
            users = users.display()
        );
        let file = folder.join("squid.conf");
        std::fs::write(&file, settings).expect("squid's settings");
        // Squid and its helper give up their rights; the folder must be open to them.
        for path in [self.dir.path(), &folder] {
            let opened = Command::new("chmod").arg("a+rwx").arg(path).status();
            assert!(opened.is_ok_and(|status| status.success()));
        }
        let opened = Command::new("chmod").arg("a+r").arg(&users).status();
        assert!(opened.is_ok_and(|status| status.success()));
        let mut command = self.command(Host::Dmz, "sh");
        // Squid makes a table as long as its limit of open files.
        command.args(["-c", "ulimit -n 4096; exec squid -N -f \"$0\""]).arg(&file);
        self.serve(command);
        self.await_listener(SQUID_PORT);
    }

    /// Starts mitmproxy, which wants a login and decrypts everything; gives the file of its authority.
    pub fn start_mitmproxy(&mut self, program: &Path, relay_authority: &Path) -> PathBuf {
        let folder = self.dir.path().join("mitmproxy");
        let mut command = self.command(Host::Dmz, &program.display().to_string());
        command.args(["-q", "--listen-host", &self.proxy().to_string(), "-p", &MITM_PORT.to_string()]);
        command.arg("--proxyauth").arg(format!("{PROXY_USERNAME}:{PROXY_PASSWORD}"));
        command.arg("--set").arg(format!("confdir={}", folder.display()));
        command.arg("--set").arg(format!("ssl_verify_upstream_trusted_ca={}", relay_authority.display()));
        self.serve(command);
        self.await_listener(MITM_PORT);
        folder.join("mitmproxy-ca-cert.pem")
    }

    /// What squid noted of each request.
    pub fn squid_log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("squid/access.log")).unwrap_or_default()
    }

    /// Asks from the proxies' own host, so that the capture at the premises shows nothing of it.
    fn await_listener(&self, port: u16) {
        let wanted = SocketAddr::from((self.proxy(), port)).to_string();
        let began = Instant::now();
        loop {
            let listed = self.command(Host::Dmz, "ss").args(["-Hltn"]).output().expect("ss starts");
            if String::from_utf8_lossy(&listed.stdout).contains(&wanted) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no proxy listens at {wanted}: {}", self.service_logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn service_logs(&self) -> String {
        let logs = (0..self.services.len())
            .map(|number| std::fs::read_to_string(self.dir.path().join(format!("service-{number}.log"))));
        logs.map(Result::unwrap_or_default).collect()
    }
}

/// Where `mitmdump` is: in the path, or in the virtual environment that continuous integration makes in the target directory.
pub fn mitmdump() -> String {
    let made = crate::cluster::Binaries::built().target().join("mitmproxy/bin/mitmdump");
    if made.exists() { made.display().to_string() } else { "mitmdump".to_owned() }
}
