//! The happy path and every refusal.

use super::*;
use proptest::prelude::*;

const NONCE: [u8; NONCE_BYTES] = [5; NONCE_BYTES];

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

fn introduction(relay_host: &str) -> Introduction {
    Introduction {
        agent_id: "agent_1".into(),
        version: "0.1.0".into(),
        capabilities: vec!["table_columns".into()],
        boot_id: "boot".into(),
        relay_host: relay_host.into(),
        inspected_by: None,
        ticket: None,
    }
}

fn welcome() -> Welcome {
    Welcome {
        session: 3,
        heartbeat_ms: 5000,
        reconnect_spread_ms: 1000,
        limits: LinkLimits::default(),
        relay_version: "0.1.0".into(),
    }
}

fn hosts() -> Vec<String> {
    vec!["Relay.Example.com".into(), "127.0.0.1".into()]
}

/// The hello that an agent sends after it dialled `relay_host`, and the relay's claim made of it.
fn claim(relay_host: &str) -> (ExpectWelcome, ClaimedHello) {
    let (challenge, relay) = ExpectHello::begin(NONCE, 1_700_000_000_000);
    let (hello, agent) =
        ExpectChallenge::new(introduction(relay_host)).handle_text(&challenge, &key()).unwrap();
    (agent, relay.handle_text(&hello).unwrap())
}

#[test]
fn an_enrolled_agent_is_welcomed() {
    let (agent, claimed) = claim("relay.example.com:8443");
    assert_eq!(claimed.agent_id().as_str(), "agent_1");
    let verified = claimed.verify(&key().public(), &hosts()).unwrap();
    assert_eq!(verified.hello.capabilities, ["table_columns"]);
    assert_eq!(agent.relay_time_ms(), 1_700_000_000_000);
    let established = agent.handle_text(&verified.welcome(welcome())).unwrap();
    assert_eq!((established.version, established.welcome), (ProtocolVersion::V1, welcome()));
}

#[test]
fn messages_have_their_golden_form() {
    let (challenge, _) = ExpectHello::begin(NONCE, 7);
    assert_eq!(
        challenge,
        r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=","protocol":"uplink.v1","relay_time_ms":7,"features":["tickets"]}"#
    );
    let (hello, _) =
        ExpectChallenge::new(introduction("localhost:1")).handle_text(&challenge, &key()).unwrap();
    let prefix = r#"{"type":"hello","agent_id":"agent_1","version":"0.1.0","protocol":"uplink.v1","capabilities":["table_columns"],"boot_id":"boot","relay_host":"localhost","signature":""#;
    assert!(hello.starts_with(prefix), "{hello}");
    let reject = HandshakeError::Busy { retry_after: Duration::from_secs(9) }.reject();
    assert_eq!(
        reject.to_text(),
        r#"{"type":"reject","code":"busy","message":"the relay has as many sessions as it can hold","hint":"nothing to do: the agent tries again by itself","retry_after_ms":9000}"#
    );
    assert_eq!(reject.retry_after(), Some(Duration::from_secs(9)));
}

#[test]
fn an_inspected_link_is_told_to_the_relay() {
    let (challenge, relay) = ExpectHello::begin(NONCE, 7);
    let by = Some("CN=Gateway".to_owned());
    let introduction = Introduction { inspected_by: by.clone(), ..introduction("127.0.0.1") };
    let (hello, _) = ExpectChallenge::new(introduction).handle_text(&challenge, &key()).unwrap();
    let claimed = relay.handle_text(&hello).unwrap();
    assert_eq!(claimed.verify(&key().public(), &hosts()).unwrap().hello.inspected_by, by);
}

#[test]
fn the_transcript_separates_its_parts() {
    let of = |host: &str, agent: &str| transcript(&NONCE, host, &agent.into(), ProtocolVersion::V1, None);
    assert!(of("a", "b").windows(DOMAIN.len()).any(|window| window == DOMAIN.as_bytes()));
    assert_ne!(of("ab", "c"), of("a", "bc"));
}

