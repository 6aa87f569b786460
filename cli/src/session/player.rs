//! Plays a session back: the machine is told what the server said, and asked for what the client asked for.

use std::collections::HashMap;
use std::time::Instant;

use lightlike_core::cache::View;
use lightlike_core::conn::{
    CallId, CallRequest, CloseReason, Config, Connection, ConnectionState, Event, Progress, Reply,
    SetEnd, SubscriptionId, TransactionEvent,
};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    BatchSet, ClientMessage, QuerySetId, RequestId, ServerMessage, Text, decode_client,
    decode_server, open_frame,
};

use super::file::{Frame, Session, Side};
use crate::failure::{Exit, Failure};

/// Number of rows applied in a step: no clock waits for them here.
const ROWS_A_STEP: usize = 1 << 20;

/// Something that happened in a session.
pub(crate) enum Told {
    /// The client asked for something, or the server answered, in words.
    Said(Side, String),
    /// Rows changed.
    Transaction(TransactionEvent),
}

/// A session under way.
pub(crate) struct Player<'s> {
    session: &'s Session,
    connection: Connection,
    now: Instant,
    /// Frames that the client sent before the greeting, for which the machine waits.
    early: Vec<&'s Frame>,
    greeted: bool,
    sets: HashMap<SubscriptionId, QuerySetId>,
    calls: HashMap<CallId, String>,
}

impl<'s> Player<'s> {
    pub(crate) fn new(session: &'s Session) -> Self {
        // A recording has one socket.
        let mut config = Config::default();
        config.reconnect.enabled = false;
        let now = Instant::now();
        let mut connection = Connection::new(config, None, 0);
        connection.start(now);
        while connection.poll_action().is_some() {}
        connection.handle_opened(session.protocol);
        Self {
            session,
            connection,
            now,
            early: Vec::new(),
            greeted: false,
            sets: HashMap::new(),
            calls: HashMap::new(),
        }
    }

    /// The rows as they are now.
    pub(crate) fn view(&self) -> View {
        self.connection.reader().read()
    }

    /// Plays one message, and says what came of it.
    pub(crate) fn frame(&mut self, frame: &'s Frame) -> Result<Vec<Told>, Failure> {
        let told = match frame.from {
            Side::Server => self.server(frame),
            Side::Client if self.greeted => self.client(frame),
            Side::Client => {
                self.early.push(frame);
                Ok(Vec::new())
            }
        };
        told.map_err(|failure| at(failure, frame.line))
    }

    fn server(&mut self, frame: &Frame) -> Result<Vec<Told>, Failure> {
        let limits = Limits::default();
        let unreadable = |error: &dyn std::error::Error| {
            Failure::new(Exit::Content, "the server's frame cannot be read").because(error)
        };
        let body =
            open_frame(frame.payload.clone(), &limits).map_err(|error| unreadable(&error))?;
        let first = decode_server(&body, self.session.protocol, &limits).next();
        let greets = matches!(first, Some(Ok(ServerMessage::InitialConnection { .. })));
        self.connection.handle_body(self.now, body);
        let mut told = self.told()?;
        self.greeted |= greets;
        if self.greeted {
            for frame in std::mem::take(&mut self.early) {
                told.extend(self.client(frame).map_err(|failure| at(failure, frame.line))?);
            }
        }
        Ok(told)
    }

    fn client(&mut self, frame: &Frame) -> Result<Vec<Told>, Failure> {
        let mut told = Vec::new();
        for message in decode_client(&frame.payload, self.session.protocol, &Limits::default()) {
            let message = message.map_err(|error| {
                Failure::new(Exit::Content, "the client's frame cannot be read").because(&error)
            })?;
            told.push(Told::Said(Side::Client, self.ask(&message)));
        }
        told.extend(self.told()?);
        Ok(told)
    }

