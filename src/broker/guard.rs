//! The stream that the client library reads: what has gone through [`Frames`] only.
//!
//! The library takes its streams from a runtime, so there is one here whose streams are guarded; everything else of it
//! is tokio's.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_util::{AsyncRead, AsyncWrite, Stream};
use lapin::tcp::AsyncTcpStream;

use super::pulse::Heard;
use super::tame::{Frames, Oversized};

/// A stream, encrypted or not, from tokio.
type Plain = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// Tokio with guarded streams.
#[derive(Debug, Clone)]
pub(super) struct GuardedTokio(Tokio);

/// The runtime for connections.
pub(super) fn runtime() -> Runtime<GuardedTokio> {
    Runtime::new(GuardedTokio(Tokio::current()))
}

/// A stream whose frames are tamed on their way to the library.
pub(super) struct Guarded<S = Plain> {
    stream: S,
    frames: Frames,
    /// What was read from the stream and has not been given out.
    held: Vec<u8>,
    /// How many bytes of it may be given out.
    ready: usize,
    heard: Heard,
}

impl<S> Guarded<S> {
    /// `heard` counts what comes.
    pub(super) fn new(stream: S, heard: Heard) -> Self {
        Self { stream, frames: Frames::default(), held: Vec::new(), ready: 0, heard }
    }

    fn give(&mut self, buffer: &mut [u8]) -> usize {
        let given = self.ready.min(buffer.len());
        buffer[..given].copy_from_slice(&self.held[..given]);
        self.held.drain(..given);
        self.ready -= given;
        given
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        while this.ready == 0 {
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            this.heard.add(read);
            if read == 0 {
                // A stream that ends inside a frame ends so for the library too.
                this.ready = this.held.len();
                break;
            }
            if this.held.is_empty() {
                let passed = this.frames.tame(&mut buffer[..read]).map_err(oversized)?;
                this.held.extend_from_slice(&buffer[passed..read]);
                if passed > 0 {
                    return Poll::Ready(Ok(passed));
                }
            } else {
                this.held.extend_from_slice(&buffer[..read]);
                this.ready = this.frames.tame(&mut this.held).map_err(oversized)?;
            }
        }
        Poll::Ready(Ok(this.give(buffer)))
    }
}

fn oversized(frame: Oversized) -> io::Error {
    let message = format!("a frame of {} bytes came, which no AMQP 0-9-1 broker sends", frame.bytes);
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

impl RuntimeKit for GuardedTokio {}

impl Executor for GuardedTokio {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, future: F) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, run: F) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(run)
    }
}

impl Reactor for GuardedTokio {
    type TcpStream = Guarded;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// The library opens no sockets of its own.
    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Guarded, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, every: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(every)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Guarded::new(AsyncTcpStream::Plain(connecting.await?), Heard::default())) }
    }
}
