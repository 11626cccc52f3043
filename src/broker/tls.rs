//! Encryption of the way to the broker: whom the daemon trusts and what it shows of itself.
//!
//! With `amqp.tls.ca_file` only the authorities in it are trusted, without it those of the system. Every refusal says
//! which setting can mend it.

use std::fs;
use std::io;
use std::path::Path;

use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::tcp::AsyncTcpStream;
use rustls_connector::rustls::{AlertDescription, CertificateError, Error};
use rustls_connector::rustls_pki_types::pem::PemObject;
use rustls_connector::rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_connector::{RustlsConnector, RustlsConnectorConfig};

use super::error::BrokerError;
use super::options::{ClientIdentity, Tls};

const CA_FILE: &str = "amqp.tls.ca_file";
const CERTIFICATE_FILE: &str = "amqp.tls.certificate_file";
const KEY_FILE: &str = "amqp.tls.key_file";

/// The files of `tls` as they are now, ready to encrypt one connection.
pub(super) struct Encryption {
    connector: RustlsConnector,
    shows_certificate: bool,
}

impl Encryption {
    pub(super) fn read(tls: &Tls) -> Result<Self, BrokerError> {
        let trusted = trusted(tls)?;
        let connector = match &tls.identity {
            None => trusted.connector_with_no_client_auth().map_err(|error| without_authorities(tls, &error))?,
            Some(identity) => with_identity(trusted, tls, identity)?,
        };
        Ok(Self { connector, shows_certificate: tls.identity.is_some() })
    }

    /// The handshake; the broker must prove that it is `host`.
    pub(super) async fn encrypt<S>(&self, plain: AsyncTcpStream<S>, host: &str) -> io::Result<AsyncTcpStream<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        plain.into_rustls(&self.connector, host).await.map_err(|error| self.explained(error))
    }

    /// Adds to an error of the handshake, or of the first read after it, which setting is behind it: a broker that
    /// speaks TLS 1.3 refuses a certificate, or its absence, only when the client takes the handshake for done.
    pub(super) fn explained(&self, error: io::Error) -> io::Error {
        let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        let is_closed = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        );
        let advice = match fault {
            Some(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::InvalidPurpose,
            )) => format!("{CA_FILE} must hold the authority that signed the broker's certificate"),
            Some(Error::AlertReceived(alert)) if is_about_certificate(*alert) => self.about_own_certificate(),
            None if is_closed => self.about_own_certificate(),
            _ => return error,
        };
        io::Error::new(error.kind(), format!("{error}; {advice}"))
    }

    fn about_own_certificate(&self) -> String {
        if self.shows_certificate {
            format!("the broker may not accept the certificate in {CERTIFICATE_FILE}")
        } else {
            format!("the broker may want a certificate of its client: set {CERTIFICATE_FILE} and {KEY_FILE}")
        }
    }
}

fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}

fn trusted(tls: &Tls) -> Result<RustlsConnectorConfig, BrokerError> {
    match &tls.ca_file {
        None => RustlsConnectorConfig::new_with_native_certs().map_err(|error| without_authorities(tls, &error)),
        Some(path) => Ok(RustlsConnectorConfig::default().with_parsable_certificates(certificates(CA_FILE, path)?)),
    }
}

fn with_identity(
    trusted: RustlsConnectorConfig,
    tls: &Tls,
    identity: &ClientIdentity,
) -> Result<RustlsConnector, BrokerError> {
    let chain = certificates(CERTIFICATE_FILE, &identity.certificate_file)?;
    let key = PrivateKeyDer::from_pem_slice(&contents(KEY_FILE, &identity.key_file)?).map_err(|_| {
        // The reader's own message could show a part of the key.
        file_fault(KEY_FILE, &identity.key_file, "holds no private key in PEM that is not encrypted".to_owned())
    })?;
    trusted.connector_with_single_cert(chain, key).map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            None => without_authorities(tls, &error),
            Some(Error::InvalidCertificate(_)) => file_fault(
                CERTIFICATE_FILE,
                &identity.certificate_file,
                "its first certificate cannot be read".to_owned(),
            ),
            Some(Error::InconsistentKeys(_)) => {
                let reason = format!("is not the key of the certificate in {CERTIFICATE_FILE}");
                file_fault(KEY_FILE, &identity.key_file, reason)
            }
            Some(_) => file_fault(KEY_FILE, &identity.key_file, "holds a key of a kind that is not known".to_owned()),
        }
    })
}

fn certificates(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, BrokerError> {
    let found = CertificateDer::pem_slice_iter(&contents(field, path)?).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(file_fault(field, path, "holds no certificate in PEM".to_owned())),
        Err(_) => Err(file_fault(field, path, "is not a file of certificates in PEM".to_owned())),
    }
}

fn contents(field: &'static str, path: &Path) -> Result<Vec<u8>, BrokerError> {
    fs::read(path).map_err(|error| file_fault(field, path, error.to_string()))
}

fn file_fault(field: &'static str, path: &Path, reason: String) -> BrokerError {
    BrokerError::TlsFile { field, path: path.to_owned(), reason }
}

fn without_authorities(tls: &Tls, error: &io::Error) -> BrokerError {
    match &tls.ca_file {
        Some(path) => file_fault(CA_FILE, path, "holds no certificate that can be trusted".to_owned()),
        None => BrokerError::NoAuthorities { reason: error.to_string() },
    }
}
