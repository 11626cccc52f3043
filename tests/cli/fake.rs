//! A daemon that answers from a script and keeps what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// A call that the fake got.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// Method and path.
    pub line: String,
    /// The header that says who calls.
    pub authorization: Option<String>,
    pub body: String,
}

/// A fake daemon; it must end with every answer given.
pub struct Fake {
    address: SocketAddr,
    thread: JoinHandle<(Vec<Call>, usize)>,
}

impl Fake {
    /// Answers one call after the other with a status and a body.
    pub fn answering(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut answers: VecDeque<_> = answers.into_iter().collect();
        let thread = std::thread::spawn(move || {
            let mut calls = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // A connection without a call is the end.
                let Some(call) = read(&mut stream) else { break };
                calls.push(call);
                let (status, body) = answers.pop_front().unwrap_or((500, "asked too often".into()));
                let head = format!(
                    "HTTP/1.1 {status} Fake\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
            }
            (calls, answers.len())
        });
        Self { address, thread }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls, in order.
    pub fn calls(self) -> Vec<Call> {
        drop(TcpStream::connect(self.address).unwrap());
        let (calls, left) = self.thread.join().unwrap();
        assert_eq!(left, 0, "answers nobody asked for; calls were {calls:?}");
        calls
    }
}

fn read(stream: &mut TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        } else if name.eq_ignore_ascii_case("authorization") {
            authorization = Some(value.to_owned());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let line = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    Some(Call { line, authorization, body: String::from_utf8(body).unwrap() })
}
