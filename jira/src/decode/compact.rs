//! JSON text without insignificant white space, as sent otherwise: order of members, spelling of numbers and escapes stay.

/// Appends `json`, which must be valid JSON, without the white space between its tokens.
pub(crate) fn write_compact(json: &str, out: &mut String) {
    let bytes = json.as_bytes();
    let (mut kept_from, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.push_str(json.get(kept_from..at).unwrap_or_default());
                at += 1;
                kept_from = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(json.get(kept_from..).unwrap_or_default());
}

/// Where the text that starts at the quotation mark `start` is over.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Appends a text as a JSON string.
pub(crate) fn write_json_text(text: &str, out: &mut String) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // A text always has a JSON form.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::any_json;
    use proptest::prelude::*;

    fn compact(json: &str) -> String {
        let mut out = String::new();
        write_compact(json, &mut out);
        out
    }

    #[test]
    fn order_numbers_and_escapes_stay_as_sent() {
        let sent = "{ \"z\" : 1.50 , \"a\" : [ 1e2 ,\t-0, 12345678901234567890123 ],\r\n \"t\":\" a \\\" b \\\\\" , \"\\u00e9\": \"\u{e9} \\/\" }";
        let kept = "{\"z\":1.50,\"a\":[1e2,-0,12345678901234567890123],\"t\":\" a \\\" b \\\\\",\"\\u00e9\":\"\u{e9} \\/\"}";
        assert_eq!(compact(sent), kept);
        assert_eq!(compact(kept), kept);
        assert_eq!(compact(" \"x y\" "), "\"x y\"");
    }

    proptest! {
        #[test]
        fn pretty_json_becomes_what_serde_json_prints_compactly(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), serde_json::to_string(&value).unwrap());
        }

        #[test]
        fn texts_are_escaped_as_serde_json_does(text in any::<String>()) {
            let mut out = String::new();
            write_json_text(&text, &mut out);
            prop_assert_eq!(out, serde_json::to_string(&text).unwrap());
        }
    }
}
