//! Real proxies between premises and cloud.

use super::{Host, PROXY_NAME, PremisesNet, RELAY_PORT};
use crate::middlebox::Authority;
use std::net::{Ipv4Addr, SocketAddr};
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
/// Where stunnel listens, which puts TLS before squid.
pub const TLS_PROXY_PORT: u16 = 3130;
/// Where the SOCKS5 proxy listens.
pub const SOCKS_PORT: u16 = 1080;
/// A proxy that does not listen after this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

impl PremisesNet {
    /// Starts squid, which wants a login and connects to the relay's port only.
    pub fn start_squid(&mut self) {
        let users = self.dir.path().join("squid-users");
        let made =
            Command::new("htpasswd").arg("-bc").arg(&users).args([PROXY_USERNAME, PROXY_PASSWORD]).output();
        assert!(made.is_ok_and(|output| output.status.success()), "htpasswd made no file");
        open_to_all("a+r", &users);
        let login = format!("auth_param basic program /usr/lib/squid/basic_ncsa_auth {}", users.display());
        self.start_squid_with(&login);
    }

    /// Starts squid, which takes no other login than NTLM. Its helper goes through the whole exchange and then believes every password.
    pub fn start_squid_with_ntlm(&mut self) {
        self.start_squid_with(
            "auth_param ntlm program /usr/lib/squid/ntlm_fake_auth\nauth_param ntlm children 4",
        );
    }

    fn start_squid_with(&mut self, login: &str) {
        let folder = self.dir.path().join("squid");
        std::fs::create_dir(&folder).expect("a folder for squid");
        let (at, folder_text) = (self.proxy(), folder.display());
        let settings = format!(
            "http_port {at}:{SQUID_PORT}
{login}
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
"
        );
        let file = folder.join("squid.conf");
        std::fs::write(&file, settings).expect("squid's settings");
        // Squid and its helper give up their rights; the folder must be open to them.
        [self.dir.path(), &folder].into_iter().for_each(|path| open_to_all("a+rwx", path));
        let mut command = self.command(Host::Dmz, "sh");
        // Squid makes a table as long as its limit of open files.
        command.args(["-c", "ulimit -n 4096; exec squid -N -f \"$0\""]).arg(&file);
        self.serve(command);
        self.await_listener(Host::Dmz, self.proxy(), SQUID_PORT);
    }

    /// Starts cntlm on the premises' host, which logs in at squid with NTLM and takes whoever comes from the host itself.
    pub fn start_cntlm(&mut self) {
        let settings = format!(
            "Username {PROXY_USERNAME}\nDomain CORP\nPassword {PROXY_PASSWORD}\nProxy {}:{SQUID_PORT}\nListen 127.0.0.1:{SQUID_PORT}\nAuth NTLM\n",
            self.proxy()
        );
        let file = self.dir.path().join("cntlm.conf");
        std::fs::write(&file, settings).expect("cntlm's settings");
        let mut command = self.command(Host::Premises, "cntlm");
        command.args(["-f", "-c"]).arg(&file);
        self.serve(command);
        self.await_listener(Host::Premises, Ipv4Addr::LOCALHOST, SQUID_PORT);
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
        self.await_listener(Host::Dmz, self.proxy(), MITM_PORT);
        folder.join("mitmproxy-ca-cert.pem")
    }

    /// Starts squid, and stunnel before it with a certificate for the proxies' name; gives the file of its authority.
    pub fn start_squid_behind_tls(&mut self) -> PathBuf {
        self.start_squid();
        let (authority, folder) = (Authority::new("Proxy Authority"), self.dir.path().join("stunnel"));
        std::fs::create_dir(&folder).expect("a folder for stunnel");
        let (ca, own, file) = (folder.join("ca.pem"), folder.join("own.pem"), folder.join("stunnel.conf"));
        let at = self.proxy();
        let settings = format!(
            "foreground = yes\npid =\n[proxy]\naccept = {at}:{TLS_PROXY_PORT}\nconnect = {at}:{SQUID_PORT}\ncert = {}\n",
            own.display()
        );
        for (path, text) in
            [(&ca, authority.pem()), (&own, authority.server_pem(&[PROXY_NAME])), (&file, settings)]
        {
            std::fs::write(path, text).expect("stunnel's files");
        }
        let mut command = self.command(Host::Dmz, "stunnel4");
        command.arg(&file);
        self.serve(command);
        self.await_listener(Host::Dmz, self.proxy(), TLS_PROXY_PORT);
        ca
    }

    /// Starts microsocks, a SOCKS5 proxy that wants a login.
    pub fn start_microsocks(&mut self) {
        let mut command = self.command(Host::Dmz, "microsocks");
        command.args(["-i", &self.proxy().to_string(), "-p", &SOCKS_PORT.to_string()]);
        command.args(["-u", PROXY_USERNAME, "-P", PROXY_PASSWORD]);
        self.serve(command);
        self.await_listener(Host::Dmz, self.proxy(), SOCKS_PORT);
    }

    /// Starts dante, a SOCKS5 proxy that lets the premises connect to the relay's port without a login.
    pub fn start_dante(&mut self) {
        let at = self.proxy();
        let settings = format!(
            "logoutput: stderr
internal: {at} port = {SOCKS_PORT}
external: d1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: {at}/24 to: 0.0.0.0/0 }}
socks pass {{ from: {at}/24 to: 0.0.0.0/0 port = {RELAY_PORT} command: connect }}
"
        );
        let file = self.dir.path().join("danted.conf");
        std::fs::write(&file, settings).expect("dante's settings");
        let mut command = self.command(Host::Dmz, "danted");
        command.arg("-f").arg(&file).args(["-p", "/dev/null"]);
        self.serve(command);
        self.await_listener(Host::Dmz, self.proxy(), SOCKS_PORT);
    }

    /// What squid noted of each request.
    pub fn squid_log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("squid/access.log")).unwrap_or_default()
    }

    /// Asks on the proxy's own host, so that the capture at the premises shows nothing of it.
    fn await_listener(&self, host: Host, at: Ipv4Addr, port: u16) {
        let wanted = SocketAddr::from((at, port)).to_string();
        let began = Instant::now();
        loop {
            let listed = self.command(host, "ss").args(["-Hltn"]).output().expect("ss starts");
            if String::from_utf8_lossy(&listed.stdout).contains(&wanted) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no proxy listens at {wanted}: {}", self.service_logs());
            // A foreign program gives no word when it listens.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the services of this network printed.
    pub fn service_logs(&self) -> String {
        let logs = (0..self.services.len())
            .map(|number| std::fs::read_to_string(self.dir.path().join(format!("service-{number}.log"))));
        logs.map(Result::unwrap_or_default).collect()
    }
}

fn open_to_all(mode: &str, path: &Path) {
    let opened = Command::new("chmod").arg(mode).arg(path).status();
    assert!(opened.is_ok_and(|status| status.success()), "{} cannot be opened", path.display());
}

/// Where `mitmdump` is: in the path, or in the virtual environment that continuous integration makes in the target directory.
pub fn mitmdump() -> String {
    let made = crate::cluster::Binaries::built().target().join("mitmproxy/bin/mitmdump");
    if made.exists() { made.display().to_string() } else { "mitmdump".to_owned() }
}
