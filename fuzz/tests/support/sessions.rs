//! Recorded sessions as inputs of the target `session`.

use std::collections::BTreeMap;

use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    BatchResult, ClientMessage, Protocol, QueryRows, QuerySetId, RequestId, ServerMessage,
    decode_client, decode_server, encode_server, open_frame,
};
use lightlike_fuzz::{Happening, Start, session_input};

use crate::session_files::{Session, Side};

/// Inputs from a recorded session: with rows that stay encoded, that are decoded from the start, and from the middle;
/// and with the connection lost at its end, and back.
pub(crate) fn inputs(session: &Session) -> Vec<Vec<u8>> {
    let mut story = Story::default();
    for frame in &session.frames {
        match frame.from {
            Side::Server => {
                let body = open_frame(frame.payload.clone(), &Limits::default()).unwrap();
                for message in decode_server(&body, session.protocol, &Limits::default()) {
                    story.server(message.unwrap());
                }
                story.happenings.extend([Happening::Body(body.to_vec()), Happening::Step(20, 9)]);
            }
            Side::Client => {
                for message in decode_client(&frame.payload, session.protocol, &Limits::default()) {
                    story.client(message.unwrap());
                }
            }
        }
    }
    let start = Start {
        v3: session.protocol == Protocol::V3,
        reconnects: false,
        request: story.first_request.unwrap_or_default(),
        set: story.first_set().unwrap_or_default(),
    };
    let back = story.back(start);
    let happenings = story.happenings;
    let (first, second) = happenings.split_at(happenings.len() / 2);
    let registers = [Happening::Register];
    vec![
        session_input(start, &happenings),
        session_input(start, &[&registers, first, second].concat()),
        session_input(start, &[first, &registers, second].concat()),
        session_input(Start { reconnects: true, ..start }, &[first, second, &back].concat()),
        session_input(
            Start { reconnects: true, ..start },
            &[&registers, first, second, &back].concat(),
        ),
    ]
}

#[derive(Default)]
struct Story {
    happenings: Vec<Happening>,
    first_request: Option<u8>,
    /// All sets, in the order in which they were asked for.
    sets: Vec<QuerySetId>,
    greeting: Option<ServerMessage>,
    /// The initial rows of the sets that are not over.
    rows: BTreeMap<QuerySetId, QueryRows>,
}

impl Story {
    fn first_set(&self) -> Option<u8> {
        self.sets.first().map(|set| set.0 as u8)
    }

    fn server(&mut self, message: ServerMessage) {
        match message {
            greeting @ ServerMessage::InitialConnection { .. } => self.greeting = Some(greeting),
            ServerMessage::SubscribeApplied { query_set_id, rows, .. } => {
                self.rows.insert(query_set_id, rows);
            }
            ServerMessage::SubscribeBatchApplied { results, .. } => {
                let applied = results
                    .into_iter()
                    .filter_map(|result| Some((result.query_set_id, result.outcome.ok()?)));
                self.rows.extend(applied);
            }
            ServerMessage::UnsubscribeApplied { query_set_id, .. }
            | ServerMessage::SubscriptionError { query_set_id, .. } => {
                self.rows.remove(&query_set_id);
            }
            _ => (),
        }
    }

    fn client(&mut self, message: ClientMessage) {
        self.first_request.get_or_insert_with(|| message.request_id().0 as u8);
        let happening = match message {
            ClientMessage::Subscribe { query_set_id, .. } => {
                self.sets.push(query_set_id);
                Happening::Subscribe
            }
            ClientMessage::SubscribeBatch { sets, .. } => {
                self.sets.extend(sets.iter().map(|set| set.query_set_id));
                return self.happenings.extend(sets.iter().map(|_| Happening::Subscribe));
            }
            ClientMessage::Unsubscribe { query_set_id, .. } => {
                let position = self.sets.iter().position(|set| *set == query_set_id);
                let Some(position) = position else { return };
                Happening::Unsubscribe(position as u8)
            }
            ClientMessage::CallReducer { .. } => Happening::Reducer,
            ClientMessage::CallProcedure { .. } => Happening::Procedure,
            ClientMessage::OneOffQuery { .. } => Happening::Query,
        };
        self.happenings.push(happening);
    }

    /// The socket is lost, a new one opens, and the server answers the sets that are asked for again with the rows that
    /// they had at first: in one batch where there are several, on v3.
    fn back(&self, start: Start) -> Vec<Happening> {
        let mut happenings = vec![Happening::Lost, Happening::Step(50, 50), Happening::Timeout];
        let next_set = self.first_set().unwrap_or_default() as usize + self.sets.len();
        let open = self.sets.iter().filter_map(|set| self.rows.get(set));
        let named = (next_set as u32..).map(QuerySetId).zip(open.cloned());
        let request_id = RequestId(0);
        let answers: Vec<_> = if start.v3 && self.rows.len() > 1 {
            let results = named
                .map(|(query_set_id, rows)| BatchResult { query_set_id, outcome: Ok(rows) })
                .collect();
            vec![ServerMessage::SubscribeBatchApplied { request_id, results }]
        } else {
            let alone = |(query_set_id, rows)| ServerMessage::SubscribeApplied {
                request_id,
                query_set_id,
                rows,
            };
            named.map(alone).collect()
        };
        for message in self.greeting.iter().chain(&answers) {
            let mut body = Vec::new();
            encode_server(message, &mut body).unwrap();
            happenings.extend([Happening::Body(body), Happening::Step(20, 9)]);
        }
        happenings
    }
}
