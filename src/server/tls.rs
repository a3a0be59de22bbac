//! A certificate of one's own: read again when its files change, so that a renewal needs no restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    core::error::{Fault, Kind},
    service::Answer,
};

/// How often the files are looked at, when connections come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A certificate with its chain, and its key: PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that sign it.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What TLS connections are accepted with.
#[derive(Clone)]
pub(super) struct Tls(Arc<Inner>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tls").field(&self.0.files).finish()
    }
}

struct Inner {
    files: TlsFiles,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    stamp: Stamp,
    looked_at: Instant,
}

/// When and how long the two files are: another pair of files has another.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads the files.
    pub(super) fn load(files: TlsFiles) -> Answer<Self> {
        let stamp = stamp(&files);
        let config = read(&files)?;
        let current = Current { config, stamp, looked_at: Instant::now() }.into();
        Ok(Self(Arc::new(Inner { files, current })))
    }

    /// With the files as they are now. Files that are no good, or no longer there, leave what was before.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked_at.elapsed() >= LOOK_EVERY {
            current.looked_at = Instant::now();
            let stamp = stamp(&self.0.files);
            if stamp != current.stamp {
                // The two files are not written in one instant: until they fit, they are tried again.
                match read(&self.0.files) {
                    Ok(config) => {
                        tracing::info!("certificate read anew");
                        (current.config, current.stamp) = (config, stamp);
                    }
                    Err(fault) => tracing::warn!(%fault, "certificate not read anew; the one before stays"),
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&current.config))
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let of = |path: &Path| fs::metadata(path).and_then(|it| Ok((it.modified()?, it.len()))).ok();
    [of(&files.cert), of(&files.key)]
}

fn read(files: &TlsFiles) -> Answer<Arc<ServerConfig>> {
    let bad = |path: &Path, error: &dyn std::fmt::Display| {
        Fault::new(Kind::Config, format!("{}: {error}", path.display())).with_hint(
            "--tls-cert and --tls-key name PEM files: the certificate with its chain, and its key.",
        )
    };
    let read = |path: &Path| fs::read(path).map_err(|error: io::Error| bad(path, &error));
    let certs: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(&files.cert)?)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(&files.cert, &error))?;
    if certs.is_empty() {
        return Err(bad(&files.cert, &"there is no certificate in it"));
    }
    let key = zeroize::Zeroizing::new(read(&files.key)?);
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| bad(&files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certs, key))
        .map_err(|error| bad(&files.cert, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
