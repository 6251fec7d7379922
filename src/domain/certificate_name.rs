//! Which client certificates are a service's: rules about the names that they certify.

use super::{ClientCertificate, glob};
use std::collections::HashMap;
use std::fmt;

/// The longest rule, in bytes: as long as a SPIFFE id may be (SPIFFE-ID, section 2.3).
const MAX_LEN: usize = 2048;

/// What begins a rule about DNS names.
const DNS: &str = "dns:";

/// A rule about a name of a client certificate: a URI, such as `spiffe://corp.example/ns/prod/sa/*`, or, after `dns:`, a
/// DNS name. `*` stands for any text without `/` in a URI, and without `.` in a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateName {
    /// Of a URI, taken as it stands.
    Uri(Box<str>),
    /// Of a DNS name, in lower case.
    Dns(Box<str>),
}

/// Why a text is no rule about certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificateName {
    /// It is neither a URI nor a DNS name.
    #[error(
        "no name of a certificate: use a URI, as in spiffe://corp.example/ns/prod/sa/checkout, or a DNS name, as in \
         dns:checkout.internal; * stands for any text without / or ."
    )]
    Neither,
    /// It is longer than any name.
    #[error("longer than a certificate's name may be, 2048 bytes")]
    TooLong,
}

impl CertificateName {
    /// Returns the rule, checked.
    pub fn parse(text: &str) -> Result<Self, InvalidCertificateName> {
        if text.len() > MAX_LEN {
            return Err(InvalidCertificateName::TooLong);
        }
        let found = match text.strip_prefix(DNS) {
            Some(name) => is_dns(name).then(|| Self::Dns(name.to_ascii_lowercase().into())),
            None => is_uri(text).then(|| Self::Uri(text.into())),
        };
        found.ok_or(InvalidCertificateName::Neither)
    }

    /// Tells whether one of a certificate's names is one that the rule stands for.
    pub fn fits(&self, certificate: &ClientCertificate) -> bool {
        match self {
            Self::Uri(rule) => certificate.uris.iter().any(|uri| fits_by_piece(rule, uri, '/')),
            Self::Dns(rule) => {
                certificate.dns.iter().any(|name| fits_by_piece(rule, &name.to_ascii_lowercase(), '.'))
            }
        }
    }

    /// Tells whether the rule stands for one name alone.
    fn is_exact(&self) -> bool {
        let (Self::Uri(text) | Self::Dns(text)) = self;
        !text.contains('*')
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(text) => f.write_str(text),
            Self::Dns(text) => write!(f, "{DNS}{text}"),
        }
    }
}

