//! Who signed a certificate and whose it is, as far as a person needs it: common name and organisation. The verifier parses certificates
//! itself and tells neither; this reads just these two names and the dates of the DER (RFC 5280, section 4.1) and trusts nothing of it.

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const VERSION: u8 = 0xa0;
const BMP_STRING: u8 = 0x1e;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// 2.5.4.3 and 2.5.4.10.
const SHOWN: [(&[u8], &str); 2] = [(&[0x55, 4, 3], "CN"), (&[0x55, 4, 10], "O")];
/// Longer names are cut.
const CHARS_MAX: usize = 200;

/// The names in a certificate, safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Who signed it.
    pub(super) issuer: String,
    /// Whose it is.
    pub(super) subject: String,
    /// First and last second of its validity, since 1970.
    pub(super) valid_s: (i64, i64),
}

/// The names; `None` for what is no certificate.
pub(super) fn of(certificate: &[u8]) -> Option<Names> {
    let mut certificate = Der(certificate).expect(SEQUENCE)?;
    let mut signed = certificate.expect(SEQUENCE)?;
    let (first, _) = signed.next()?;
    if first == VERSION {
        signed.next()?;
    }
    let _algorithm = signed.expect(SEQUENCE)?;
    let issuer = signed.expect(SEQUENCE)?;
    let mut validity = signed.expect(SEQUENCE)?;
    let subject = signed.expect(SEQUENCE)?;
    let valid_s = (second(validity.next()?)?, second(validity.next()?)?);
    Some(Names { issuer: shown(issuer), subject: shown(subject), valid_s })
}

/// A time of the validity (RFC 5280, section 4.1.2.5): two digits of the year up to 2049, four from then on.
fn second((kind, value): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let whole = match kind {
        UTC_TIME => {
            let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = chrono::NaiveDateTime::parse_from_str(&whole, "%Y%m%d%H%M%SZ").ok()?;
    Some(time.and_utc().timestamp())
}

fn shown(mut name: Der<'_>) -> String {
    let mut parts = Vec::new();
    while let Some(mut set) = name.expect(SET) {
        while let Some(mut attribute) = set.expect(SEQUENCE) {
            parts.extend(attribute_shown(&mut attribute));
        }
    }
    let text: String = parts.join(", ").chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect();
    if text.is_empty() { "an authority without a name".to_owned() } else { text }
}

fn attribute_shown(attribute: &mut Der<'_>) -> Option<String> {
    let Der(id) = attribute.expect(OBJECT_ID)?;
    let (_, label) = SHOWN.iter().find(|(known, _)| *known == id)?;
    let (kind, value) = attribute.next()?;
    let text = if kind == BMP_STRING {
        let units: Vec<u16> = value.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(value).into_owned()
    };
    Some(format!("{label}={text}"))
}

/// What is left to read of a DER value.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(*first) {
            short @ 0..0x80 => (short, rest),
            long => {
                let (bytes, rest) =
                    rest.split_at_checked(long - 0x80).filter(|(bytes, _)| bytes.len() <= 4)?;
                (bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element if it has this tag.
    fn expect(&mut self, wanted: u8) -> Option<Der<'a>> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| Der(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, Issuer, KeyPair, date_time_ymd};

    fn names(of: &[(DnType, DnValue)]) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        for (kind, value) in of {
            name.push(kind.clone(), value.clone());
        }
        name
    }

    #[test]
    fn issuer_and_subject_are_read_and_made_safe_to_show() {
        let mut root = CertificateParams::default();
        let bmp = rcgen::string::BmpString::try_from("Gäteway").unwrap();
        root.distinguished_name = names(&[
            (DnType::CountryName, DnValue::from("DE")),
            (DnType::OrganizationName, DnValue::from("Acme\nGmbH")),
            (DnType::CommonName, DnValue::BmpString(bmp)),
        ]);
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        leaf.distinguished_name = names(&[(DnType::CommonName, DnValue::from("x".repeat(300)))]);
        (leaf.not_before, leaf.not_after) = (date_time_ymd(2026, 1, 2), date_time_ymd(2069, 1, 1));
        let issuer = Issuer::new(root, KeyPair::generate().unwrap());
        let certificate = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        let found = of(certificate.der()).unwrap();
        assert_eq!(found.valid_s, (1_767_312_000, 3_124_224_000));
        assert_eq!(found.issuer, "O=AcmeGmbH, CN=Gäteway");
        assert_eq!(found.subject.chars().count(), CHARS_MAX);
        for cut in 0..certificate.der().len() {
            drop(of(&certificate.der()[..cut]));
        }
        assert_eq!(of(b""), None);
        assert_eq!(of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(of(&[0x30, 0xff]), None);
    }
}
