use super::*;
use protocol::keys::Fingerprint;

const KEYS: [&str; 2] =
    ["0000-0000-0000-0000-0000-0000-0000-0001", "0000-0000-0000-0000-0000-0000-0000-0002"];

fn sealed(keys: &[&str]) -> Vec<SealedSecret> {
    let secret = |key: &&str| SealedSecret { agent: Fingerprint::parse(key).unwrap(), sealed: String::new() };
    keys.iter().map(secret).collect()
}

fn picked(uplinks: &Uplinks, uplink: &str, runs_max: usize) -> Option<String> {
    uplinks.pick(wanted(uplink, &sealed(&KEYS)), runs_max).map(|picked| picked.agent_id)
}

fn wanted<'a>(uplink: &'a str, sealed: &'a [SealedSecret]) -> Wanted<'a> {
    Wanted { uplink, sealed, mask_key: None, needs: None }
}

fn paused(reason: &str) -> Health {
    Health { paused: Some(reason.to_owned()), ..Health::default() }
}

/// An agent that has stored its ticket and said that it is well.
fn enter(uplinks: &Uplinks, agent_id: &str, key: &str) -> Seat {
    let seat = uplinks.enter(agent_id, "hq", key);
    uplinks.set_ready(agent_id, seat.session);
    uplinks.set_health(agent_id, seat.session, Health::default());
    seat
}

#[test]
fn an_agent_gets_no_run_before_it_said_how_it_is() {
    let uplinks = Uplinks::default();
    let seat = uplinks.enter("a1", "hq", KEYS[0]);
    uplinks.set_ready("a1", seat.session);
    assert_eq!(picked(&uplinks, "hq", 4), None);
    uplinks.set_health("a1", seat.session, Health::default());
    assert!(picked(&uplinks, "hq", 4).is_some());
}

#[test]
fn a_run_goes_on_only_with_the_key_that_it_was_begun_with() {
    let uplinks = Uplinks::default();
    let seat = enter(&uplinks, "a1", KEYS[0]);
    let health = Health { mask_key: Some("k1".to_owned()), ..Health::default() };
    uplinks.set_health("a1", seat.session, health);
    let with = |key| {
        let wanted = Wanted { mask_key: key, ..wanted("hq", &[]) };
        uplinks.pick(wanted, 4).is_some()
    };
    assert!(with(None) && with(Some(Some("k1"))) && !with(Some(Some("k2"))) && !with(Some(None)));
    let waits = uplinks.wanting(Wanted { mask_key: Some(None), ..wanted("hq", &[]) });
    assert!(waits.contains("key that the run was begun with"), "{waits}");
}

#[test]
fn a_run_that_chooses_waits_for_an_agent_that_knows_the_choice() {
    let uplinks = Uplinks::default();
    let seat = enter(&uplinks, "a1", KEYS[0]);
    let choosing = Wanted { needs: Some("choice"), ..wanted("hq", &[]) };
    assert!(uplinks.pick(wanted("hq", &[]), 4).is_some() && uplinks.pick(choosing, 4).is_none());
    assert!(uplinks.wanting(choosing).contains("newer agent of uplink hq"));
    uplinks.set_capabilities("a1", seat.session, &["choice".to_owned()]);
    assert!(uplinks.pick(choosing, 4).is_some());
}

#[test]
fn a_secret_that_the_premises_keep_is_for_any_agent_of_the_uplink() {
    let uplinks = Uplinks::default();
    let _seat = enter(&uplinks, "a1", KEYS[0]);
    assert!(uplinks.pick(wanted("hq", &[]), 4).is_some() && uplinks.pick(wanted("other", &[]), 4).is_none());
}

#[test]
fn a_new_session_replaces_the_old_one_at_once() {
    let uplinks = Uplinks::default();
    let old = enter(&uplinks, "a1", KEYS[0]);
    let new = enter(&uplinks, "a1", KEYS[0]);
    assert!(old.cut.is_cancelled() && old.why() == Some(Cut::Replaced));
    uplinks.leave("a1", old.session);
    assert!(uplinks.presence("a1").is_some() && !new.cut.is_cancelled());
    uplinks.leave("a1", new.session);
    assert!(uplinks.presence("a1").is_none());
}

#[test]
fn a_revoked_agent_is_cut_and_gets_no_work() {
    let uplinks = Uplinks::default();
    let seat = enter(&uplinks, "a1", KEYS[0]);
    uplinks.revoke("a1");
    assert_eq!(seat.why(), Some(Cut::Revoked));
    assert!(uplinks.any("hq", &sealed(&KEYS)).is_none());
}

#[test]
fn work_goes_to_the_agent_with_the_fewest_runs_below_its_bound() {
    let uplinks = Uplinks::default();
    let first = enter(&uplinks, "a1", KEYS[0]);
    let _second = enter(&uplinks, "a2", KEYS[1]);
    uplinks.set_runs("a1", first.session, 2);
    assert_eq!(picked(&uplinks, "hq", 4).as_deref(), Some("a2"));
    uplinks.set_health("a2", 2, paused("disk"));
    assert_eq!(picked(&uplinks, "hq", 4).as_deref(), Some("a1"));
    assert!(picked(&uplinks, "hq", 2).is_none() && picked(&uplinks, "other", 4).is_none());
}

#[test]
fn orders_that_are_not_taken_yet_count_as_runs() {
    let uplinks = Uplinks::default();
    let _seat = enter(&uplinks, "a1", KEYS[0]);
    uplinks.orders("a1").unwrap().try_send(Order::Cancel { number: 1 }).unwrap();
    assert!(picked(&uplinks, "hq", 1).is_none());
}

#[test]
fn a_run_waits_for_an_agent_that_can_open_the_secret() {
    let uplinks = Uplinks::default();
    let secret = sealed(&KEYS[1..]);
    assert_eq!(uplinks.wanting(wanted("hq", &secret)), "waiting for an agent of uplink hq");
    let _first = enter(&uplinks, "a1", KEYS[0]);
    assert!(uplinks.pick(wanted("hq", &secret), 4).is_none());
    assert!(uplinks.wanting(wanted("hq", &secret)).contains("to which the secret is sealed"));
    let second = enter(&uplinks, "a2", KEYS[1]);
    assert_eq!(uplinks.wanting(wanted("hq", &secret)), "waiting for its turn");
    uplinks.set_health("a2", second.session, paused("it updates"));
    assert!(uplinks.wanting(wanted("hq", &secret)).ends_with("it updates"));
}

#[test]
fn an_agent_gets_no_work_before_it_has_stored_its_ticket() {
    let uplinks = Uplinks::default();
    let seat = uplinks.enter("a1", "hq", KEYS[0]);
    uplinks.set_health("a1", seat.session, Health::default());
    assert!(picked(&uplinks, "hq", 4).is_none() && uplinks.any("hq", &sealed(&KEYS)).is_none());
    uplinks.set_ready("a1", seat.session);
    assert!(picked(&uplinks, "hq", 4).is_some() && uplinks.any("hq", &sealed(&KEYS)).is_some());
}
