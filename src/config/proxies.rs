//! The HTTP proxies that connections to upstream go through, as the environment names them.
//!
//! The names, and which wins, are those of the AWS SDK for Rust, which fetches the gateway's credentials in the same
//! process: upper case before lower case, and a scheme's own variable before `ALL_PROXY`.

use crate::sheet::Problem;
use http::Uri;
use std::fmt;
use std::path::Path;

const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];
const NONE_FOR: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// What is right; values are not repeated, since they may hold a password.
const RIGHT: &str = "use http://, a host and a port, as in http://proxy.example.com:3128, or with credentials \
    http://user:password@proxy.example.com:3128, where %40 stands for @, %3A for :, %2F for / and %23 for #";

/// Which proxies connections go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The proxy of https endpoints.
    pub https: Option<Proxy>,
    /// The proxy of http endpoints.
    pub http: Option<Proxy>,
    /// The hosts that are connected to without: names, which stand for their subdomains as well, addresses,
    /// networks and `*`, separated by commas.
    pub no_proxy: String,
}

/// An HTTP proxy. As text it is its URL without credentials, and the variable that names it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: String,
    /// Its address, as a URL without credentials.
    pub address: String,
    /// Its URL with credentials, where it takes them.
    url: String,
}

impl Proxies {
    /// Tells whether a variable of the environment says something about proxies.
    pub(super) fn asks_for(variable: &str) -> bool {
        [HTTPS, HTTP, ALL, NONE_FOR].as_flattened().contains(&variable)
    }

    /// Reads the variables of an environment.
    pub(super) fn read(env: &[(String, String)], problems: &mut Vec<Problem>) -> Self {
        let all = first(env, ALL);
        let [https, http] = [HTTPS, HTTP].map(|names| first(env, names).or(all));
        let mut proxy = |set: Option<(&str, &str)>| {
            let (variable, value) = set?;
            let wrong = |message| Problem::of_file(Path::new(variable), message);
            Proxy::parse(variable, value).map_err(|message| problems.push(wrong(message))).ok()
        };
        let proxies = Self {
            https: proxy(https),
            http: proxy(http),
            no_proxy: first(env, NONE_FOR).map_or_else(String::new, |(_, value)| value.to_owned()),
        };
        // Where both are of `ALL_PROXY`, so is the problem.
        problems.dedup();
        proxies
    }

    /// Returns the proxy of endpoints with a scheme.
    pub fn of_scheme(&self, scheme: &str) -> Option<&Proxy> {
        if scheme == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }
}

impl Proxy {
    fn parse(variable: &str, value: &str) -> Result<Self, String> {
        let url = value.trim();
        let uri: Uri = url.parse().map_err(|_| format!("is no URL of a proxy: {RIGHT}"))?;
        if let Some(scheme) = uri.scheme_str().filter(|scheme| *scheme != "http") {
            return Err(format!("the gateway knows no {scheme} proxies, only HTTP proxies: {RIGHT}"));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = uri.host().unwrap_or_default();
        let has_port = uri.port_u16().is_some();
        // A password that is not encoded ends the authority, or the host, too early.
        let is_cut = url.matches('@').count() != authority.matches('@').count().min(1);
        let is_odd = !has_port && !authority.ends_with(host);
        if host.is_empty() || is_cut || is_odd {
            return Err(format!("is no URL of a proxy: {RIGHT}"));
        }
        let address = format!("http://{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Self { variable: variable.to_owned(), address, url: url.to_owned() })
    }

    /// Returns the URL as the variable holds it, which may be with credentials.
    pub(crate) fn secret_url(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the first of the variables that is set; an empty value names nothing, and hides what comes after it.
fn first<'a>(env: &'a [(String, String)], names: [&str; 2]) -> Option<(&'a str, &'a str)> {
    let found = names.iter().find_map(|name| env.iter().find(|(variable, _)| variable == name));
    found.map(|(variable, value)| (variable.as_str(), value.as_str())).filter(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> (Proxies, Vec<Problem>) {
        let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut problems = Vec::new();
        (Proxies::read(&env, &mut problems), problems)
    }

    /// Returns the proxies of https and http endpoints, as text.
    fn named(env: &[(&str, &str)]) -> [String; 2] {
        let (proxies, problems) = read(env);
        assert_eq!(problems, [], "{env:?}");
        [proxies.https, proxies.http].map(|proxy| proxy.map_or_else(String::new, |proxy| proxy.to_string()))
    }

    #[test]
    fn each_scheme_has_its_variable() {
        assert_eq!(named(&[]), ["", ""]);
        assert_eq!(named(&[("HTTPS_PROXY", "http://a:1")]), ["http://a:1 (HTTPS_PROXY)", ""]);
        assert_eq!(named(&[("http_proxy", "a:1")]), ["", "http://a:1 (http_proxy)"]);
        let all = [("ALL_PROXY", "http://a"), ("https_proxy", "http://[::1]:2")];
        assert_eq!(named(&all), ["http://[::1]:2 (https_proxy)", "http://a:80 (ALL_PROXY)"]);
        let both = [("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        assert_eq!(named(&both), ["http://b:2 (HTTPS_PROXY)", ""]);
        assert_eq!(named(&[("https_proxy", "http://a:1"), ("HTTPS_PROXY", "")]), ["", ""]);
    }

    #[test]
    fn credentials_are_kept_and_never_shown() {
        let (proxies, _) = read(&[("HTTPS_PROXY", "http://user:se%40cret@a:1")]);
        assert_eq!(proxies.https.as_ref().unwrap().secret_url(), "http://user:se%40cret@a:1");
        assert!(!format!("{proxies:?}").contains("se%40cret"), "{proxies:?}");
    }

    #[test]
    fn what_is_no_http_proxy_is_a_mistake() {
        for value in [
            "http://",
            "http://a:b",
            "http://a b",
            "socks5://a:1",
            "https://a:1",
            "http://user:se#cret@a:1",
            "http://user:1/se@cret@a:1",
            "http://user:1?secret@a:1",
            "http://user:se@cret@a:1",
        ] {
            let (proxies, problems) = read(&[("ALL_PROXY", value)]);
            assert_eq!((proxies.https, proxies.http, problems.len()), (None, None, 1), "{value}");
            let problem = problems[0].to_string();
            assert!(problem.starts_with("ALL_PROXY: ") && problem.contains(RIGHT), "{problem}");
            assert!(!problem.contains("cret@"), "{problem}");
        }
    }

    #[test]
    fn what_nothing_goes_through_is_not_looked_at() {
        let env =
            [("ALL_PROXY", "socks5://a:1"), ("HTTPS_PROXY", "http://a:1"), ("HTTP_PROXY", "http://a:1")];
        assert_eq!(named(&env), ["http://a:1 (HTTPS_PROXY)", "http://a:1 (HTTP_PROXY)"]);
    }
}
