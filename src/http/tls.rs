//! What the server shows of itself, and whose certificates it wants of callers.
//!
//! TLS 1.2 and 1.3 by rustls with ring. With `http.tls.client_ca_file` a caller must show a certificate of an authority in
//! that file before anything of it is read; what it may do is still its token's to say.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};

use crate::settings::HttpTls;

const CERTIFICATE_FILE: &str = "http.tls.certificate_file";
const KEY_FILE: &str = "http.tls.key_file";
const CLIENT_CA_FILE: &str = "http.tls.client_ca_file";

/// The certificates that a server shows and wants; others come into force while it runs.
pub type CertificatesInForce = watch::Receiver<Certificates>;

/// What one handshake needs.
#[derive(Debug, Clone)]
pub struct Certificates(pub(super) Arc<ServerConfig>);

/// The files of the settings as they are now.
///
/// # Errors
/// The setting and the file at fault, and why; nothing of a key.
pub fn read_certificates(tls: &HttpTls) -> Result<Certificates, String> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(CERTIFICATE_FILE, &tls.certificate_file)?;
    let key = PrivateKeyDer::from_pem_slice(&contents(KEY_FILE, &tls.key_file)?)
        // The reader's own message could show a part of the key.
        .map_err(|_| fault(KEY_FILE, &tls.key_file, "holds no private key in PEM that is not encrypted"))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(CLIENT_CA_FILE, path)? {
                roots.add(certificate).map_err(|error| fault(CLIENT_CA_FILE, path, &error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder
                .with_client_cert_verifier(verifier.map_err(|error| fault(CLIENT_CA_FILE, path, &error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            fault(KEY_FILE, &tls.key_file, &format!("is not the key of the certificate in {CERTIFICATE_FILE}"))
        }
        Error::InvalidCertificate(_) => {
            fault(CERTIFICATE_FILE, &tls.certificate_file, "its first certificate cannot be read")
        }
        _ => fault(KEY_FILE, &tls.key_file, "holds a key of a kind that is not known"),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificates(Arc::new(config)))
}

fn certificates(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(&contents(field, path)?).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(fault(field, path, "holds no certificate in PEM")),
        Err(_) => Err(fault(field, path, "is not a file of certificates in PEM")),
    }
}

fn contents(field: &'static str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| fault(field, path, &format!("cannot be read: {error}")))
}

fn fault(field: &'static str, path: &Path, reason: &str) -> String {
    format!("{field} = {:?} {reason}", path.display().to_string())
}
