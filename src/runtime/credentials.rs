//! What callers over HTTP are known by, read again on SIGHUP.
//!
//! A file is taken whole or not at all: one with faults leaves what was read before in force, and says so in the log and in
//! `/readyz` until it is mended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::http::{self, Certificates, CertificatesInForce, Check, TokensInForce};
use crate::settings::tokens::{self, Tokens};
use crate::settings::{Http, HttpTls, TokensFile};

/// What is in force, as it changes.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who may call.
    pub tokens: Option<TokensInForce>,
    /// What the server shows and wants of callers.
    pub certificates: Option<CertificatesInForce>,
    /// How the files are.
    pub files: Files,
}

impl Credentials {
    /// What the settings name, followed for as long as the process runs.
    ///
    /// # Errors
    /// A file of certificates that cannot be used.
    pub fn follow(settings: &Http) -> Result<Self, String> {
        let files = Files::default();
        let tokens = settings.tokens.as_ref().map(|TokensFile { path, tokens }| {
            let path = path.clone();
            let read = move || tokens::read(&path).map(Arc::new).map_err(|faults| faults.join("; "));
            followed("tokens", Arc::new(Tokens::clone(tokens)), read, &files)
        });
        let certificates = match &settings.tls {
            None => None,
            Some(tls) => Some(followed("certificates", http::read_certificates(tls)?, reader(tls.clone()), &files)),
        };
        Ok(Self { tokens, certificates, files })
    }
}

fn reader(tls: HttpTls) -> impl Fn() -> Result<Certificates, String> + Clone + Send + 'static {
    move || http::read_certificates(&tls)
}

/// What `read` gives, read again each time the process is told to.
fn followed<T: Send + Sync + 'static>(
    name: &'static str,
    first: T,
    read: impl Fn() -> Result<T, String> + Clone + Send + 'static,
    files: &Files,
) -> watch::Receiver<T> {
    files.set(name, None);
    let (in_force, shown) = watch::channel(first);
    let files = files.clone();
    tokio::spawn(async move {
        let Ok(mut hang_up) = signal(SignalKind::hangup()) else { return };
        while hang_up.recv().await.is_some() {
            let fault = match tokio::task::spawn_blocking(read.clone()).await {
                Ok(Ok(now)) => {
                    tracing::info!(what = name, "http credentials are read");
                    in_force.send_replace(now);
                    None
                }
                Ok(Err(fault)) => Some(fault),
                Err(_) => Some("reading was broken off; see the log".into()),
            };
            if let Some(fault) = &fault {
                tracing::error!(
                    what = name,
                    fault,
                    "http credentials that were read last are not in force; those before stay"
                );
            }
            files.set(name, fault);
        }
    });
    shown
}

/// What is wrong with each file that was read last; clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Files(Arc<Mutex<BTreeMap<&'static str, Option<String>>>>);

impl Files {
    fn set(&self, name: &'static str, fault: Option<String>) {
        self.lock().insert(name, fault);
    }

    /// A daemon that goes on with what it read before takes work as well as any other: it stays ready, and says so.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let check = |(name, fault): (&&'static str, &Option<String>)| {
            let detail = match fault {
                None => "as they were read last".into(),
                Some(fault) => format!("those before the ones that were read last are in force: {fault}"),
            };
            Check { name, ok: true, detail }
        };
        self.lock().iter().map(check).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
