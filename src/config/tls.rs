//! TLS with clients: the keys of `[listen.tls]` and `[listen.admin_tls]`.

use super::Listen;
use super::settings::{choice, file};
use crate::sheet::Section;
use std::path::{Path, PathBuf};

/// How a listener speaks TLS, as the config file says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificates and their keys, at least one. A client gets the first that is for the name it asks for, or else the
    /// first of all.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// Whose client certificates are accepted; `None` asks for none.
    pub clients: Option<ClientTrust>,
}

/// A certificate and its key; as loaded, relative paths were joined to the config file's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, in PEM, followed by those of its intermediate CAs.
    pub chain: PathBuf,
    /// Its private key, in PEM, not encrypted.
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Whose client certificates are accepted; as loaded, relative paths were joined to the config file's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTrust {
    /// The CAs, in PEM.
    pub ca: PathBuf,
    /// Lists of revoked certificates, in PEM or DER.
    pub crl: Vec<PathBuf>,
    /// Whether a client has to show a certificate.
    pub auth: ClientAuth,
}

/// Whether a client has to show a certificate. One that is shown must hold in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// It may.
    #[default]
    Optional,
    /// It must.
    Required,
}

/// Reads both tables of a listen section.
pub(super) fn read(listen: &mut Section<'_>, settings: &mut Listen, folder: &Path) {
    let is_there = listen.has("tls");
    let mut section = listen.section("tls");
    let mut tls = read_certificates(&mut section, folder);
    let clients = read_clients(&mut section, folder);
    match &mut tls {
        Some(tls) => tls.clients = clients,
        None if is_there || clients.is_some() => section.wrong(NO_CERTIFICATES),
        None => {}
    }
    section.finish();
    settings.tls = tls;
    let is_there = listen.has("admin_tls");
    let mut section = listen.section("admin_tls");
    settings.admin_tls = read_certificates(&mut section, folder);
    if is_there && settings.admin_tls.is_none() {
        section.wrong(NO_CERTIFICATES);
    }
    section.finish();
    listen.read_text("admin_token_file", &mut settings.admin_token_file, |path| file(path, folder).map(Some));
}

/// What to say where TLS lacks what it is spoken with.
pub(super) const NO_CERTIFICATES: &str = "names no certificate: set certificates, as in { \"tls.crt\" = \"tls.key\" }; \
                               `tollgate certs self-signed` makes one for trials";

fn read_certificates(section: &mut Section<'_>, folder: &Path) -> Option<TlsSettings> {
    let mut tls = TlsSettings::default();
    section.read_text("min_version", &mut tls.min_version, |word| {
        choice(word, &[("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)])
    });
    tls.certificates = section.read_map("certificates", |chain, key| {
        Ok(CertificateFiles { chain: file(chain, folder)?, key: file(key, folder)? })
    })?;
    Some(tls)
}

fn read_clients(section: &mut Section<'_>, folder: &Path) -> Option<ClientTrust> {
    let (mut ca, mut auth) = (None, None);
    section.read_text("client_ca", &mut ca, |path| file(path, folder).map(Some));
    let crl = section.read_list("client_crl", |path| file(path, folder));
    section.read_text("client_auth", &mut auth, |word| {
        choice(word, &[("optional", ClientAuth::Optional), ("required", ClientAuth::Required)]).map(Some)
    });
    let set = [("client_crl", crl.is_some()), ("client_auth", auth.is_some())];
    let Some(ca) = ca else {
        for (key, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
            let message = "says nothing without client_ca, the file of the CAs whose client certificates are accepted: \
                           set that, or remove this";
            section.wrong_key(key, message);
        }
        return None;
    };
    Some(ClientTrust { ca, crl: crl.unwrap_or_default(), auth: auth.unwrap_or_default() })
}
