//! Whom a command trusts when it speaks to a daemon over https, and what it shows of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::failure::Failure;

/// Files for https.
#[derive(Debug, clap::Args)]
pub(super) struct TlsArguments {
    /// Authorities that may sign the daemon's certificate, PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Certificate to show, PEM, for a daemon that asks for one
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
}

impl TlsArguments {
    /// What these files say.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(super) fn config(&self) -> Result<TlsConfig, Failure> {
        let trusted = match &self.ca_file {
            Some(path) => certificates("--ca-file", path)?,
            None => of_the_system()?,
        };
        let shown = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("--certificate-file", certificate)?;
                // The reader's own message could show a part of the key.
                let key_is_wrong = |_| fault("--key-file", key, "holds no private key in PEM");
                let key = PrivateKey::from_pem(&contents("--key-file", key)?).map_err(key_is_wrong)?;
                Some(ClientCert::new_with_certs(&chain, key))
            }
            _ => None,
        };
        let config = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&trusted)).client_cert(shown);
        Ok(config.unversioned_rustls_crypto_provider(Arc::new(ring::default_provider())).build())
    }
}

fn of_the_system() -> Result<Vec<Certificate<'static>>, Failure> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(|| "none are installed".to_owned(), ToString::to_string);
        return Err(Failure::Failed(format!(
            "this machine has no certificate authorities ({why}); use --ca-file FILE"
        )));
    }
    Ok(found.certs.iter().map(|it| Certificate::from_der(it).to_owned()).collect())
}

fn certificates(argument: &str, path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let bytes = contents(argument, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found.iter().map(|it| Certificate::from_der(it).to_owned()).collect()),
        _ => Err(fault(argument, path, "holds no certificate in PEM")),
    }
}

fn contents(argument: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| fault(argument, path, &format!("cannot be read: {error}")))
}

fn fault(argument: &str, path: &Path, why: &str) -> Failure {
    Failure::Failed(format!("{argument} {}: {why}", path.display()))
}
