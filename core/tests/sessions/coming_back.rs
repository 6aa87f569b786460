//! A recorded connection is lost and comes back: the rows are those of before, and nobody hears of rows that did not change.

use std::collections::BTreeMap;

use bytes::Bytes;
use lightlike_core::conn::{Action, Config, ConnectionState, Event, Lost, Progress, Reply, SetEnd};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    BatchResult, ClientMessage, Protocol, QueryRows, QuerySetId, ServerMessage, Text,
    decode_client, encode_server,
};

use crate::frames::{client_messages, server_messages};
use crate::model::Told;
use crate::replay::Replay;
use crate::session_files::{self, Session, Side};

/// In how many places each session is lost, its end not counted.
const PLACES: usize = 4;

#[test]
fn lost_session_resyncs_silently() {
    session_files::all().iter().for_each(comes_back);
}

/// Loses a session in several places behind its greeting. One without a greeting was none yet.
pub(crate) fn comes_back(session: &Session) {
    let Some(greeting) = greeting(session) else { return };
    let frames = session.frames.len();
    for lost_behind in (greeting + 1..frames).step_by(frames.div_ceil(PLACES)).chain([frames]) {
        let mut replay = Replay::with(session, Config::default());
        session.frames[..lost_behind].iter().for_each(|frame| replay.frame(frame));
        let at = format!("{}, lost behind {lost_behind} messages", session.name);
        let mut lost = LostAndBack { replay, queries: queries(session), greeting, at };
        lost.lose();
        lost.dial();
        lost.resync();
    }
}

/// Position of the server's greeting: a client may have spoken before.
fn greeting(session: &Session) -> Option<usize> {
    session.frames.iter().position(|frame| frame.from == Side::Server)
}

/// Queries of each set.
fn queries(session: &Session) -> BTreeMap<QuerySetId, Vec<Text>> {
    let frames = session.frames.iter().filter(|frame| frame.from == Side::Client);
    let mut queries = BTreeMap::new();
    for message in frames.flat_map(|frame| client_messages(session, frame)) {
        match message {
            ClientMessage::Subscribe { query_set_id, queries: of_set, .. } => {
                queries.insert(query_set_id, of_set);
            }
            ClientMessage::SubscribeBatch { sets, .. } => {
                queries.extend(sets.into_iter().map(|set| (set.query_set_id, set.queries)));
            }
            _ => (),
        }
    }
    queries
}

struct LostAndBack<'s> {
    replay: Replay<'s>,
    queries: BTreeMap<QuerySetId, Vec<Text>>,
    /// Where the server greets.
    greeting: usize,
    at: String,
}

impl LostAndBack<'_> {
    /// The socket ends. Calls end as unknown, sets that were about to end are over, the others and their rows stay.
    fn lose(&mut self) {
        self.replay.connection.handle_lost(self.replay.now, Lost::HungUp);
        loop {
            while let Some(event) = self.replay.connection.poll_event() {
                self.hear_of_loss(event);
            }
            if self.replay.connection.step(self.replay.now, 9) == Progress::Idle {
                break;
            }
        }
        assert!(self.replay.model.unanswered.is_empty(), "{}", self.at);
        self.replay.compare_rows(0);
    }

    fn hear_of_loss(&mut self, event: Event) {
        let replay = &mut self.replay;
        match event {
            Event::State(ConnectionState::Reconnecting { .. }) | Event::Transaction(_) => (),
            Event::Answered { call, reply: Reply::Unknown, .. } => {
                let request = replay.calls.remove(&call).expect("a call is answered once");
                assert!(replay.model.unanswered.remove(&request), "{}: {request}", self.at);
            }
            Event::Ended { set, reason: SetEnd::Unsubscribed } => {
                let set = replay.sets.remove(&set).expect("a set ends once");
                assert!(replay.model.end(set), "{}: {set} ends unasked", self.at);
            }
            event => panic!("{}: {event:?}", self.at),
        }
    }

    /// A new socket opens, and the server greets.
    fn dial(&mut self) {
        let replay = &mut self.replay;
        while !matches!(replay.connection.poll_action(), Some(Action::Dial(_))) {
            replay.now = replay.connection.poll_timeout().expect("it dials again");
            replay.connection.handle_timeout(replay.now);
        }
        replay.connection.handle_opened(replay.session.protocol);
        let greeting = &replay.session.frames[self.greeting];
        let greeting = server_messages(replay.session, greeting).remove(0);
        self.say(&greeting);
        assert_eq!(self.replay.told(), [Told::Greeted], "{}", self.at);
    }

    /// The server answers every set that is asked for again with the rows that it had.
    fn resync(&mut self) {
        let mut open = self.replay.model.rows_of_sets();
        let sets = open.len();
        let asked = decode_client(&self.replay.sent().into(), Protocol::V3, &Limits::default());
        for message in asked.take_while(|_| sets > 0) {
            let answer = self.answer(message.unwrap(), &mut open);
            self.say(&answer);
        }
        assert!(open.is_empty(), "{}: {open:?} is not asked for again", self.at);
        let told = self.replay.told();
        let all_applied = told.iter().all(|told| matches!(told, Told::Applied(_)));
        assert!(all_applied && told.len() == sets, "{}: {told:?}", self.at);
        self.replay.compare_rows(0);
    }

    fn answer(
        &self,
        asked: ClientMessage,
        open: &mut BTreeMap<QuerySetId, QueryRows>,
    ) -> ServerMessage {
        // Whatever the wire calls the set now.
        let mut rows = |queries: &Vec<Text>| {
            let set = open.keys().find(|set| self.queries[set] == *queries).copied();
            let set = set.unwrap_or_else(|| panic!("{}: {queries:?} is not open", self.at));
            open.remove(&set).unwrap()
        };
        match asked {
            ClientMessage::Subscribe { request_id, query_set_id, queries } => {
                let rows = rows(&queries);
                ServerMessage::SubscribeApplied { request_id, query_set_id, rows }
            }
            ClientMessage::SubscribeBatch { request_id, sets } => {
                let results = sets.into_iter().map(|set| {
                    let (query_set_id, outcome) = (set.query_set_id, Ok(rows(&set.queries)));
                    BatchResult { query_set_id, outcome }
                });
                let results = results.collect();
                ServerMessage::SubscribeBatchApplied { request_id, results }
            }
            asked => panic!("{}: {asked:?} is sent by itself", self.at),
        }
    }

    fn say(&mut self, message: &ServerMessage) {
        let mut body = Vec::new();
        encode_server(message, &mut body).unwrap();
        self.replay.connection.handle_body(self.replay.now, Bytes::from(body));
    }
}
