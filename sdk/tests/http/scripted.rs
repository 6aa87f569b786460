//! A server that says what it is told to, a reply a connection, and tells what it was asked.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use lightlike::http::{Error, Http};
use serde_json::Value;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// By name in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Scripted {
    uri: String,
    asked: Receiver<Asked>,
}

impl Scripted {
    /// Answers one connection after the other with these bytes, and closes each.
    pub(crate) fn new(replies: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = channel();
        thread::spawn(move || {
            for reply in replies {
                let (mut socket, _) = listener.accept().unwrap();
                let _ = sender.send(read(&socket));
                // The client may have heard enough before the end.
                let _ = socket.write_all(&reply);
            }
        });
        Self { uri, asked }
    }

    /// Answers one connection with these bytes, and leaves it open.
    pub(crate) fn holding(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = channel();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = sender.send(read(&socket));
            socket.write_all(&answer).unwrap();
            // Until the client hangs up.
            let _ = socket.read(&mut [0]);
        });
        Self { uri, asked }
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(&self.uri).unwrap()
    }

    /// The next request that has not been asked for.
    pub(crate) fn asked(&self) -> Asked {
        self.asked.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// Returns `true` if there was another request.
    pub(crate) fn was_asked_more(&self) -> bool {
        self.asked.try_recv().is_ok()
    }
}

fn read(socket: &TcpStream) -> Asked {
    let mut socket = BufReader::new(socket);
    let mut line = || {
        let mut line = String::new();
        socket.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut headers = HashMap::new();
    loop {
        let line = line();
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    socket.read_exact(&mut body).unwrap();
    Asked { method, path, headers, body }
}

/// A whole reply with these headers.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut reply = format!("HTTP/1.1 {status} \r\nconnection: close\r\n");
    for (name, value) in headers {
        reply.push_str(&format!("{name}: {value}\r\n"));
    }
    reply.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    reply.into_bytes()
}

pub(crate) fn json(body: &str) -> Vec<u8> {
    reply(200, &[("content-type", "application/json")], body)
}

/// One of `tests/fixtures/http`.
pub(crate) struct Recording(Value);

impl Recording {
    pub(crate) fn load(name: &str) -> Self {
        let path = folder().join(format!("{name}.json"));
        let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        Self(serde_json::from_str(&text).unwrap())
    }

    fn reply(&self) -> Vec<u8> {
        let response = &self.0["response"];
        let headers = response["headers"].as_object().unwrap().iter();
        let sized = |name: &str| matches!(name, "content-length" | "transfer-encoding");
        let headers: Vec<_> = headers
            .filter(|(name, _)| !sized(name))
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        reply(status, &headers, response["body"].as_str().unwrap())
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.0["request"]["headers"].as_object().unwrap();
        let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str().unwrap())
    }

    fn assert_same_request(&self, asked: &Asked) {
        let request = &self.0["request"];
        assert_eq!(asked.method, request["method"]);
        assert_eq!(asked.path, request["path"]);
        for name in ["authorization", "content-type"] {
            assert_eq!(asked.headers.get(name).map(String::as_str), self.header(name), "{name}");
        }
        match request["body"].as_str().unwrap_or_default() {
            module if module.ends_with("bytes of wasm>") => {
                assert_eq!(module, format!("<{} bytes of wasm>", asked.body.len()));
            }
            body => assert_eq!(String::from_utf8_lossy(&asked.body), body),
        }
    }
}

pub(crate) fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/http"))
}

/// Makes a recorded request with `act`, checks that it is that, and answers it as recorded.
pub(crate) async fn replay<T>(
    name: &str,
    act: impl AsyncFnOnce(Http) -> Result<T, Error>,
) -> Result<T, Error> {
    let recording = Recording::load(name);
    let server = Scripted::new(vec![recording.reply()]);
    let http = server.http();
    let token = recording.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let http = match token {
        Some(token) => http.with_token(token),
        None => http,
    };
    let result = act(http).await;
    recording.assert_same_request(&server.asked());
    result
}
