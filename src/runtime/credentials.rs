//! What callers over HTTP are known by, read again on SIGHUP.
//!
//! A file is taken whole or not at all: one with faults leaves what was read before in force, and says so in the log and in
//! `/readyz` until it is mended.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::http::{self, Certificates, CertificatesInForce, TokensInForce};
use crate::settings::tokens::{self, Tokens};
use crate::settings::{Http, HttpTls};

use super::status::{File, Status};

/// The files of the settings, and what was read of them.
pub struct Credentials {
    tokens: Option<(PathBuf, watch::Sender<Arc<Tokens>>)>,
    certificates: Option<(HttpTls, watch::Sender<Certificates>)>,
    status: Arc<Status>,
}

impl Credentials {
    /// What the settings have read already, and what certificates there are.
    ///
    /// # Errors
    /// A file of certificates that cannot be used.
    pub fn of(settings: &Http, status: Arc<Status>) -> Result<Self, String> {
        let tokens = settings.tokens.as_ref().map(|file| {
            status.file_read(File::Tokens, None);
            (file.path.clone(), watch::Sender::new(Arc::new(file.tokens.clone())))
        });
        let certificates = match &settings.tls {
            None => None,
            Some(tls) => {
                let read = http::read_certificates(tls)?;
                status.file_read(File::Certificates, None);
                Some((tls.clone(), watch::Sender::new(read)))
            }
        };
        Ok(Self { tokens, certificates, status })
    }

    /// The certificates in force, as they change.
    #[must_use]
    pub fn certificates(&self) -> Option<CertificatesInForce> {
        self.certificates.as_ref().map(|(_, certificates)| certificates.subscribe())
    }

    /// The tokens in force, as they change.
    #[must_use]
    pub fn tokens(&self) -> Option<TokensInForce> {
        self.tokens.as_ref().map(|(_, tokens)| tokens.subscribe())
    }

    /// Reads the files again each time the process is told to, until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        let Ok(mut hang_up) = signal(SignalKind::hangup()) else { return };
        while stop.run_until_cancelled(hang_up.recv()).await.flatten().is_some() {
            self.read_tokens().await;
            self.read_certificates().await;
        }
    }

    async fn read_tokens(&self) {
        let Some((path, in_force)) = &self.tokens else { return };
        let path = path.clone();
        let read = tokio::task::spawn_blocking(move || tokens::read(&path)).await;
        match read.unwrap_or_else(|_| Err(vec!["reading it was broken off".into()])) {
            Ok(tokens) => {
                tracing::info!(tokens = tokens.count(), "http tokens are read");
                in_force.send_replace(Arc::new(tokens));
                self.status.file_read(File::Tokens, None);
            }
            Err(faults) => {
                let fault = faults.join("; ");
                tracing::error!(fault, "the http tokens that were read last are not in force; those before them stay");
                self.status.file_read(File::Tokens, Some(fault));
            }
        }
    }

    async fn read_certificates(&self) {
        let Some((tls, in_force)) = &self.certificates else { return };
        let tls = tls.clone();
        let read = tokio::task::spawn_blocking(move || http::read_certificates(&tls)).await;
        match read.unwrap_or_else(|_| Err("reading it was broken off".into())) {
            Ok(certificates) => {
                tracing::info!("http certificates are read");
                in_force.send_replace(certificates);
                self.status.file_read(File::Certificates, None);
            }
            Err(fault) => {
                tracing::error!(
                    fault,
                    "the http certificates that were read last are not in force; those before them stay"
                );
                self.status.file_read(File::Certificates, Some(fault));
            }
        }
    }
}
