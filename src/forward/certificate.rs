//! What is wrong with an upstream's certificate, in words that say what to do.

use rustls::CertificateError as Fault;
use std::error::Error;
use std::io;

/// Returns what is wrong with the certificate, if it is that which keeps a connection from coming about.
pub(super) fn fault(error: &(dyn Error + 'static)) -> Option<String> {
    let fault = find(error)?;
    // A CA of the right name whose key is another: one that was made anew, or somebody else's.
    let is_unknown = matches!(fault, Fault::UnknownIssuer | Fault::BadSignature);
    let is_other_name = matches!(fault, Fault::NotValidForName | Fault::NotValidForNameContext { .. });
    let is_out_of_time = matches!(
        fault,
        Fault::Expired | Fault::ExpiredContext { .. } | Fault::NotValidYet | Fault::NotValidYetContext { .. }
    );
    Some(if is_unknown {
        "its certificate is signed by no CA that this machine trusts: add that CA to the machine's CA certificates, \
         or name a bundle that holds it with SSL_CERT_FILE, and restart the gateway"
            .to_owned()
    } else if is_other_name {
        format!(
            "its certificate is for another host ({fault}): check upstream.endpoint, and who answers there"
        )
    } else if is_out_of_time {
        format!(
            "its certificate does not count now ({fault}): check this machine's clock, and renew the certificate"
        )
    } else {
        format!("its certificate is not accepted: {fault}")
    })
}

fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Fault> {
    if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
        return Some(fault);
    }
    // An I/O error does not name what it holds as its source.
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    find(held.map(|held| -> &(dyn Error + 'static) { held }).or_else(|| error.source())?)
}