/// Tells whether a text fits a rule piece by piece, so that a `*` never reaches beyond `between`.
fn fits_by_piece(rule: &str, text: &str, between: char) -> bool {
    let (mut rules, mut pieces) = (rule.split(between), text.split(between));
    loop {
        match (rules.next(), pieces.next()) {
            (None, None) => return true,
            (Some(rule), Some(piece)) if glob::fits(rule, piece) => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

/// A scheme (RFC 3986, section 3.1) and something after it, in visible ASCII.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(legal)
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_dns(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte);
    name.split('.').all(|label| !label.is_empty() && label.bytes().all(legal))
}

/// Rules about certificates, and whose each is.
#[derive(Debug, Clone)]
pub struct CertificateNames<T> {
    uris: HashMap<Box<str>, T>,
    dns: HashMap<Box<str>, T>,
    patterns: Vec<(CertificateName, T)>,
}

impl<T: PartialEq> CertificateNames<T> {
    /// Returns rules, each of its owner; of the same rule twice, the last one holds.
    pub fn new(rules: impl IntoIterator<Item = (CertificateName, T)>) -> Self {
        let mut names = Self { uris: HashMap::new(), dns: HashMap::new(), patterns: Vec::new() };
        for (rule, owner) in rules {
            if rule.is_exact() {
                match rule {
                    CertificateName::Uri(uri) => names.uris.insert(uri, owner),
                    CertificateName::Dns(name) => names.dns.insert(name, owner),
                };
            } else {
                names.patterns.push((rule, owner));
            }
        }
        names
    }

    /// Tells whether there are no rules, so that no certificate is anyone's.
    pub fn is_empty(&self) -> bool {
        self.uris.is_empty() && self.dns.is_empty() && self.patterns.is_empty()
    }

    /// Returns everyone whose rules fit a certificate, each once.
    pub fn services(&self, certificate: &ClientCertificate) -> Vec<&T> {
        let uris = certificate.uris.iter().filter_map(|uri| self.uris.get(uri.as_str()));
        let dns = certificate.dns.iter().filter_map(|name| self.dns.get(name.to_ascii_lowercase().as_str()));
        let fitting = self.patterns.iter().filter(|(rule, _)| rule.fits(certificate)).map(|(_, owner)| owner);
        let mut found = Vec::new();
        for owner in uris.chain(dns).chain(fitting) {
            if !found.contains(&owner) {
                found.push(owner);
            }
        }
        found
    }
}

impl<T> Default for CertificateNames<T> {
    fn default() -> Self {
        Self { uris: HashMap::new(), dns: HashMap::new(), patterns: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(uris: &[&str], dns: &[&str]) -> ClientCertificate {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ClientCertificate { uris: owned(uris), dns: owned(dns) }
    }

    fn rule(text: &str) -> CertificateName {
        CertificateName::parse(text).unwrap()
    }

    /// The same by definition: `*` takes nothing, or one byte that is not `between` and goes on.
    fn fits(rule: &[u8], text: &[u8], between: u8) -> bool {
        match (rule.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', after)), Some((byte, rest))) => {
                fits(after, text, between) || (*byte != between && fits(rule, rest, between))
            }
            (Some((b'*', after)), None) => fits(after, text, between),
            (Some((byte, after)), Some((other, rest))) => byte == other && fits(after, rest, between),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    #[test]
    fn names_fit_rules() {
        let sa = "spiffe://corp.example/ns/prod/sa/checkout";
        for (text, uris, dns, expected) in [
            (sa, &[sa][..], &[][..], true),
            (sa, &["spiffe://corp.example/ns/prod/sa/checkout2"], &[], false),
            ("spiffe://corp.example/ns/*/sa/checkout", &[sa], &[], true),
            ("spiffe://corp.example/ns/prod/sa/check*", &["urn:x", sa], &[], true),
            ("spiffe://corp.example/*", &[sa], &[], false),
            ("spiffe://corp.example/*", &["spiffe://corp.example/a"], &[], true),
            ("SPIFFE://corp.example/a", &["spiffe://corp.example/a"], &[], false),
            ("dns:Checkout.internal", &[], &["checkout.internal"], true),
            ("dns:checkout.internal", &[], &["CHECKOUT.internal"], true),
            ("dns:*.internal", &[], &["checkout.internal"], true),
            ("dns:*.internal", &[], &["a.checkout.internal"], false),
            // A name of one kind is none of the other.
            ("dns:checkout", &["checkout"], &[], false),
            ("urn:checkout", &[], &["urn:checkout"], false),
            (sa, &[], &[], false),
        ] {
            assert_eq!(rule(text).fits(&certificate(uris, dns)), expected, "{text} {uris:?} {dns:?}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let neither = InvalidCertificateName::Neither;
        for bad in [
            "",
            "checkout",
            "dns:",
            "dns:a..b",
            "dns:a b",
            "dns:a/b",
            "spiffe:",
            "sp*ffe://a",
            "a://b c",
            "a://ä",
        ] {
            assert_eq!(CertificateName::parse(bad), Err(neither), "{bad}");
        }
        let long = format!("urn:{}", "x".repeat(MAX_LEN));
        assert_eq!(CertificateName::parse(&long), Err(InvalidCertificateName::TooLong));
    }

    #[test]
    fn everyone_that_fits_is_found_once() {
        let rules = [
            ("spiffe://a/x", 1),
            ("spiffe://a/*", 1),
            ("dns:x.internal", 2),
            ("dns:*.internal", 3),
            ("spiffe://b/*", 4),
        ];
        let names = CertificateNames::new(rules.map(|(text, owner)| (rule(text), owner)));
        let found = |uris: &[&str], dns: &[&str]| {
            names.services(&certificate(uris, dns)).into_iter().copied().collect::<Vec<_>>()
        };
        assert_eq!(found(&["spiffe://a/x"], &[]), [1]);
        assert_eq!(found(&["spiffe://a/y"], &["X.internal"]), [2, 1, 3]);
        assert_eq!(found(&["spiffe://c/y"], &[]), [0; 0]);
        assert!(!names.is_empty() && CertificateNames::<u8>::default().is_empty());
    }

    proptest! {
        #[test]
        fn a_star_stays_within_its_piece(rule in "[ab/*]{1,8}", uri in "[ab/]{0,10}") {
            let expected = fits(rule.as_bytes(), uri.as_bytes(), b'/');
            prop_assert_eq!(fits_by_piece(&rule, &uri, '/'), expected);
        }

        #[test]
        fn rules_print_as_they_are_read(text in "(urn:[a-z/*]{1,9}|dns:[a-z*]{1,5}\\.[a-z]{1,5})") {
            let parsed = rule(&text);
            prop_assert_eq!(parsed.to_string(), text);
        }
    }
}
