//! A client that shows every byte of an answer.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::LIMIT;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The problem document of an answer with this status.
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("urn:heliograph:problem:{code}"));
        assert!(!problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
        problem
    }
}

/// A connection.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub async fn open(at: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(at).await.unwrap()))
    }

    pub async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// A line without its end; `None` at the end of the connection.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(LIMIT, self.0.read_line(&mut line)).await.expect("a line comes in time");
        // A server that closes with bytes of ours unread resets the connection.
        match read {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// The head of an answer.
    pub async fn head(&mut self) -> Answer {
        let first = self.line().await.expect("there is an answer");
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        while let Some(line) = self.line().await.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_owned(), value.to_owned()));
        }
        Answer { status, headers, body: String::new() }
    }

    /// An answer with its body.
    pub async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        let length = answer.header("content-length").expect("an answer says its length").parse().unwrap();
        let mut body = vec![0; length];
        timeout(LIMIT, self.0.read_exact(&mut body)).await.expect("a body comes in time").unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// The next server-sent event as its lines; a heartbeat is one too. `None` at the end.
    pub async fn event(&mut self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            if !line.is_empty() {
                lines.push(line);
            } else if !lines.is_empty() {
                return Some(lines);
            }
        }
    }
}
