//! Everything that `doctor` can find, in one table: the document for people (docs/doctor.md) is made from it, and a finding can only
//! carry a code that stands here.

/// What is looked at, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// Configuration file, environment, and the files that they name.
    Config,
    /// The folder of keys and settings.
    State,
    /// Keys and enrolment.
    Identity,
    /// The relay's name.
    RelayName,
    /// The proxy on the way to the relay.
    Proxy,
    /// The relay's port.
    RelayConnect,
    /// The relay's certificate.
    RelayTls,
    /// This machine's clock against the relay's.
    Clock,
    /// The upgrade to a WebSocket.
    RelayUpgrade,
    /// The relay's first message.
    RelayChallenge,
    /// What the relay says of this agent.
    Enrolment,
    /// A Jira's name.
    JiraName,
    /// A Jira's port.
    JiraConnect,
    /// A Jira's certificate.
    JiraTls,
    /// A Jira's REST interface.
    JiraApi,
    /// The login of an account there.
    JiraLogin,
}

impl Check {
    /// Every check, in the order of the report.
    pub const ALL: [Self; 16] = [
        Self::Config,
        Self::State,
        Self::Identity,
        Self::RelayName,
        Self::Proxy,
        Self::RelayConnect,
        Self::RelayTls,
        Self::Clock,
        Self::RelayUpgrade,
        Self::RelayChallenge,
        Self::Enrolment,
        Self::JiraName,
        Self::JiraConnect,
        Self::JiraTls,
        Self::JiraApi,
        Self::JiraLogin,
    ];

    /// The stable name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::State => "state",
            Self::Identity => "identity",
            Self::RelayName => "relay_name",
            Self::Proxy => "proxy",
            Self::RelayConnect => "relay_connect",
            Self::RelayTls => "relay_tls",
            Self::Clock => "clock",
            Self::RelayUpgrade => "relay_upgrade",
            Self::RelayChallenge => "relay_challenge",
            Self::Enrolment => "enrolment",
            Self::JiraName => "jira_name",
            Self::JiraConnect => "jira_connect",
            Self::JiraTls => "jira_tls",
            Self::JiraApi => "jira_api",
            Self::JiraLogin => "jira_login",
        }
    }

    /// What passes when it passes.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Config => {
                "The configuration file, the environment and every file that they name can be read and make sense."
            }
            Self::State => {
                "The state folder can be read and written, belongs to one user, and nobody else can reach the keys in it."
            }
            Self::Identity => "The agent's keys are whole and a relay has enrolled them.",
            Self::RelayName => "The relay's name has an address. Behind an HTTP proxy the proxy looks it up.",
            Self::Proxy => {
                "The proxy answers, lets this agent in and opens a tunnel to the relay. Only where a proxy is used."
            }
            Self::RelayConnect => "Somebody accepts TCP connections at the relay's port.",
            Self::RelayTls => {
                "The certificate met there is signed by an authority that the agent trusts for the relay, is in its dates and carries the relay's name."
            }
            Self::Clock => "This machine's clock and the relay's differ by less than five minutes.",
            Self::RelayUpgrade => {
                "The request to become a WebSocket arrives at the relay, and its proper answer arrives here."
            }
            Self::RelayChallenge => {
                "The relay sends its challenge: proof that WebSocket messages pass and that a relay is there."
            }
            Self::Enrolment => "The relay knows this agent's key and has not revoked it.",
            Self::JiraName => "The name of a permitted Jira has an address.",
            Self::JiraConnect => "Somebody accepts TCP connections at Jira's port.",
            Self::JiraTls => {
                "Jira's certificate is signed by an authority that is trusted here and carries Jira's name."
            }
            Self::JiraApi => {
                "`GET /rest/api/2/serverInfo` at the permitted address answers as Jira Server or Data Center does."
            }
            Self::JiraLogin => {
                "The account of the premises can log in. Exactly one attempt is made, and only with a password that the premises keep or that \
                 `--username` and `--password-stdin` give."
            }
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Pass,
    /// It works, and there is something to know.
    Note,
    /// It does not work.
    Fail,
    /// Not looked at, because something before it failed or was not given.
    Skipped,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $check:ident $outcome:ident $name:literal, $remedy:literal;)+) => {
        /// What was found, by a stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, by check.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The check that finds it.
            pub fn check(self) -> Check {
                match self { $(Self::$variant => Check::$check,)+ }
            }

            /// How that check ends with it.
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$variant => Outcome::$outcome,)+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