#[test]
fn a_signature_made_for_another_relay_is_refused() {
    let (_, lured) = claim("evil.example.net");
    let error = lured.verify(&key().public(), &hosts()).unwrap_err();
    assert_eq!(error, HandshakeError::WrongHost { dialled: "evil.example.net".into() });

    // The relay in the middle rewrites the name: then the signature no longer fits.
    let (_, mut lured) = claim("evil.example.net");
    lured.hello.relay_host = "relay.example.com".into();
    let error = lured.verify(&key().public(), &hosts()).unwrap_err();
    assert_eq!(error.code(), RejectCode::BadSignature);
}

#[test]
fn another_key_nonce_or_agent_is_refused() {
    let other = SigningKey::from_seed(&[2; 32]).unwrap();
    let (_, claimed) = claim("127.0.0.1:8443");
    assert_eq!(claimed.verify(&other.public(), &hosts()).unwrap_err().code(), RejectCode::BadSignature);

    let (_, mut replayed) = claim("127.0.0.1:8443");
    replayed.nonce = [6; NONCE_BYTES];
    assert_eq!(replayed.verify(&key().public(), &hosts()).unwrap_err().code(), RejectCode::BadSignature);

    let (_, mut renamed) = claim("127.0.0.1:8443");
    renamed.hello.agent_id = "agent_2".into();
    assert_eq!(renamed.verify(&key().public(), &hosts()).unwrap_err().code(), RejectCode::BadSignature);
}

#[test]
fn an_unknown_protocol_is_rejected_with_the_versions_supported() {
    let (challenge, relay) = ExpectHello::begin(NONCE, 7);
    let (hello, agent) =
        ExpectChallenge::new(introduction("127.0.0.1")).handle_text(&challenge, &key()).unwrap();
    let error = relay.handle_text(&hello.replace("uplink.v1", "uplink.v7")).unwrap_err();
    let reject = error.reject();
    assert_eq!((reject.code, reject.code.as_str()), (RejectCode::UnknownProtocol, "unknown_protocol"));
    assert!(reject.message.contains("uplink.v7") && reject.hint.contains("uplink.v1"), "{reject:?}");
    let seen = agent.handle_text(&reject.to_text()).unwrap_err();
    assert_eq!(seen, HandshakeError::Rejected(reject));
    assert!(seen.to_string().contains("unknown_protocol") && seen.code().is_permanent());

    let old_agent = ExpectChallenge::new(introduction("127.0.0.1"));
    let error = old_agent.handle_text(&challenge.replace("uplink.v1", "uplink.v7"), &key()).unwrap_err();
    assert_eq!(error.code(), RejectCode::UnknownProtocol);
}

#[test]
fn every_refusal_tells_the_next_step() {
    let agent_id = AgentId::from("agent_1");
    let refusals = [
        HandshakeError::UnknownAgent { agent_id: agent_id.clone() },
        HandshakeError::Revoked { agent_id: agent_id.clone() },
        HandshakeError::Cloned { agent_id: agent_id.clone() },
        HandshakeError::BadSignature { agent_id },
        HandshakeError::WrongHost { dialled: "x".into() },
        HandshakeError::TooSlow(Duration::from_secs(10)),
        HandshakeError::Draining { retry_after: Duration::from_secs(1) },
        HandshakeError::TooLarge { bytes: 1 << 20 },
    ];
    for error in refusals {
        let reject = error.reject();
        assert!(!reject.hint.is_empty() && !reject.message.is_empty(), "{reject:?}");
        let json = serde_json::to_string(&reject.code).unwrap();
        assert_eq!(json, format!("\"{}\"", reject.code.as_str()));
        let agent =
            ExpectChallenge::new(introduction("x")).handle_text(&reject.to_text(), &key()).unwrap_err();
        assert_eq!(agent, HandshakeError::Rejected(reject));
    }
}

#[test]
fn a_code_of_a_newer_relay_is_survived() {
    let text = r#"{"type":"reject","code":"moon_phase","message":"m","hint":"h","new_member":1}"#;
    let error = ExpectChallenge::new(introduction("x")).handle_text(text, &key()).unwrap_err();
    assert_eq!(error.code(), RejectCode::Other);
    assert!(!error.code().is_permanent());
}

