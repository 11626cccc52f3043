//! One connection to PostgreSQL, for callers that block.
//!
//! What is promised: every call ends within its deadline. One that does not, or whose connection broke, leaves a session
//! that is closed: whether the server did what was asked is unknown then, and the connection is dropped with it.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use rustls_connector::rustls::{ClientConfig, RootCertStore};
use rustls_connector::rustls_pki_types::CertificateDer;
use rustls_connector::rustls_pki_types::pem::PemObject;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresOptions;
use super::columns::fault;
use crate::store::StoreError;

/// How long the server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// A silent connection is looked after from then on, and given up when three looks, a second apart, find nothing.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(2);

/// How long sent bytes may stay without an answer of the server's machine.
const UNANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// How much later than the server's own limit for a statement a call is given up here.
const GRACE: Duration = Duration::from_secs(2);

/// Values of a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a session is for: how long one of its statements may take, and whether it may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Commits of batches and the lease: a stopped writer must not hold its locks for long.
    Write,
    /// Answers of readers.
    Read,
    /// What a start reads, tables, and tidying up.
    Upkeep,
}

impl Purpose {
    /// How long the server lets a statement run.
    fn statement_within(self) -> Duration {
        match self {
            Self::Write => Duration::from_secs(5),
            Self::Read => Duration::from_secs(10),
            Self::Upkeep => Duration::from_secs(600),
        }
    }

    fn options(self) -> String {
        let statement_ms = self.statement_within().as_millis();
        let read_only = matches!(self, Self::Read);
        // A writer that is stopped inside a transaction would keep every other one out for as long.
        let idle_ms = if matches!(self, Self::Write) { 1_000 } else { statement_ms };
        format!(
            "-c statement_timeout={statement_ms} -c idle_in_transaction_session_timeout={idle_ms} -c synchronous_commit=on \
             -c default_transaction_read_only={} -c timezone=UTC",
            if read_only { "on" } else { "off" }
        )
    }
}

/// Reaches the server: the address, and the threads that carry its connections.
pub(super) struct Driver {
    config: Config,
    tls: MakeRustlsConnect,
    /// Taken at the end, since dropping it may block.
    runtime: Option<Runtime>,
}

impl Driver {
    pub fn start(options: &PostgresOptions) -> Result<Arc<Self>, StoreError> {
        let broken = |message: String| StoreError::Failed { during: "preparing the connection", message };
        let mut config: Config = options.url.reveal().parse().map_err(|_| {
            broken("store.postgres is no address of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE".into())
        })?;
        config.application_name("heliograph").connect_timeout(CONNECT_WITHIN);
        config.keepalives_idle(KEEPALIVE_AFTER).keepalives_interval(Duration::from_secs(1)).keepalives_retries(3);
        config.tcp_user_timeout(UNANSWERED_WITHIN);
        let is_local = |host: &Host| match host {
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
            Host::Unix(_) => true,
        };
        if !options.allow_plain_remote && !config.get_hosts().iter().all(is_local) {
            config.ssl_mode(SslMode::Require);
        }
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("postgres").enable_all().build();
        let runtime = runtime.map_err(|error| broken(format!("no thread: {error}")))?;
        Ok(Arc::new(Self { config, tls: tls(options)?, runtime: Some(runtime) }))
    }

    /// A new connection.
    pub fn connect(self: &Arc<Self>, purpose: Purpose) -> Result<Session, StoreError> {
        let during = "connecting";
        let mut config = self.config.clone();
        config.options(purpose.options());
        let within = CONNECT_WITHIN + GRACE;
        let connecting = self.wait(within, config.connect(self.tls.clone()));
        let (client, connection) = connecting.ok_or_else(|| late(during, within))?.map_err(fault(during))?;
        let carried = self.runtime().spawn(async move {
            // Its end is told to whoever uses it.
            let _ = connection.await;
        });
        let within = purpose.statement_within() + GRACE;
        Ok(Session {
            client,
            carrier: carried.abort_handle(),
            driver: Arc::clone(self),
            statements: HashMap::new(),
            within,
        })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap_or_else(|| unreachable!("it is taken when this is dropped"))
    }

    /// Waits on the calling thread, whatever that is; `None` when the time is over.
    fn wait<F: Future>(&self, within: Duration, work: F) -> Option<F::Output> {
        let _inside = self.runtime().enter();
        let over = self.runtime().spawn(tokio::time::sleep(within));
        let over_handle = over.abort_handle();
        match futures_executor::block_on(select(pin!(work), over)) {
            Either::Left((done, _)) => {
                over_handle.abort();
                Some(done)
            }
            Either::Right(_) => None,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One connection.
pub(super) struct Session {
    client: Client,
    carrier: AbortHandle,
    driver: Arc<Driver>,
    /// Prepared once; every text is one of the program's own.
    statements: HashMap<String, Statement>,
    within: Duration,
}

impl Session {
    /// Whether nothing can be asked of it any more.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed() || self.carrier.is_finished()
    }

    /// The rows of a statement.
    pub fn query(&mut self, during: &'static str, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(during, sql)?;
        self.wait(during, |client| client.query(&statement, values))
    }

    /// The only row of a statement, if there is one.
    pub fn one(&mut self, during: &'static str, sql: &str, values: Values<'_>) -> Result<Option<Row>, StoreError> {
        let statement = self.prepared(during, sql)?;
        self.wait(during, |client| client.query_opt(&statement, values))
    }

    /// Runs a statement; says how many rows it changed.
    pub fn execute(&mut self, during: &'static str, sql: &str, values: Values<'_>) -> Result<u64, StoreError> {
        let statement = self.prepared(during, sql)?;
        self.wait(during, |client| client.execute(&statement, values))
    }

    /// Runs statements without values.
    pub fn run(&mut self, during: &'static str, sql: &str) -> Result<(), StoreError> {
        self.wait(during, |client| client.batch_execute(sql))
    }

    /// Reads several times from one committed state.
    pub fn snapshot<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.run("beginning to read", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let read = read(self);
        let end = self.run("ending to read", if read.is_ok() { "COMMIT" } else { "ROLLBACK" });
        let found = read?;
        end?;
        Ok(found)
    }

    fn prepared(&mut self, during: &'static str, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(during, |client| client.prepare(sql))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn wait<'c, T, F>(&'c self, during: &'static str, work: impl FnOnce(&'c Client) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        match self.driver.wait(self.within, work(&self.client)) {
            Some(done) => done.map_err(fault(during)),
            None => {
                // What was begun on it must not go on.
                self.carrier.abort();
                Err(late(during, self.within))
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

fn late(during: &'static str, within: Duration) -> StoreError {
    StoreError::Failed { during, message: format!("no answer of the database within {} ms", within.as_millis()) }
}

fn tls(options: &PostgresOptions) -> Result<MakeRustlsConnect, StoreError> {
    let broken = |message: String| StoreError::Failed { during: "reading store.ca_file", message };
    let Some(path) = &options.ca_file else {
        let found = MakeRustlsConnect::with_native_certs();
        return found.map(|(connector, _)| connector).or_else(|_| {
            // Without any authority every certificate is refused, and plain connections still work.
            let config = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
            Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
        });
    };
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error: io::Error| broken(format!("{shown}: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| broken(format!("{shown} is not a file of certificates in PEM")))?;
        roots.add(certificate).map_err(|_| broken(format!("{shown} holds a certificate that cannot be read")))?;
    }
    if roots.is_empty() {
        return Err(broken(format!("{shown} holds no certificate in PEM")));
    }
    Ok(MakeRustlsConnect::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
