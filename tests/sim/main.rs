//! `jira-sim`: a simulated Jira as a process, for any Jira client.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::jira_sim::{Account, Flavour, GeneratedSite, JiraSim, RateLimit, SimConfig, SiteSource};

/// A simulated Jira Server 8.20, 9.12, 10.3 or 11.0, or Jira Cloud, on the loopback interface.
#[derive(Debug, Parser)]
#[command(name = "jira-sim", version)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Number of issues of the generated site.
    #[arg(long, default_value_t = 1000, conflicts_with = "issues")]
    issues_count: u32,
    /// Recorded issues instead: one Jira issue JSON a line; plain, .gz or .xz.
    #[arg(long, value_name = "FILE")]
    issues: Option<PathBuf>,
    /// Seed of the generated site.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Users of the generated site.
    #[arg(long, default_value_t = GeneratedSite::default().users)]
    users: u16,
    /// Issues of the generated site that were created in one and the same second.
    #[arg(long, default_value_t = GeneratedSite::default().tie_size)]
    tie_size: u32,
    /// One issue in so many has a description of 1 MB; 0 for none.
    #[arg(long, default_value_t = GeneratedSite::default().large_description_every)]
    large_description_every: u32,
    /// Version: 8.20, 9.12, 10.3, 11.0 (which takes no password, only the token) or cloud.
    #[arg(long, default_value = "9.12", value_parser = Flavour::parse)]
    flavour: Flavour,
    /// Context path such as /jira; Cloud has none.
    #[arg(long, default_value = "")]
    context: String,
    /// Login name, on Cloud an e-mail address [default: reader, on Cloud reader@example.com].
    #[arg(long)]
    username: Option<String>,
    /// Password of the login, on Cloud its API token [default: reader-password, on Cloud reader-api-token].
    #[arg(long)]
    password: Option<String>,
    /// A personal access token of the login, on Cloud a scoped API token [default: reader-token, on Cloud
    /// reader-scoped-token].
    #[arg(long)]
    token: Option<String>,
    /// Time zone of the login: what JQL dates mean and how times are printed.
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// Delay of every answer in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Rate limit as TOKENS/FILL/SECONDS, such as 50/10/60.
    #[arg(long, value_parser = rate_limit)]
    rate_limit: Option<RateLimit>,
    /// Most issues on a search page.
    #[arg(long, default_value_t = 1000)]
    search_cap: u64,
    /// startAt + maxResults above this is refused (10.3 and 11.0).
    #[arg(long, default_value_t = 10_000)]
    max_result_window: u64,
    /// Compress answers for clients that accept gzip.
    #[arg(long)]
    gzip: bool,
    /// Change issues at random after every page, by this seed.
    #[arg(long, value_name = "SEED")]
    edit_after_each_page: Option<u64>,
    /// Threads that answer requests.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Say where it listens as one JSON object.
    #[arg(long)]
    json: bool,
}

fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let numbers: Vec<u32> = text.split('/').filter_map(|part| part.parse().ok()).collect();
    match numbers.as_slice() {
        [tokens, fill, interval_seconds] => {
            Ok(RateLimit { tokens: *tokens, fill: *fill, interval_seconds: *interval_seconds })
        }
        _ => Err(format!("{text:?} is no rate limit: write TOKENS/FILL/SECONDS, such as 50/10/60")),
    }
}

impl Arguments {
    fn is_cloud(&self) -> bool {
        self.flavour == Flavour::Cloud
    }

    /// Name, password and token, or e-mail address, API token and scoped token.
    fn login(&self) -> [String; 3] {
        let defaults = if self.is_cloud() {
            ["reader@example.com", "reader-api-token", "reader-scoped-token"]
        } else {
            ["reader", "reader-password", "reader-token"]
        };
        let given = [&self.username, &self.password, &self.token];
        std::array::from_fn(|at| given[at].clone().unwrap_or_else(|| defaults[at].to_owned()))
    }

    fn config(&self) -> SimConfig {
        let context = self.context.trim_matches('/');
        let source = match &self.issues {
            Some(path) => SiteSource::Recorded(path.clone()),
            None => SiteSource::Generated(GeneratedSite {
                issues: self.issues_count,
                seed: self.seed,
                users: self.users,
                tie_size: self.tie_size,
                large_description_every: self.large_description_every,
                ..GeneratedSite::default()
            }),
        };
        let [username, password, token] = self.login();
        let account = Account::new(&username, &password).in_zone(&self.time_zone).with_token(&token);
        SimConfig {
            flavour: self.flavour,
            port: self.port,
            context_path: if context.is_empty() || self.is_cloud() {
                String::new()
            } else {
                format!("/{context}")
            },
            accounts: vec![account],
            search_cap: self.search_cap,
            max_result_window: self.max_result_window,
            latency: Duration::from_millis(self.latency_ms),
            rate_limit: self.rate_limit,
            source,
            gzip: self.gzip,
            edit_after_each_page: self.edit_after_each_page,
            threads: self.threads,
            ..SimConfig::default()
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let sim = match JiraSim::start(arguments.config()) {
        Ok(sim) => sim,
        Err(error) => return output::failed(&error.to_string()),
    };
    if arguments.json {
        output::json(&sim, &arguments);
    } else {
        output::line(&sim, &arguments);
    }
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failed(&format!("cannot wait for Ctrl-C: {error}")),
    }
}

mod output {
    //! What the process says.
    #![expect(clippy::print_stdout, clippy::print_stderr, reason = "this module is the output of the binary")]

    use std::process::ExitCode;

    use tests::jira_sim::RunningSim;

    use super::Arguments;

    pub(super) fn line(sim: &RunningSim, arguments: &Arguments) {
        let [username, password, token] = arguments.login();
        let words = if arguments.is_cloud() { ["API token", "scoped token"] } else { ["password", "token"] };
        println!(
            "Simulated Jira with {} issues at {} (user {username}, {} {password}, {} {token})",
            sim.issue_count(),
            sim.url(),
            words[0],
            words[1],
        );
    }

    pub(super) fn json(sim: &RunningSim, arguments: &Arguments) {
        let [username, password, token] = arguments.login();
        let said = serde_json::json!({
            "url": sim.url(), "issues": sim.issue_count(), "username": username, "password": password, "token": token,
        });
        println!("{said}");
    }

    pub(super) fn failed(reason: &str) -> ExitCode {
        eprintln!("jira-sim: {reason}");
        ExitCode::FAILURE
    }
}