#[test]
fn wrong_order_wrong_limits_and_oversize_are_refused() {
    let (agent, claimed) = claim("127.0.0.1");
    let verified = claimed.verify(&key().public(), &hosts()).unwrap();
    let text = verified.welcome(welcome());
    let error = ExpectChallenge::new(introduction("x")).handle_text(&text, &key()).unwrap_err();
    assert_eq!(error, HandshakeError::OutOfOrder { expected: "challenge", got: "welcome" });
    let greedy = verified
        .welcome(Welcome { limits: LinkLimits { open_streams: 0, ..LinkLimits::default() }, ..welcome() });
    assert!(matches!(agent.handle_text(&greedy), Err(HandshakeError::Malformed { .. })));
    let (_, relay) = ExpectHello::begin(NONCE, 0);
    let huge = " ".repeat(HANDSHAKE_BYTES_MAX + 1);
    assert_eq!(
        relay.handle_text(&huge).unwrap_err(),
        HandshakeError::TooLarge { bytes: HANDSHAKE_BYTES_MAX + 1 }
    );
}

#[test]
fn hosts_are_compared_without_port_case_and_brackets() {
    for (from, to) in [
        ("Relay.Example:8443", "relay.example"),
        ("[::1]:443", "::1"),
        ("::1", "::1"),
        ("relay.", "relay"),
        ("", ""),
    ] {
        assert_eq!(normalise_host(from), to);
    }
}

fn ticket() -> Ticket {
    Ticket::parse("7.BwcHBwcHBwcHBwcHBwcHBw").unwrap()
}

/// The hello of an agent that holds a ticket, to a challenge that `change` may alter.
fn hello_with_ticket(change: impl Fn(&str) -> String) -> (String, ExpectHello) {
    let (challenge, relay) = ExpectHello::begin(NONCE, 7);
    let introduction = Introduction { ticket: Some(ticket()), ..introduction("127.0.0.1") };
    let (hello, _) = ExpectChallenge::new(introduction).handle_text(&change(&challenge), &key()).unwrap();
    (hello, relay)
}

#[test]
fn a_ticket_is_presented_under_the_signature() {
    let (hello, relay) = hello_with_ticket(str::to_owned);
    let verified = relay.handle_text(&hello).unwrap().verify(&key().public(), &hosts()).unwrap();
    assert_eq!(verified.hello.ticket, Some(ticket()));
    for changed in
        [hello.replace("7.BwcH", "8.BwcH"), hello.replace(r#""ticket":"7.BwcHBwcHBwcHBwcHBwcHBw","#, "")]
    {
        assert_ne!(changed, hello);
        let (_, relay) = ExpectHello::begin(NONCE, 7);
        let error = relay.handle_text(&changed).unwrap().verify(&key().public(), &hosts()).unwrap_err();
        assert_eq!(error.code(), RejectCode::BadSignature, "{changed}");
    }
}

#[test]
fn a_relay_without_tickets_gets_the_hello_that_it_knows() {
    let (hello, relay) = hello_with_ticket(|challenge| challenge.replace(r#","features":["tickets"]"#, ""));
    assert!(!hello.contains("ticket\""), "{hello}");
    assert!(relay.handle_text(&hello).unwrap().verify(&key().public(), &hosts()).is_ok());
}

proptest! {
    #[test]
    fn any_text_and_any_cut_of_a_hello_is_an_error_without_a_panic(text in ".{0,200}", cut in 0_usize..300) {
        let (challenge, relay) = ExpectHello::begin(NONCE, 0);
        prop_assert!(relay.handle_text(&text).is_err());
        let (hello, _) = ExpectChallenge::new(introduction("x")).handle_text(&challenge, &key()).unwrap();
        let cut = cut.min(hello.len() - 1);
        let (_, relay) = ExpectHello::begin(NONCE, 0);
        prop_assert!(relay.handle_text(hello.get(..cut).unwrap()).is_err());
    }
}
