//! Logs of modules.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_core::Stream;
use http_body::Body as _;
use lightlike_core::types::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Deserializer};

use super::client::Http;
use super::error::{Error, Repr};
use super::exchange::Success;
use crate::http::exchange::request::Request;

/// Part of a log that is read.
///
/// ```
/// use lightlike::http::LogOptions;
///
/// let options = LogOptions::default().lines(100).follow(true);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "options do nothing until they are given to `logs`"]
pub struct LogOptions {
    lines: Option<u32>,
    follow: bool,
}

impl LogOptions {
    /// The last `lines` lines; all there are otherwise.
    pub fn lines(mut self, lines: u32) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Goes on with what is logged later.
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    fn query(self) -> String {
        let lines = self.lines.map(|lines| format!("num_lines={lines}"));
        let follow = self.follow.then(|| "follow=true".to_owned());
        let parameters: Vec<_> = lines.into_iter().chain(follow).collect();
        let separator = if parameters.is_empty() { "" } else { "?" };
        format!("{separator}{}", parameters.join("&"))
    }
}

/// Level of a line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    /// The module panicked.
    Panic,
    /// One that this client does not know.
    #[serde(other)]
    Unknown,
}

/// In capitals.
impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Panic => "PANIC",
            Self::Unknown => "LOG",
        })
    }
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct LogLine {
    /// Level.
    pub level: LogLevel,
    /// Time at which it was logged.
    #[serde(rename = "ts", deserialize_with = "micros")]
    pub timestamp: Timestamp,
    /// Text.
    pub message: String,
    /// The part of the module that logged it.
    #[serde(default)]
    pub target: Option<String>,
    /// The source file that logged it.
    #[serde(default)]
    pub filename: Option<String>,
    /// The line in the file.
    #[serde(default)]
    pub line_number: Option<u32>,
    /// The reducer or procedure that ran.
    #[serde(default)]
    pub function: Option<String>,
}

fn micros<'de, D: Deserializer<'de>>(json: D) -> Result<Timestamp, D::Error> {
    i64::deserialize(json).map(Timestamp::from_micros)
}

/// The lines of a log, as they come. Dropping it stops it.
#[must_use = "lines are read as the stream is asked for them"]
pub struct LogStream {
    body: reqwest::Body,
    /// Bytes that have come and were not a whole line.
    buffer: BytesMut,
    /// Number of bytes in the buffer that are known to have no line's end.
    searched: usize,
    state: State,
    limit: usize,
    request: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The body has ended; the buffer may have more lines.
    BodyEnded,
    Ended,
}

impl LogStream {
    /// The next line; none when the log is read, or the server has ended it. After an error there are no more lines.
    ///
    /// # Errors
    ///
    /// [`Interrupted`](super::ErrorKind::Interrupted) if the socket is lost,
    /// [`Content`](super::ErrorKind::Content) for a line that is none,
    /// [`TooLarge`](super::ErrorKind::TooLarge) for a line beyond the limit.
    ///
    /// # Cancel safety
    ///
    /// No line is lost when this is dropped before it is done.
    pub async fn next(&mut self) -> Option<Result<LogLine, Error>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<LogLine, Error>>> {
        let next = loop {
            match self.take_line() {
                Some(Ok(line)) if line.iter().all(u8::is_ascii_whitespace) => continue,
                Some(line) => break Some(line.and_then(|line| self.parse(&line))),
                None if self.state != State::Open => {
                    self.state = State::Ended;
                    break None;
                }
                None => match ready!(self.poll_body(cx)) {
                    Ok(()) => continue,
                    Err(error) => break Some(Err(error)),
                },
            }
        };
        if matches!(next, Some(Err(_))) {
            self.state = State::Ended;
            self.buffer.clear();
            self.searched = 0;
        }
        Poll::Ready(next)
    }

    /// The next whole line of the buffer; what is left in it once the body has ended.
    fn take_line(&mut self) -> Option<Result<BytesMut, Error>> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        if let Some(end) = end {
            let line = self.buffer.split_to(self.searched + end + 1);
            self.searched = 0;
            return Some(Ok(line));
        }
        self.searched = self.buffer.len();
        if self.state == State::BodyEnded && !self.buffer.is_empty() {
            self.searched = 0;
            return Some(Ok(self.buffer.split()));
        }
        if self.buffer.len() > self.limit {
            let limit = self.limit;
            return Some(Err(Error::new(&self.request, Repr::TooLarge { limit })));
        }
        None
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => self.state = State::BodyEnded,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.buffer.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => return Poll::Ready(Err(Error::transport(&self.request, error))),
        }
        Poll::Ready(Ok(()))
    }

    fn parse(&self, line: &[u8]) -> Result<LogLine, Error> {
        serde_json::from_slice(line).map_err(|source| {
            let what = match source.is_eof() {
                true => "the log ended within a line".to_owned(),
                false => format!("a line of the log is none: {source}"),
            };
            Error::content(&self.request, what, None)
        })
    }
}

impl Stream for LogStream {
    type Item = Result<LogLine, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStream").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Http {
    /// Reads a module's log, and follows it if asked to. For the database's owner.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Auth`](super::ErrorKind::Auth) if the database is somebody else's.
    ///
    /// # Source
    ///
    /// `GET /v1/database/:name/logs?num_lines=&follow=`: a JSON object a line.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::LogOptions;
    ///
    /// let mut logs = http.logs("chat", LogOptions::default().lines(10).follow(true)).await?;
    /// while let Some(line) = logs.next().await.transpose()? {
    ///     println!("{} {:5} {}", line.timestamp, line.level, line.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn logs(&self, database: &str, options: LogOptions) -> Result<LogStream, Error> {
        let path = self.path(database, "/logs")? + &options.query();
        let request = Request::new(Method::GET, path);
        let description = request.to_string().into();
        let response = self.open(request, Success::Lines, !options.follow).await?;
        Ok(LogStream {
            body: response.into(),
            buffer: BytesMut::new(),
            searched: 0,
            state: State::Open,
            limit: self.limits.max_http_reply_bytes,
            request: description,
        })
    }
}
