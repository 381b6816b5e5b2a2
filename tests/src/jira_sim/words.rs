//! Text of a generated site: plain words most of the time, everything awkward some of the time.

use super::doc::{push_escaped, push_num};
use super::rng::Rng;

const WORDS: &[&str] = &[
    "the ",
    "server ",
    "returns ",
    "an ",
    "error ",
    "when ",
    "user ",
    "opens ",
    "page ",
    "twice ",
    "after ",
    "login ",
    "timeout ",
    "of ",
    "request ",
    "is ",
    "too ",
    "short ",
    "for ",
    "large ",
    "imports ",
    "and ",
    "then ",
    "fails ",
    "with ",
    "status ",
    "500 ",
    "please ",
    "check ",
    "logs ",
    "in ",
    "production ",
    "cluster ",
    "node ",
    "memory ",
    "grows ",
    "slowly ",
    "customer ",
    "reports ",
    "wrong ",
    "totals ",
    "export ",
    "to ",
    "spreadsheet ",
    "missing ",
    "column ",
    "we ",
    "should ",
    "retry ",
    "later ",
    "backup ",
    "restored ",
    "yesterday ",
    "button ",
    "label ",
    "translated ",
    "badly ",
    "cache ",
    "invalidated ",
    "too early ",
    "migration ",
    "script ",
    "version ",
    "mismatch ",
];
const _: () = assert!(WORDS.len() >= 64);

const ODD: &[&str] = &[
    "gr\u{fc}n \u{df}tra\u{df}e ",
    "\u{65e5}\u{672c}\u{8a9e}\u{306e}\u{8aac}\u{660e} ",
    "\u{1f680}\u{1f469}\u{200d}\u{1f4bb} ",
    "line\u{2028}separator ",
    "\"quoted\" ",
    "back\\slash ",
    "tab\there ",
    "{code:java}\r\nint x = 0;\r\n{code}\r\n",
    "||a||b||\n|1|2|\n",
    "\u{639}\u{631}\u{628}\u{64a} ",
    "[link|https://example.com/?a=1&b=<2>] ",
    "e\u{301}\u{323} ",
    "\u{fe0f}\u{200b}zero ",
    "O\u{2019}Brien ",
    "\u{1}control ",
    "caf\u{c3}\u{a9} ",
    "{color:red}x{color} ",
    "\u{7f}\u{85} ",
];

/// Writes about `length` bytes of text as the inside of a JSON string.
pub(crate) fn push_prose(out: &mut String, rng: &mut Rng, length: usize) {
    let until = out.len() + length;
    while out.len() < until {
        // One random number gives several words: this is the hot path of a large site.
        let mut bits = rng.next();
        if bits & 0xff < 3 {
            push_escaped(out, rng.pick::<&str>(ODD));
        }
        if bits & 0xff00 == 0 {
            out.push_str("\\r\\n\\r\\n");
        }
        bits >>= 16;
        for _ in 0..8 {
            out.push_str(WORDS[usize::from((bits & 63).to_le_bytes()[0])]);
            bits >>= 6;
        }
    }
}

/// Writes a short line as a JSON string.
pub(crate) fn push_line(out: &mut String, rng: &mut Rng, words: u64) {
    out.push('"');
    for _ in 0..=rng.below(words) {
        if rng.one_in(40) {
            push_escaped(out, rng.pick(ODD).trim_end_matches(['\r', '\n']));
        } else {
            out.push_str(rng.pick::<&str>(WORDS));
        }
    }
    push_num(out, i64::try_from(rng.below(1000)).unwrap_or(0));
    out.push('"');
}

/// Writes a text of varied length as a JSON string: sometimes empty, seldom long.
pub(crate) fn push_text(out: &mut String, rng: &mut Rng, typical: u64) {
    out.push('"');
    let length = match rng.below(50) {
        0 => 0,
        1 => typical * 8,
        _ => rng.below(typical * 2) + 1,
    };
    if length > 0 {
        push_prose(out, rng, usize::try_from(length).unwrap_or(0));
    }
    out.push('"');
}
