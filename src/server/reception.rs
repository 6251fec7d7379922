//! What comes before HTTP on a connection: TLS, where the plane speaks it, and which protocol follows.

use super::client_io::ClientIo;
use super::client_stream::ClientStream;
use crate::config::{Ingress, Listen, ServerTls};
use crate::domain::ClientCertificate;
use crate::gateway::{ClientLine, Gateway};
use crate::metrics::Plane;
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long to wait for the rest of it.
const PREFACE_PACE: Duration = Duration::from_millis(10);

/// HTTP/2 by TLS (RFC 9113, section 3.2).
const ALPN_H2: &[u8] = b"h2";

/// How long a client that is refused may take to hear why.
const REFUSAL: Duration = Duration::from_secs(1);

/// What a client is told that speaks HTTP where TLS is spoken.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\n\
    content-length: 81\r\n\r\n{\"message\":\"this port speaks TLS: write https:// in place of http:// in the URL\"}";

/// The version of HTTP that a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1 or HTTP/1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Receives the connections of a plane.
#[derive(Debug)]
pub(crate) struct Reception {
    gateway: Arc<Gateway>,
    plane: Plane,
    /// Whether TLS is spoken; a start settles that.
    by_tls: bool,
    /// How long a client may take to say what it speaks.
    head_patience: Duration,
    /// How long it may take no byte that is ready for it.
    write_patience: Duration,
}

/// A connection that HTTP may begin on.
pub(crate) struct Received {
    pub(crate) stream: ClientStream,
    pub(crate) protocol: Protocol,
    /// The line that it was, with the certificate that was shown.
    pub(crate) line: ClientLine,
}

impl Reception {
    pub(crate) fn new(gateway: Arc<Gateway>, plane: Plane, listen: &Listen) -> Self {
        let by_tls = tls_of(&gateway.ingress.load(), plane).is_some();
        let (head_patience, write_patience) = (listen.header_read_timeout, listen.write_timeout);
        Self { gateway, plane, by_tls, head_patience, write_patience }
    }

    /// Tells by what comes first what a client speaks; `None` where it does not say so in time, or leaves.
    pub(crate) async fn receive(&self, stream: TcpStream, line: ClientLine) -> Option<Received> {
        // Without it, the last piece of every event waits for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        if self.by_tls {
            // Boxed: connections in clear need not have room for it.
            return Box::pin(self.begin_tls(stream, line)).await;
        }
        let begun = tokio::time::timeout(self.head_patience, protocol_of(&stream)).await;
        let protocol = begun.ok()?.ok()?;
        let stream = ClientStream::Plain(ClientIo::new(stream, line.clone(), self.write_patience));
        Some(Received { stream, protocol, line })
    }

    /// Begins TLS. What fails is counted, and logged for those who look: whoever scans ports should not fill a log.
    async fn begin_tls(&self, stream: TcpStream, line: ClientLine) -> Option<Received> {
        let begun = tokio::time::timeout(self.head_patience, self.shake_hands(stream, &line)).await;
        match begun.unwrap_or_else(|_| Err(Some(ErrorKind::TimedOut.into()))) {
            Ok(stream) => {
                let protocol = if stream.get_ref().1.alpn_protocol() == Some(ALPN_H2) {
                    Protocol::Http2
                } else {
                    Protocol::Http1
                };
                let line = match certificate(stream.get_ref().1) {
                    Some(certificate) => line.certified(certificate),
                    None => line,
                };
                Some(Received { stream: ClientStream::Tls(Box::new(stream)), protocol, line })
            }
            Err(error) => {
                if let Some(error) = error {
                    let (plane, peer) = (self.plane.name(), line.peer().address);
                    tracing::debug!(plane, %peer, %error, "no TLS with a client");
                    self.gateway.metrics.tls_failed(self.plane);
                }
                None
            }
        }
    }

    /// Goes through the handshake; a client that leaves without a byte, as health checks do, is no failure.
    async fn shake_hands(
        &self,
        mut stream: TcpStream,
        line: &ClientLine,
    ) -> Result<TlsStream<ClientIo>, Option<io::Error>> {
        let mut first = [0];
        let Ok(1) = stream.peek(&mut first).await else { return Err(None) };
        if first.iter().all(u8::is_ascii_uppercase) {
            // The last that it hears; where it has gone, there is nobody to tell.
            let _ = stream.write_all(SPEAK_TLS).await;
            say_goodbye(stream).await;
            return Err(Some(io::Error::new(ErrorKind::InvalidData, "it speaks HTTP without TLS")));
        }
        let config = self.config().ok_or(None)?;
        let io = ClientIo::new(stream, line.clone(), self.write_patience);
        let accepted = TlsAcceptor::from(config).accept(io).into_fallible().await;
        match accepted {
            Ok(stream) => Ok(stream),
            Err((error, io)) => {
                say_goodbye(io).await;
                Err(Some(error))
            }
        }
    }

    /// Returns how TLS is spoken by now.
    fn config(&self) -> Option<Arc<ServerConfig>> {
        tls_of(&self.gateway.ingress.load(), self.plane).map(|tls| Arc::clone(&tls.config))
    }
}

fn tls_of(ingress: &Ingress, plane: Plane) -> Option<&ServerTls> {
    match plane {
        Plane::Data => ingress.data.as_ref(),
        Plane::Admin => ingress.admin.as_ref(),
    }
}

/// Closes a connection so that what was said last is heard: what is unread would turn the end into a reset.
pub(super) async fn say_goodbye(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let leaving = async {
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    // A client that stays is left.
    let _ = tokio::time::timeout(REFUSAL, leaving).await;
}

/// Returns what the certificate says that TLS has verified, if one was shown.
fn certificate(connection: &ServerConnection) -> Option<ClientCertificate> {
    names(connection.peer_certificates()?.first()?)
}

/// Returns the names that a certificate certifies.
fn names(certificate: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    Some(ClientCertificate {
        uris: parsed.valid_uri_names().map(str::to_owned).collect(),
        dns: parsed.valid_dns_names().map(str::to_ascii_lowercase).collect(),
    })
}

/// Tells by its first bytes, which stay unread, what a client speaks.
async fn protocol_of(stream: &TcpStream) -> io::Result<Protocol> {
    let mut first = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut first).await?;
        let begun = first.get(..count).unwrap_or_default();
        if begun.is_empty() || !PREFACE.starts_with(begun) {
            return Ok(Protocol::Http1);
        }
        if begun == PREFACE {
            return Ok(Protocol::Http2);
        }
        tokio::time::sleep(PREFACE_PACE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    #[test]
    fn a_certificate_names_uris_and_hosts_and_nothing_else() {
        let names_in = ["Checkout.internal", "*.b.internal", "10.0.0.7"].map(str::to_owned);
        let mut params = CertificateParams::new(names_in).unwrap();
        let uris = ["spiffe://corp.example/ns/prod/sa/checkout", "urn:a"];
        params.subject_alt_names.extend(uris.map(|uri| SanType::URI(uri.try_into().unwrap())));
        params.subject_alt_names.push(SanType::Rfc822Name("a@corp.example".try_into().unwrap()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let found = names(certificate.der()).unwrap();
        assert_eq!(found.uris, uris);
        // A wildcard is a name like others: no rule without one fits it.
        assert_eq!(found.dns, ["checkout.internal", "*.b.internal"]);
    }

    #[test]
    fn what_is_said_to_http_clients_is_as_long_as_it_says() {
        let text = std::str::from_utf8(SPEAK_TLS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
