//! How safe the way to the database is: whose certificate counts, which files that takes, and what it means when it
//! does not come about.

use std::{fs, io, net::IpAddr, os::unix::fs::PermissionsExt as _, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    CertificateError,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// What the URL, or else the environment, says of TLS.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) mode: Option<String>,
    pub(super) roots: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
}

/// The options with the mode that holds: whom they find has to prove who it is, unless the way is local or somebody
/// asked for less. The files are looked at first, since a library that cannot read one does not say which.
pub(super) fn with_tls(options: PgConnectOptions, said: &Said) -> Result<PgConnectOptions, Insecure> {
    if options.get_socket().is_some() || options.get_host().starts_with('/') {
        return Ok(options.ssl_mode(PgSslMode::Disable));
    }
    let mode = match options.get_ssl_mode() {
        // With roots of its own `require` means to use them, as with libpq.
        PgSslMode::Require if said.mode.is_some() && said.roots.is_some() => PgSslMode::VerifyCa,
        mode if said.mode.is_some() => mode,
        _ if is_loopback(options.get_host()) => PgSslMode::Prefer,
        _ => PgSslMode::VerifyFull,
    };
    let options = options.ssl_mode(mode);
    check_client(said)?;
    if !matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
        return Ok(options);
    }
    match &said.roots {
        Some(file) => check_roots(Path::new(file)).map(|()| options),
        // The system's roots are sqlx's own choice; where there are none, the bundled ones, as for the platform.
        None if rustls_native_certs::load_native_certs().certs.is_empty() => {
            Ok(options.ssl_root_cert_from_pem(bundled_roots()))
        }
        None => Ok(options),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn bundled_roots() -> Vec<u8> {
    let mut pem = String::new();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(root).as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}

/// Why there is no connection that is as safe as it has to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Insecure {
    pub(super) reason: String,
    pub(super) hint: String,
}

const ROOTS: &str =
    "sslrootcert names a PEM file with the certificate of the authority that signed the database's.";
const CLIENT: &str =
    "sslcert and sslkey together name PEM files with this host's certificate and its private key.";

fn of_file(name: &str, file: &Path, reason: impl std::fmt::Display, hint: &str) -> Insecure {
    Insecure { reason: format!("{name} {}: {reason}", file.display()), hint: hint.to_owned() }
}

fn check_roots(file: &Path) -> Result<(), Insecure> {
    check_certificates("sslrootcert", file, ROOTS)
}

fn check_certificates(name: &str, file: &Path, hint: &str) -> Result<(), Insecure> {
    let pem = fs::read(file).map_err(|error| of_file(name, file, error, hint))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found.as_deref() {
        Ok([]) | Err(_) => Err(of_file(name, file, "there is no certificate in it", hint)),
        Ok(_) => Ok(()),
    }
}

fn check_client(said: &Said) -> Result<(), Insecure> {
    let (cert, key) = match (&said.cert, &said.key) {
        (None, None) => return Ok(()),
        (Some(cert), Some(key)) => (Path::new(cert), Path::new(key)),
        _ => {
            let reason = "of sslcert and sslkey only one is named".to_owned();
            return Err(Insecure { reason, hint: CLIENT.to_owned() });
        }
    };
    check_certificates("sslcert", cert, CLIENT)?;
    let about_key = |reason: &dyn std::fmt::Display| of_file("sslkey", key, reason, CLIENT);
    // As libpq: a group may read a key that is root's.
    let meta = fs::metadata(key).map_err(|error| about_key(&error))?;
    let may = if std::os::unix::fs::MetadataExt::uid(&meta) == 0 { 0o640 } else { 0o600 };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 & !may != 0 {
        let reason = format!("others can read it (mode {mode:04o})");
        return Err(of_file("sslkey", key, reason, &format!("chmod {may:o} {}", key.display())));
    }
    let pem = fs::read(key).map_err(|error| about_key(&error))?;
    PrivateKeyDer::from_pem_slice(&pem).map(drop).map_err(|_| about_key(&"there is no private key in it"))
}

/// The same error once more, for whoever asks before the next try.
pub(super) fn again(error: &sqlx::Error) -> Option<sqlx::Error> {
    match error {
        sqlx::Error::Tls(reason) => Some(sqlx::Error::Tls(reason.to_string().into())),
        other => {
            let cause = of_rustls(other)?;
            Some(sqlx::Error::Io(io::Error::new(io::ErrorKind::InvalidData, cause.clone())))
        }
    }
}

fn of_rustls(error: &sqlx::Error) -> Option<&rustls::Error> {
    match error {
        sqlx::Error::Io(error) => error.get_ref()?.downcast_ref(),
        sqlx::Error::Tls(error) => error.downcast_ref(),
        _ => None,
    }
}

/// What an error means that is about the way's safety, and not about the database or the network.
pub(super) fn trouble(error: &sqlx::Error) -> Option<Insecure> {
    let of = |reason: String, hint: &str| Some(Insecure { reason, hint: hint.to_owned() });
    match (of_rustls(error), error) {
        (Some(rustls::Error::InvalidCertificate(cause)), _) => {
            let (reason, hint) = about_certificate(cause);
            of(reason, hint)
        }
        (Some(rustls::Error::AlertReceived(alert)), _) => {
            let hint = format!("The database's log says what it wants. {CLIENT}");
            of(format!("the database ends the handshake ({alert:?})"), &hint)
        }
        (Some(other), _) => of(other.to_string(), "Look at `ssl` in the database's configuration and log."),
        (None, sqlx::Error::Tls(error)) if error.to_string().contains("does not support TLS") => of(
            "the database does not speak TLS".to_owned(),
            "Turn it on there (ssl = on with a certificate); or end the URL with ?sslmode=disable where nobody can \
             read or change what passes on the way.",
        ),
        (None, sqlx::Error::Tls(error)) => of(error.to_string(), ROOTS),
        _ => None,
    }
}

fn about_certificate(cause: &CertificateError) -> (String, &'static str) {
    match cause {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "its certificate is signed by nobody who is trusted here".to_owned(),
            "Name the certificate of your authority: ?sslrootcert=/etc/larkdeck/db-ca.pem at the end of the URL. \
             Otherwise somebody else may be answering: ask whoever runs the database.",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            format!("its certificate is for another host ({cause})"),
            "Write the host of the URL as it stands in the certificate, or have one made for this name.",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            format!("its certificate has expired ({cause})"),
            "Have it renewed at the database, and look at the clock of this host.",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (format!("its certificate does not hold yet ({cause})"), "Look at the clock of this host.")
        }
        // As `openssl req -x509` makes it. The library tells it in no other way.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            "its certificate is an authority's own (CA:TRUE)".to_owned(),
            "Have the authority sign one for the server (CA:FALSE); sslrootcert then names the authority's.",
        ),
        other => (
            format!("its certificate does not count ({other})"),
            "Have a certificate made that does: of version 3, for servers, with the host among its alternative names.",
        ),
    }
}