    /// Asks the machine for what the client asked for, and says what that was.
    fn ask(&mut self, message: &ClientMessage) -> String {
        let request = message.request_id();
        match message {
            ClientMessage::Subscribe { query_set_id, queries, .. } => {
                self.subscribe(request, *query_set_id, queries)
            }
            ClientMessage::SubscribeBatch { sets, .. } => {
                let asked = sets.iter().map(|BatchSet { query_set_id, queries }| {
                    self.subscribe(request, *query_set_id, queries)
                });
                asked.collect::<Vec<_>>().join("; ")
            }
            ClientMessage::Unsubscribe { query_set_id, .. } => {
                let set = self.sets.iter().find(|(_, wire)| *wire == query_set_id);
                if let Some((set, _)) = set {
                    self.connection.seed_ids(request, *query_set_id);
                    self.connection.unsubscribe(*set);
                }
                format!("unsubscribe {query_set_id}")
            }
            ClientMessage::OneOffQuery { query, .. } => {
                let what = format!("query {query}");
                self.call(request, CallRequest::Query { sql: query.clone() }, what)
            }
            ClientMessage::CallReducer { reducer: name, args, .. } => {
                let what = format!("call {name} ({} bytes of arguments)", args.len());
                let (name, args) = (name.clone(), args.clone());
                self.call(request, CallRequest::Reducer { name, args }, what)
            }
            ClientMessage::CallProcedure { procedure: name, args, .. } => {
                let what = format!("call procedure {name} ({} bytes of arguments)", args.len());
                let (name, args) = (name.clone(), args.clone());
                self.call(request, CallRequest::Procedure { name, args }, what)
            }
        }
    }

    fn subscribe(&mut self, request: RequestId, wire: QuerySetId, queries: &[Text]) -> String {
        self.connection.seed_ids(request, wire);
        let texts: Vec<Box<str>> = queries.iter().map(|query| (**query).into()).collect();
        let what = format!("subscribe {wire}: {}", texts.join("; "));
        let set = self.connection.subscribe(texts);
        self.sets.insert(set, wire);
        what
    }

    fn call(&mut self, request: RequestId, call: CallRequest, what: String) -> String {
        self.connection.seed_ids(request, QuerySetId(0));
        let call = self.connection.call(call, None);
        let name = what.split(" (").next().unwrap_or(&what).to_owned();
        self.calls.insert(call, name);
        what
    }

    /// Applies everything, and says what the application would hear.
    fn told(&mut self) -> Result<Vec<Told>, Failure> {
        let mut told = Vec::new();
        loop {
            while let Some(event) = self.connection.poll_event() {
                told.extend(self.tell(event)?);
            }
            let progress = self.connection.step(self.now, ROWS_A_STEP);
            // What it says itself is in the recording already.
            while self.connection.poll_action().is_some() {}
            if progress == Progress::Idle && !self.connection.has_events() {
                return Ok(told);
            }
        }
    }

    fn tell(&mut self, event: Event) -> Result<Option<Told>, Failure> {
        let said = |text: String| Some(Told::Said(Side::Server, text));
        Ok(match event {
            Event::State(ConnectionState::Closed(CloseReason::Lost(lost))) => {
                return Err(Failure::new(Exit::Content, "this cannot follow").because(&lost));
            }
            Event::Connected(greeting) => {
                said(format!("greeting for {}", greeting.identity.abbreviated()))
            }
            Event::Transaction(event) => Some(Told::Transaction(event)),
            Event::Applied(set) => {
                self.sets.get(&set).and_then(|set| said(format!("applied {set}")))
            }
            Event::Ended { set, reason } => {
                let Some(set) = self.sets.remove(&set) else { return Ok(None) };
                said(match reason {
                    SetEnd::Refused(why) => format!("refused {set}: {why}"),
                    _ => format!("ended {set}"),
                })
            }
            Event::Answered { call, reply, .. } => {
                let Some(what) = self.calls.remove(&call) else { return Ok(None) };
                said(format!("{what}: {}", answer(&reply)))
            }
            _ => None,
        })
    }
}

fn at(failure: Failure, line: usize) -> Failure {
    failure.at(format_args!("line {line}"))
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::Committed { .. } => "committed".to_owned(),
        Reply::Rejected { error, .. } => {
            let text = lightlike_core::bsatn::from_slice::<String>(error);
            format!("rejected: {}", text.unwrap_or_else(|_| crate::commands::hex(error)))
        }
        Reply::Failed(why) => format!("failed: {why}"),
        Reply::Returned { value, .. } => format!("returned {} bytes", value.len()),
        Reply::Rows(rows) => {
            let count: usize = rows.tables.iter().map(|table| table.rows.len()).sum();
            format!("{count} rows")
        }
        Reply::QueryRefused(why) => format!("refused: {why}"),
        _ => "no answer".to_owned(),
    }
}
