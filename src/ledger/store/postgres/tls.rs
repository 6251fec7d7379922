//! TLS to the database. A certificate is always checked, whatever `sslmode` says.

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Returns how TLS is spoken, trusting the certificates of a file, or else those that the machine trusts. The error
/// says what is wrong.
pub(super) fn client(certificates: Option<&Path>) -> Result<ClientConfig, String> {
    let roots = match certificates {
        Some(file) => of_file(file)?,
        None => of_machine(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn of_file(file: &Path) -> Result<RootCertStore, String> {
    let name = file.display();
    let wrong =
        |error: &dyn std::fmt::Display| format!("the CA certificates of {name} cannot be read: {error}");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() { Err(format!("{name} holds no certificate")) } else { Ok(roots) }
}

/// A machine without any is trusted with nothing: then every certificate is refused, and the refusal says so.
fn of_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
