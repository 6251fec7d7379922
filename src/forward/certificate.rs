//! What keeps TLS with an upstream from coming about, in words that say what to do.

use rustls::{AlertDescription, CertificateError as Fault, Error as TlsError};
use std::error::Error;
use std::io;

/// Returns what is wrong with an upstream's certificate or its TLS, if it is that which keeps a connection from coming
/// about.
pub(super) fn fault(error: &(dyn Error + 'static)) -> Option<String> {
    let error = find(error)?;
    let is_no_tls = matches!(error, TlsError::InvalidMessage(_));
    let is_old_tls = matches!(
        error,
        TlsError::AlertReceived(AlertDescription::ProtocolVersion) | TlsError::PeerIncompatible(_)
    );
    Some(if let TlsError::InvalidCertificate(fault) = error {
        of_certificate(fault)
    } else if is_no_tls {
        format!(
            "what answers there speaks no TLS ({error}): check host and port of upstream.endpoint, or use http://"
        )
    } else if is_old_tls {
        format!("it speaks no TLS that the gateway does ({error}): let it speak TLS 1.2 or 1.3")
    } else {
        format!("TLS does not come about ({error}): check upstream.endpoint, and who answers there")
    })
}

fn of_certificate(fault: &Fault) -> String {
    // A CA of the right name whose key is another: one that was made anew, or somebody else's.
    let is_unknown = matches!(fault, Fault::UnknownIssuer | Fault::BadSignature);
    let is_other_name = matches!(fault, Fault::NotValidForName | Fault::NotValidForNameContext { .. });
    let is_out_of_time = matches!(
        fault,
        Fault::Expired | Fault::ExpiredContext { .. } | Fault::NotValidYet | Fault::NotValidYetContext { .. }
    );
    if is_unknown {
        "its certificate is signed by no CA that is trusted here: name a bundle that holds that CA with \
         upstream.ca_bundle, or add it to this machine's CA certificates, and restart the gateway"
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
    }
}

fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    if let Some(error) = error.downcast_ref() {
        return Some(error);
    }
    // An I/O error does not name what it holds as its source.
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    find(held.map(|held| -> &(dyn Error + 'static) { held }).or_else(|| error.source())?)
}
