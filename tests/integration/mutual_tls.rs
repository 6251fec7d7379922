//! Client certificates: which are accepted, and by what files say by then.

use crate::gateway::{DEADLINE, NOVA, TestGateway};
use crate::pki::{HOLDS, Pki, TlsClient};
use crate::socket::{Ask, Heard};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{AlertDescription, Error as TlsError};

/// A CA of servers, one of clients, and a gateway that knows both.
struct Place {
    servers: Pki,
    clients: Pki,
    gateway: TestGateway,
}

impl Place {
    /// Starts with more lines of `[listen.tls]`; `CLIENTS/` stands for the folder of the clients' CA.
    async fn start(more: &str) -> Self {
        let (servers, clients) = (Pki::new("servers"), Pki::new("clients"));
        servers.server("a", &["localhost"], &HOLDS);
        clients.client("checkout", 7, &HOLDS);
        clients.client("search", 8, &HOLDS);
        clients.revoke("none.crl", &[], 30);
        clients.revoke("list.crl", &[9], 30);
        let config = format!(
            "[listen.tls]\ncertificates = {{ \"{}\" = \"{}\" }}\nclient_ca = \"CLIENTS/ca.pem\"\n{more}\n",
            servers.text("a.crt"),
            servers.text("a.key"),
        );
        let folder = clients.text("");
        let config = config.replace("CLIENTS/", &folder);
        Self { gateway: TestGateway::start_configured(&config, &[]).await, servers, clients }
    }

    fn at(&self) -> SocketAddr {
        self.gateway.server.data()
    }

    /// Returns a client that shows a certificate, if one is named.
    fn client(&self, stem: Option<&str>) -> TlsClient {
        let client = self.servers.trusting();
        match stem {
            Some(stem) => client.showing(&self.clients, stem),
            None => client,
        }
    }

    /// Returns the status of a call, or the alert that came in place of one.
    async fn call(&self, client: &TlsClient) -> Result<u16, AlertDescription> {
        let ask = Ask::new(&format!("/s/a/model/{NOVA}/converse"), "0");
        let called = async {
            let mut stream = client.connect(self.at()).await?;
            stream.write_all(&ask.wire()).await?;
            let mut bytes = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await?;
            Ok::<_, std::io::Error>(bytes)
        };
        match tokio::time::timeout(DEADLINE, called).await.unwrap() {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes[9..12]).unwrap().parse().unwrap()),
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
                Some(TlsError::AlertReceived(alert)) => Err(*alert),
                _ => panic!("{error:?}"),
            },
        }
    }

    /// Calls in both versions, which tell of a refusal at different times.
    async fn calls(&self, stem: Option<&str>) -> Result<u16, AlertDescription> {
        let client = self.client(stem);
        let old = self.call(&client.clone().speaking(&TLS12)).await;
        let new = self.call(&client.speaking(&TLS13)).await;
        assert!(old.is_ok() == new.is_ok(), "{old:?} {new:?}");
        new
    }

    /// Waits until a call comes to this.
    async fn comes_to(&self, stem: &str, expected: Result<u16, AlertDescription>) {
        tokio::time::timeout(DEADLINE, async {
            while self.call(&self.client(Some(stem))).await != expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_certificate_may_be_shown_and_must_hold() {
    let place = Place::start("").await;
    let (clients, strangers) = (&place.clients, Pki::new("clients"));
    clients.client("expired", 1, &(-10..-1));
    clients.client("early", 2, &(1..10));
    clients.server("server", &["server.test"], &HOLDS);
    assert_eq!(place.calls(None).await, Ok(200));
    assert_eq!(place.calls(Some("checkout")).await, Ok(200));
    assert_eq!(place.calls(Some("expired")).await, Err(AlertDescription::CertificateExpired));
    // The alerts of RFC 8446 have none of their own for these.
    assert!(place.calls(Some("early")).await.is_err());
    assert!(place.calls(Some("server")).await.is_err());
    strangers.client("stranger", 3, &HOLDS);
    let stranger = place.servers.trusting().showing(&strangers, "stranger");
    assert!(place.call(&stranger).await.is_err());
    assert_eq!(place.gateway.sum("tollgate_tls_handshake_failures_total", &[]).await.to_string(), "7");
    place.gateway.stop().await;
}

#[tokio::test]
async fn a_certificate_must_be_shown_where_it_is_required() {
    let place = Place::start("client_auth = 'required'").await;
    assert_eq!(place.calls(None).await, Err(AlertDescription::CertificateRequired));
    assert_eq!(place.calls(Some("checkout")).await, Ok(200));
    place.gateway.stop().await;
}

#[tokio::test]
async fn what_is_revoked_is_refused_from_then_on() {
    let place = Place::start("client_crl = ['CLIENTS/list.crl']").await;
    assert_eq!(place.calls(Some("checkout")).await, Ok(200));
    let mut open = place.client(Some("checkout")).connect(place.at()).await.unwrap();
    place.clients.revoke("list.crl", &[9, 7], 30);
    place.comes_to("checkout", Err(AlertDescription::CertificateRevoked)).await;
    assert_eq!(place.calls(Some("checkout")).await, Err(AlertDescription::CertificateRevoked));
    assert_eq!(place.calls(Some("search")).await, Ok(200));
    // A connection of before goes on.
    open.write_all(&Ask::new(&format!("/s/a/model/{NOVA}/converse"), "0").wire()).await.unwrap();
    assert_eq!(Heard::read(open).await.status, 200);
    // A list that is out of date still refuses whom it lists, and nobody else.
    place.clients.revoke("list.crl", &[8], -1);
    place.comes_to("search", Err(AlertDescription::CertificateRevoked)).await;
    assert_eq!(place.calls(Some("checkout")).await, Ok(200));
    let next_update = place.gateway.sum("tollgate_tls_crl_next_update_timestamp_seconds", &[]).await;
    assert!(next_update > 0.0);
    place.gateway.stop().await;
}

#[tokio::test]
async fn a_list_in_der_and_one_of_another_ca() {
    let place = Place::start("").await;
    place.clients.revoke("list.der", &[7], 30);
    let config = std::fs::read_to_string(place.gateway.folder.path().join("tollgate.toml")).unwrap();
    let write = |crl: &str| {
        let text = format!("{config}client_crl = [\"{crl}\"]\n");
        std::fs::write(place.gateway.folder.path().join("tollgate.toml"), text).unwrap();
    };
    write(&place.clients.text("list.der"));
    place.comes_to("checkout", Err(AlertDescription::CertificateRevoked)).await;
    assert_eq!(place.calls(Some("search")).await, Ok(200));
    // Where nobody says whether a certificate is revoked, it is not accepted.
    place.servers.revoke("other.crl", &[], 30);
    write(&place.servers.text("other.crl"));
    place.comes_to("search", Err(AlertDescription::UnknownCA)).await;
    place.gateway.stop().await;
}

#[tokio::test]
async fn another_ca_is_taken_up() {
    let place = Place::start("").await;
    let others = Pki::new("others");
    others.client("other", 1, &HOLDS);
    let other = place.servers.trusting().showing(&others, "other");
    assert!(place.call(&other).await.is_err());
    let read = |file| std::fs::read_to_string(file).unwrap();
    let both = read(place.clients.file("ca.pem")) + &read(others.file("ca.pem"));
    place.clients.put("ca.pem", &both);
    tokio::time::timeout(DEADLINE, async {
        while place.call(&other).await != Ok(200) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(place.calls(Some("checkout")).await, Ok(200));
    place.gateway.stop().await;
}
