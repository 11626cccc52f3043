//! One connection to a server, which is kept for as long as it lasts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// An answer; `json` is null when it has no body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub json: Value,
}

pub struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    pub fn post(&mut self, route: &str, kind: &str, body: &[u8]) -> Answer {
        let mut connection = self.connection.take().unwrap_or_else(|| {
            let stream = TcpStream::connect(self.address).expect("it listens");
            stream.set_nodelay(true).expect("a socket");
            BufReader::new(stream)
        });
        let length = body.len();
        let head = format!(
            "POST {route} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        );
        connection.get_mut().write_all(&[head.as_bytes(), body].concat()).expect("it reads");
        let (answer, stays) = read(&mut connection);
        self.connection = stays.then_some(connection);
        answer
    }
}

/// An answer, and whether the connection stays open behind it.
fn read(connection: &mut BufReader<TcpStream>) -> (Answer, bool) {
    let (mut status, mut kind, mut length, mut stays) = (0, String::new(), 0, true);
    let mut line = String::new();
    while connection.read_line(&mut line).expect("an answer") > 2 {
        match line.trim_end().split_once(": ") {
            Some(("content-type", value)) => kind = value.to_owned(),
            Some(("content-length", value)) => length = value.parse().expect("a length"),
            Some(("connection", value)) => stays = value != "close",
            Some(_) => {}
            None => status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status"),
        }
        line.clear();
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body of its length");
    let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
    (Answer { status, kind, json }, stays)
}
