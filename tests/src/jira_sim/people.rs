//! The users of a generated site: renamed, inactive, deleted, with masked or missing addresses.

use super::catalog::{Catalog, User};
use super::doc::Frag;
use super::rng::Rng;

const GIVEN: &[&str] = &[
    "Ana",
    "Bj\u{f6}rn",
    "Chlo\u{e9}",
    "Dmitri",
    "Ewa",
    "Femi",
    "Grace",
    "H\u{e5}kon",
    "Ines",
    "J\u{fc}rgen",
    "Kofi",
    "Li",
    "Mar\u{ed}a",
    "Ngozi",
    "Oleg",
    "Priya",
    "Quentin",
    "Ruth",
    "Sa\u{ef}d",
    "T\u{fa}lio",
    "Uma",
    "V\u{e1}clav",
    "Wei",
    "Xim",
    "Yuki",
    "Zo\u{eb}",
    "\u{6797}",
    "\u{418}\u{432}\u{430}\u{43d}",
    "\u{5e9}\u{5e8}\u{5d4}",
];
const FAMILY: &[&str] = &[
    "Abe",
    "Bauer",
    "Costa",
    "Dvo\u{159}\u{e1}k",
    "Eriksen",
    "Fischer",
    "Garc\u{ed}a",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kim",
    "L\u{f3}pez",
    "M\u{fc}ller",
    "Nowak",
    "O'Brien",
    "Petrov",
    "Quinn",
    "Rossi",
    "Sato",
    "Tan",
    "Usman",
    "Vega",
    "Wagner",
    "Xu",
    "Y\u{131}lmaz",
    "Zhang",
];
const ZONES: &[&str] = &["Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "UTC", "Australia/Sydney"];

/// Adds `count` users of the directory and, one for every ten, the stub of a deleted one.
pub(crate) fn add_users(catalog: &mut Catalog, count: u16, rng: &mut Rng) {
    for number in 0..u32::from(count.max(8)) {
        let user = directory_user(number, rng);
        add(catalog, user);
    }
    for number in 0..u32::from(count.max(8) / 10).max(2) {
        add(catalog, deleted_user(number));
    }
}

/// Adds one user with the fragment that issues refer to.
pub(crate) fn add(catalog: &mut Catalog, mut user: User) -> usize {
    let json = catalog.user_json(&user).to_string();
    user.json = catalog.fragment(json);
    catalog.users.push(user);
    catalog.users.len() - 1
}

fn directory_user(number: u32, rng: &mut Rng) -> User {
    let given = *rng.pick(GIVEN);
    let family = *rng.pick(FAMILY);
    let login = format!("user{number:04}");
    // Before 8.4 the key was the first login name; later it is JIRAUSERnnn. A renamed user keeps the key.
    let key = if number.is_multiple_of(3) { login.clone() } else { format!("JIRAUSER{}", 10_100 + number) };
    let name = if number % 7 == 3 { format!("renamed.{number}") } else { login };
    let email = match number % 9 {
        4 => None,
        5 => Some(format!("{name} at example dot com")),
        _ => Some(format!("{name}@example.com")),
    };
    let mark = if number % 11 == 6 { " \u{1f41d}" } else { "" };
    User {
        key: Some(key),
        name,
        display: format!("{given} {family}{mark}"),
        email,
        active: number % 8 != 5,
        zone: (*rng.pick(ZONES)).to_owned(),
        listed: true,
        json: Frag(0),
    }
}

fn deleted_user(number: u32) -> User {
    User {
        key: None,
        name: format!("gone{number:03}"),
        display: String::new(),
        email: None,
        active: false,
        zone: String::new(),
        listed: false,
        json: Frag(0),
    }
}
