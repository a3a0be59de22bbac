//! A certificate authority of a test, and what it signs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority that nobody trusts by himself.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its private key, as PEM.
pub struct Signed {
    pub cert: String,
    pub key: String,
}

/// Until when what is signed holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    ForADay,
    UntilYesterday,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of tests");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, as PEM.
    pub fn cert(&self) -> String {
        self.0.pem()
    }

    /// Shows its own certificate as if it were a server's.
    pub fn itself(&self) -> Signed {
        Signed { cert: self.cert(), key: self.0.key().serialize_pem() }
    }

    /// Signs a certificate for these hosts, or a login that bears the name.
    pub fn sign(&self, name: &str, hosts: &[&str], holds: Holds) -> Signed {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let day = Duration::from_secs(24 * 3600);
        let now = std::time::SystemTime::now();
        params.not_before = (now - day * 9).into();
        params.not_after = match holds {
            Holds::ForADay => (now + day).into(),
            Holds::UntilYesterday => (now - day).into(),
        };
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Signed { cert: cert.pem(), key: key.serialize_pem() }
    }
}

impl Signed {
    /// Writes both into the folder, the key for its owner alone.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        use std::os::unix::fs::PermissionsExt as _;
        let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key.pem")));
        std::fs::write(&cert, &self.cert).unwrap();
        std::fs::write(&key, &self.key).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        (cert, key)
    }
}