codes! {
    /// The configuration, or a file that it names, cannot be used.
    ConfigInvalid = Config Fail "config_invalid", "Correct what the sentence names; `uplink-agent config defaults` explains every key.";

    /// This user cannot read or write the state folder.
    StateUnreachable = State Fail "state_unreachable", "Run this as the agent's own user or as root; if it is that user, give it the folder, and look for a full or read-only disk.";
    /// Other users of this machine can read the keys or replace them.
    StateMode = State Fail "state_mode", "Run the `chmod` that the sentence names; if the machine has other users, make new keys with `uplink-agent enroll --force`.";
    /// A file of the state folder belongs to another user than the folder, so the service cannot read it.
    StateOwner = State Fail "state_owner", "Give the file to the folder's owner with `chown`, and run `uplink-agent` as that user or as root.";

    /// No relay has enrolled this agent.
    NotEnrolled = Identity Fail "not_enrolled", "Create an uplink on the relay and pass its token to `uplink-agent enroll`; check --state if this machine is enrolled.";
    /// The identity file cannot be used.
    IdentityDamaged = Identity Fail "identity_damaged", "Restore the file from a backup, or enrol anew with `uplink-agent enroll --force` and an unused token.";

    /// The relay's name has no address here.
    RelayNameUnknown = RelayName Fail "relay_name_unknown", "Check the relay's address for a slip, and this machine's name servers (`getent hosts NAME`); if only a proxy can resolve it, configure the proxy.";
    /// No name server answered in time.
    RelayNameTimeout = RelayName Fail "relay_name_timeout", "Check that this machine reaches its name servers.";

    /// The proxy's own name has no address here.
    ProxyNameUnknown = Proxy Fail "proxy_name_unknown", "Check the proxy's name where the sentence says that it is configured.";
    /// The proxy's machine is there, and nothing listens on that port.
    ProxyRefused = Proxy Fail "proxy_refuses_connection", "Check the proxy's port, and that the proxy runs.";
    /// The proxy cannot be reached.
    ProxyUnreachable = Proxy Fail "proxy_unreachable", "Check the proxy's address and port, and that this machine may reach it.";
    /// The proxy wants a login (407), and none is configured.
    ProxyLoginMissing = Proxy Fail "proxy_login_missing", "Set proxy.username and proxy.password_file; ask the network team for an account and for Basic, if the proxy offers only other kinds.";
    /// The proxy refuses the login that is configured (407).
    ProxyLoginRefused = Proxy Fail "proxy_login_refused", "Correct proxy.username and the password in proxy.password_file; ask the network team for Basic, if the proxy offers only other kinds.";
    /// The proxy refuses to open a tunnel to the relay.
    ProxyForbids = Proxy Fail "proxy_forbids", "Ask the network team to allow CONNECT to the relay's name and port.";
    /// The proxy let this agent in, and could not reach the relay itself.
    ProxyCannotReach = Proxy Fail "proxy_cannot_reach_relay", "Check the relay's address for a slip; ask the network team whether the proxy resolves and reaches it.";
    /// What listens at the proxy's address does not speak as a proxy of the configured kind does.
    ProxyUnfit = Proxy Fail "proxy_unfit", "Check the proxy's address, port and kind (http, https or socks5).";
    /// The proxy's own certificate is not trusted.
    ProxyUntrusted = Proxy Fail "proxy_certificate_untrusted", "Give the authority of the proxy's certificate with proxy.ca_file, and use the name that the certificate carries.";
    /// The proxy says that the tunnel is open, and what comes out of it is no TLS.
    ProxyNoTunnel = Proxy Fail "proxy_no_tunnel", "Check the relay's port; ask the network team whether the proxy answers CONNECT with pages of its own.";

    /// The machine is there, and nothing listens on that port.
    RelayRefused = RelayConnect Fail "relay_refuses_connection", "Check the port of the relay's address, and ask the relay's operator whether it runs.";
    /// No answer to the attempt to connect: usually a firewall that drops.
    RelayTimeout = RelayConnect Fail "relay_timeout", "Ask the network team to let this machine reach the relay's name and port, or for the proxy to use.";
    /// The network says that there is no way.
    RelayUnreachable = RelayConnect Fail "relay_unreachable", "Check this machine's network; if it has none to the outside, ask for the proxy to use.";

    /// The certificate is signed by an authority that is not trusted here.
    RelayAuthorityUnknown = RelayTls Fail "relay_certificate_untrusted", "If the relay has its own authority, give its ca.pem with `--relay-ca` (or relay.ca_file); if the one given is old, ask the relay's operator for the present one.";
    /// Something between here and the relay ends TLS and shows a certificate of its own making.
    RelayTlsIntercepted = RelayTls Fail "relay_tls_intercepted", "Ask the network team to exempt the relay from TLS inspection; or, if inspection is policy here, give the inspecting authority with relay.ca_file.";
    /// The certificate's last day is past, and this machine's clock is right.
    RelayCertificateExpired = RelayTls Fail "relay_certificate_expired", "Ask the relay's operator for a new certificate; a relay with its own authority makes one when it is started again.";
    /// The certificate's first day has not come, and this machine's clock is right.
    RelayCertificateEarly = RelayTls Fail "relay_certificate_early", "Ask the relay's operator to check the certificate and the relay's clock.";
    /// The certificate is for other names than the one dialled.
    RelayCertificateName = RelayTls Fail "relay_certificate_name", "Use a name that the certificate carries, or ask the relay's operator to add this one (`uplink-relay run --name`).";
    /// The certificate is refused for another reason.
    RelayCertificateBad = RelayTls Fail "relay_certificate_bad", "Show the sentence to the relay's operator.";
    /// What answers at that port does not speak TLS.
    RelayNoTls = RelayTls Fail "relay_no_tls", "Check that the port is the relay's; behind a proxy, ask the network team whether it answers in the relay's place.";
    /// The connection stands, and the TLS handshake gets no answer.
    RelayTlsTimeout = RelayTls Fail "relay_tls_timeout", "Check that the port is the relay's; a firewall that inspects may hold TLS back, so ask the network team.";
    /// TLS works and is inspected: certificates are made on the way, by an authority that this agent trusts.
    RelayTlsInspected = RelayTls Note "relay_tls_inspected", "Nothing to do if inspection is policy here. Passwords stay sealed; tables can be read by whoever inspects.";

    /// This machine's clock is wrong, or the relay's.
    ClockOff = Clock Fail "clock_off", "Set this machine's clock and let a time service keep it; if it is right, tell the relay's operator.";
    /// The relay told no time.
    ClockUnknown = Clock Note "clock_unknown", "Nothing to do; something on the way removes the `Date` header.";

    /// A relay is there and says that no upgrade arrived, or only WebSockets fail to reach it.
    RelayUpgradeStripped = RelayUpgrade Fail "relay_upgrade_stripped", "Ask the network team to let WebSocket upgrades to the relay pass, or to exempt the relay from the proxy that reads them.";
    /// A web page came where a relay should answer: a captive portal, a block page or a login page of the network.
    RelayWebPage = RelayUpgrade Fail "relay_web_page", "Open the relay's address in a browser on this machine and read whose page it is; ask the network team to let this machine pass.";
    /// Another server answers at that address.
    RelayNotARelay = RelayUpgrade Fail "relay_not_a_relay", "Check host, port and path of the relay's address.";
    /// Agent and relay speak different versions of the protocol.
    RelayVersion = RelayUpgrade Fail "relay_subprotocol", "Install an agent and a relay of matching versions.";
    /// The relay is there and takes nobody at the moment.
    RelayBusy = RelayUpgrade Fail "relay_busy", "Wait; the agent comes back by itself.";
    /// An answer came that says yes to the upgrade and is none.
    RelayUpgradeBroken = RelayUpgrade Fail "relay_upgrade_failed", "Something answers in the relay's place without understanding WebSockets: check the address, and ask the network team what stands in between.";
    /// No answer to the upgrade came.
    RelayUpgradeTimeout = RelayUpgrade Fail "relay_upgrade_timeout", "Ask the network team whether a proxy holds WebSocket upgrades back.";

    /// The WebSocket stands, and no challenge comes.
    RelaySilent = RelayChallenge Fail "relay_silent", "Ask the network team whether a proxy holds WebSocket messages back; check that the address is the relay's.";
    /// What came is not a relay's challenge.
    RelayChallengeStrange = RelayChallenge Fail "relay_challenge_strange", "Check that the address is the relay's, and that agent and relay are of matching versions.";

    /// The relay does not know this agent.
    AgentUnknown = Enrolment Fail "agent_unknown", "Check that the relay is the one that enrolled this agent; if it is, enrol anew with `uplink-agent enroll --force` and an unused token.";
    /// The agent was removed at the relay.
    AgentRevoked = Enrolment Fail "agent_revoked", "If that was not meant, enrol anew with `uplink-agent enroll --force` and an unused token.";
    /// Two machines hold this agent's identity, and the relay has stopped both.
    AgentCloned = Enrolment Fail "agent_cloned", "Find the copy of this agent's state folder and remove it; then enrol anew with `uplink-agent enroll --force` and an unused token, or have the relay's administrator trust the agent again.";
    /// The relay knows the agent by other keys.
    AgentKeyRefused = Enrolment Fail "agent_key_refused", "Restore the state folder of this agent, or enrol anew with `uplink-agent enroll --force` and an unused token.";
    /// The relay refuses this agent for another reason.
    AgentRefused = Enrolment Fail "agent_refused", "Do what the relay's sentence says, or ask the relay's operator, whose log has the reason.";

    /// Jira's name has no address here.
    JiraNameUnknown = JiraName Fail "jira_name_unknown", "Check the permitted address for a slip, and this machine's name servers (`getent hosts NAME`).";
    /// No Jira is permitted, so nothing can be read.
    JiraNonePermitted = JiraName Note "jira_none_permitted", "Permit one with allow_jira in the configuration or `--allow-jira`.";
    /// The name leads to an address where no Jira may be.
    JiraAddress = JiraName Fail "jira_address_not_permitted", "Ask who runs the name server why the name leads there; if that is right, name its network with addresses of this [[jira]].";
    /// The machine is there, and nothing listens on that port.
    JiraRefused = JiraConnect Fail "jira_refuses_connection", "Check the port of the permitted address, and that Jira runs.";
    /// No answer came in time.
    JiraTimeout = JiraConnect Fail "jira_timeout", "Ask the network team to let this machine reach Jira, and look whether Jira is overloaded.";
    /// The connection broke.
    JiraUnreachable = JiraConnect Fail "jira_unreachable", "Check proxies and firewalls between this machine and Jira, and that http or https fits the port.";
    /// The proxy on the way to Jira does not open the way.
    JiraProxy = JiraConnect Fail "jira_proxy", "Check the proxy settings of [jira_path] or of this [[jira]]; set proxy = \"none\" if there should be none.";
    /// Jira's certificate is not trusted here.
    JiraUntrusted = JiraTls Fail "jira_untrusted", "If Jira has a private authority, give its certificate with `--jira-ca` (or jira_ca_file); use a name that the certificate carries.";
    /// Jira, or a proxy before it, wants a certificate of the agent, or another than the one given.
    JiraClientCertificate = JiraTls Fail "jira_client_certificate", "Give certificate and key with client_certificate_file of [jira_path] or of this [[jira]].";
    /// The permitted address starts with http, so the password travels in clear between here and Jira.
    JiraInClear = JiraTls Note "jira_in_clear", "Use https if Jira offers it.";
    /// A Jira may be there, under another path or scheme.
    JiraContextPath = JiraApi Fail "jira_context_path", "Permit the address that the sentence suggests; without a suggestion, take it from a browser that shows Jira (it often ends in /jira).";
    /// A login page or single sign-on answers in the place of Jira's REST interface.
    JiraLoginPage = JiraApi Fail "jira_login_page", "Use an address that reaches Jira's REST interface without single sign-on, or let its administrator exempt `/rest/`.";
    /// What answers is not Jira.
    JiraNotJira = JiraApi Fail "jira_not_jira", "Check the permitted address; a portal or proxy may answer in Jira's place.";
    /// Jira is there and fails, or limits the rate of requests.
    JiraFailing = JiraApi Fail "jira_failing", "Look at Jira's own log and load, then check again.";
    /// Jira or something before it refuses even the server information.
    JiraForbids = JiraApi Fail "jira_forbids", "Ask Jira's administrator to let this machine read `/rest/api/2/`.";
    /// Jira refused user name and password.
    JiraLoginRefused = JiraLogin Fail "jira_login_refused", "Correct the password; nothing was tried twice, because every failed try counts towards Jira's lock.";
    /// The agent tries this account no more after refused logins, to keep Jira from locking it; nothing was tried.
    JiraLoginBlocked = JiraLogin Fail "jira_login_blocked", "Correct the password, then let the agent try again with `uplink-agent resume --account NAME`.";
    /// Jira wants a CAPTCHA solved and refuses the right password too.
    JiraLoginCaptcha = JiraLogin Fail "jira_login_captcha", "Log in once as this account in a browser at the page that the sentence names; a personal access token is not subject to it.";
    /// Jira answered as to a visitor, although a login was sent.
    JiraLoginAnonymous = JiraLogin Fail "jira_login_anonymous", "Check user name and password; a proxy may strip the Authorization header.";
    /// A login page or single sign-on answers where an account is needed.
    JiraLoginSso = JiraLogin Fail "jira_login_sso", "Let the administrator of the single sign-on exempt `/rest/`, or use an address without it.";
    /// Logging in over REST fails for another reason.
    JiraLoginFailed = JiraLogin Fail "jira_login_failed", "Do what the sentence says, then check again.";
    /// The password that the premises keep for this account cannot be read.
    JiraPasswordUnusable = JiraLogin Fail "jira_password_unusable", "Correct the file that the sentence names, and its mode.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_one_name_and_stands_at_its_check() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.is_sorted_by_key(|code| code.check()));
        for check in Check::ALL {
            assert!(Code::ALL.iter().any(|code| code.check() == check), "{} finds nothing", check.id());
        }
    }

    #[test]
    fn every_code_says_what_it_means_and_what_to_do() {
        for code in Code::ALL {
            for text in [code.meaning(), code.remedy()] {
                assert!(text.ends_with('.') && text.len() > 10, "{}: {text}", code.name());
            }
        }
        let remedies: BTreeSet<_> = Code::ALL.iter().map(|code| code.remedy()).collect();
        assert_eq!(remedies.len(), Code::ALL.len(), "two codes have the same remedy");
    }
}
