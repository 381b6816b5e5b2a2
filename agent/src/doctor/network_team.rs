//! Sentences that an administrator can hand on to the people of the network as they are.

use super::catalogue::Code;
use crate::link::dial::Endpoint;

/// The sentence that goes with a code, if the network can be the reason.
pub(super) fn sentence(code: Code, at: &Endpoint) -> Option<String> {
    let text = match code {
        Code::RelayTimeout | Code::RelayUnreachable => format!(
            "Please allow outgoing TCP from this server to {at} (one long-lived TLS connection, HTTPS with a WebSocket), or name the proxy \
             to use. Nothing has to be allowed inbound."
        ),
        Code::RelayTlsTimeout | Code::RelayNoTls => format!(
            "TCP connections from this server to {at} are accepted, but TLS does not come about. Please check whether a firewall or proxy \
             answers in the place of {at}, and let TLS to it pass."
        ),
        Code::ProxyLoginMissing | Code::ProxyLoginRefused => format!(
            "The proxy answers CONNECT {at} with 407. Please name the kind of login that it takes and an account for this server, or let \
             this server pass without one."
        ),
        Code::ProxyNoTunnel => format!(
            "The proxy answers CONNECT {at} with yes, and then sends something that is no TLS. Please let the tunnel lead to {at}."
        ),
        Code::ProxyForbids => {
            format!(
                "The proxy refuses CONNECT {at}. Please allow this server to reach it (one long-lived TLS connection)."
            )
        }
        Code::ProxyCannotReach => {
            format!(
                "The proxy cannot reach {at}. Please check that it resolves this name and may connect to it."
            )
        }
        Code::RelayUpgradeStripped | Code::RelayUpgradeTimeout | Code::RelayUpgradeBroken => format!(
            "HTTPS from this server to {at} passes, WebSockets do not: the headers `Connection: Upgrade` and `Upgrade: websocket` of GET \
             /v1/link, or the answer 101 to them, do not get through. Please let WebSockets to {at} pass, or exempt it from the proxy that \
             reads HTTP."
        ),
        Code::RelaySilent => format!(
            "A WebSocket from this server to {at} opens, but no message comes through it. Please check whether a proxy holds WebSocket \
             messages back."
        ),
        Code::RelayWebPage => format!(
            "A web page is shown to this server in the place of {at} (a captive portal, a block page or a login of the network). Please let \
             this server reach it."
        ),
        _ => return None,
    };
    Some(text)
}

/// The sentence for whoever runs TLS inspection.
pub(super) fn about_interception(at: &Endpoint, met: &str, expected: &str) -> String {
    format!(
        "TLS from this server to {at} is inspected: the certificate shown is issued by \"{met}\", expected is \"{expected}\". Please exempt \
         {at} from TLS inspection for this server; it is one outgoing HTTPS connection with a WebSocket."
    )
}
