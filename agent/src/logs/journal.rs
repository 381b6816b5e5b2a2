//! Systemd's journal, in its native form: each member of an event is a field of its own (`UPLINK_EVENT`, `UPLINK_RUN`), and the message
//! repeats them, so that plain `journalctl` says why and not only what. (The `tracing-journald` crate leaves them out of the message.)

use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// How the journal names the agent; `journalctl -t uplink-agent`.
pub(super) const IDENTIFIER: &str = "uplink-agent";
#[cfg(target_os = "linux")]
const SOCKET: &str = "/run/systemd/journal/socket";

/// The members of an event or a span, in their order.
#[derive(Debug, Default, Hash)]
pub(super) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    /// The stable name of the event.
    pub(super) fn event(&self) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == "event").map(|(_, value)| value.as_str())
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

/// Sends events to the journal.
pub(super) struct Journal {
    #[cfg(target_os = "linux")]
    socket: std::os::unix::net::UnixDatagram,
}

/// The journal, when standard error of this process goes there anyway.
#[cfg(target_os = "linux")]
pub(super) fn layer() -> Option<Journal> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    if !is_stderr(&stream) || !std::path::Path::new(SOCKET).exists() {
        return None;
    }
    std::os::unix::net::UnixDatagram::unbound().ok().map(|socket| Journal { socket })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn layer() -> Option<Journal> {
    None
}

/// Whether `device:inode` is standard error: a variable that was merely inherited says nothing.
#[cfg(target_os = "linux")]
fn is_stderr(stream: &str) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let own =
        std::io::stderr().as_fd().try_clone_to_owned().and_then(|fd| std::fs::File::from(fd).metadata());
    own.is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Journal {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut around = Vec::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                around.extend(fields.0.iter().cloned());
            }
        }
        self.send(&entry(*event.metadata().level(), &around, &Fields::of(event)));
    }
}

impl Journal {
    /// A line that the journal does not take is lost: there is no better place to say so.
    #[cfg(target_os = "linux")]
    fn send(&self, entry: &[u8]) {
        drop(self.socket.send_to(entry, SOCKET));
    }

    #[cfg(not(target_os = "linux"))]
    fn send(&self, _: &[u8]) {}
}

/// An entry in the journal's native form.
fn entry(level: Level, around: &[(&'static str, String)], fields: &Fields) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    put(&mut bytes, "PRIORITY", priority(level));
    put(&mut bytes, "SYSLOG_IDENTIFIER", IDENTIFIER);
    put(&mut bytes, "MESSAGE", &message(around, fields));
    for (name, value) in around.iter().chain(&fields.0).filter(|(name, _)| *name != "message") {
        put(&mut bytes, &format!("UPLINK_{}", name.to_ascii_uppercase().replace('.', "_")), value);
    }
    bytes
}

fn message(around: &[(&'static str, String)], fields: &Fields) -> String {
    let said = fields.0.iter().find(|(name, _)| *name == "message").map_or("", |(_, value)| value.as_str());
    let mut text = match (fields.event(), said) {
        (Some(event), "") => event.to_owned(),
        (Some(event), said) => format!("{event}: {said}"),
        (None, said) => said.to_owned(),
    };
    let members = around.iter().chain(&fields.0).filter(|(name, _)| !matches!(*name, "message" | "event"));
    for (name, value) in members {
        let quoted = value.contains(char::is_whitespace);
        let written =
            if quoted { write!(text, " {name}={value:?}") } else { write!(text, " {name}={value}") };
        if written.is_err() {
            break;
        }
    }
    text
}

/// Every value with its length, so that it may hold anything.
fn put(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&u64::try_from(value.len()).unwrap_or_default().to_le_bytes());
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_each_member_as_a_field_and_in_its_message() {
        let fields = Fields(vec![
            ("event", "link_down".to_owned()),
            ("code", "link_silent".to_owned()),
            ("reason", "nothing was\nheard".to_owned()),
            ("message", "no link to the relay".to_owned()),
        ]);
        let bytes = entry(Level::WARN, &[("run", "run_1".to_owned())], &fields);
        let text = String::from_utf8_lossy(&bytes);
        let said =
            r#"link_down: no link to the relay run=run_1 code=link_silent reason="nothing was\nheard""#;
        assert!(text.contains(said), "{text}");
        for field in ["PRIORITY\n", "UPLINK_EVENT\n", "UPLINK_RUN\n", "UPLINK_CODE\n", "UPLINK_REASON\n"] {
            assert!(text.contains(field), "{field} is missing in {text}");
        }
        assert!(!text.contains("UPLINK_MESSAGE"));
        let length = 17_u64.to_le_bytes();
        assert!(bytes.windows(8).any(|window| window == length), "a value is not counted in bytes");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_journal_stream_of_somebody_else_is_not_ours() {
        assert!(!is_stderr("0:0") && !is_stderr("nonsense"));
    }
}
