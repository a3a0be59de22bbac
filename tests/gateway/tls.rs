//! With a certificate of its own.

use std::{sync::Arc, time::Duration};

use larkdeck::{server::Bound, service::LiveMode};

use crate::{common::deck, stand::Serving};

/// Speaks TLS with whoever shows the certificate of that file, and asks whether it is alive.
async fn is_alive(base: &str, cert: &str) -> bool {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(base.trim_start_matches("https://")).await.unwrap();
    let name = ServerName::try_from("deck.test").unwrap();
    let Ok(mut stream) = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
    else {
        return false;
    };
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (one, two) = (include_str!("../tls/one.cert.pem"), include_str!("../tls/two.cert.pem"));
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, one).unwrap();
    std::fs::write(&key, include_str!("../tls/one.key.pem")).unwrap();
    let files = larkdeck::server::TlsFiles { cert: cert.clone(), key: key.clone() };
    let listen = || "127.0.0.1:0".parse().unwrap();
    let bound = Bound::take(listen(), Some(files.clone())).await.unwrap();
    let deck = deck::open(folder.path(), "serve").await;
    let serving = Serving::start_at(&deck, LiveMode::TakePart, bound);
    let base = serving.url.clone();
    assert!(base.starts_with("https://"), "{base}");
    assert!(is_alive(&base, one).await);
    assert!(!is_alive(&base, two).await);
    // Between the two writes the pair does not fit: the certificate before stays.
    std::fs::write(&cert, two).unwrap();
    assert!(is_alive(&base, one).await);
    std::fs::write(&key, include_str!("../tls/two.key.pem")).unwrap();
    let shown = async {
        while !is_alive(&base, two).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), shown).await.expect("the new certificate is shown");
    assert!(!is_alive(&base, one).await);
    serving.end().await;
    deck.shut().await;

    std::fs::write(&key, "no key").unwrap();
    let fault = Bound::take(listen(), Some(files)).await.unwrap_err();
    assert_eq!(fault.kind, larkdeck::core::error::Kind::Config);
}
