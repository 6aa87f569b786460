//! Any history: no panic, no call without its answer or with two, no livelock.

use std::collections::HashMap;
use std::time::Duration;

use lightlike_core::conn::{CallId, Config, Event, SubscriptionId};
use lightlike_core::wire::{Protocol, QuerySetId, RequestId, ServerMessage, Text};
use proptest::prelude::*;

use crate::rig::{Rig, applied, committed, greeting, reducer, update};

#[derive(Debug, Clone)]
enum Input {
    Start,
    Opened,
    Greeting,
    Subscribe,
    Unsubscribe(u32),
    UnsubscribeNow(u32),
    SwitchUser,
    Call {
        timeout_ms: Option<u64>,
    },
    Applied(u32, Vec<u8>),
    Update(u32, Vec<u8>, Vec<u8>),
    Answer(u32, Vec<u8>),
    SetError(Option<u32>, u32),
    SetEnded(u32),
    Bytes(Vec<u8>),
    Pass(u64),
    Lost,
    Close,
    /// A few single steps.
    Step(u8),
    Settle,
}

fn input() -> impl Strategy<Value = Input> {
    let id = 0..4_u32;
    let rows = || prop::collection::vec(0..4_u8, 0..4);
    prop_oneof![
        1 => Just(Input::Start),
        1 => Just(Input::Opened),
        2 => Just(Input::Greeting),
        3 => Just(Input::Subscribe),
        1 => id.clone().prop_map(Input::Unsubscribe),
        1 => id.clone().prop_map(Input::UnsubscribeNow),
        1 => Just(Input::SwitchUser),
        3 => prop::option::of(0..5_000_u64).prop_map(|timeout_ms| Input::Call { timeout_ms }),
        3 => (id.clone(), rows()).prop_map(|(id, rows)| Input::Applied(id, rows)),
        3 => (id.clone(), rows(), rows()).prop_map(|(id, ins, del)| Input::Update(id, ins, del)),
        3 => (id.clone(), rows()).prop_map(|(id, rows)| Input::Answer(id, rows)),
        1 => (prop::option::of(id.clone()), id.clone()).prop_map(|(r, s)| Input::SetError(r, s)),
        1 => id.prop_map(Input::SetEnded),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Input::Bytes),
        2 => (0..30_000_u64).prop_map(Input::Pass),
        1 => Just(Input::Lost),
        1 => Just(Input::Close),
        6 => (1..20_u8).prop_map(Input::Step),
        3 => Just(Input::Settle),
    ]
}

#[derive(Default)]
struct Story {
    calls: HashMap<CallId, usize>,
    sets: HashMap<SubscriptionId, usize>,
}

impl Story {
    fn listen(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Answered { call, .. } => *self.calls.entry(call).or_default() += 1,
                Event::Ended { set, .. } => *self.sets.entry(set).or_default() += 1,
                _ => (),
            }
        }
    }
}

fn rows(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).collect()
}

fn feed(rig: &mut Rig, story: &mut Story, input: Input) {
    match input {
        Input::Start => drop(rig.connection.start(rig.now)),
        Input::Opened => rig.connection.handle_opened(Protocol::V3),
        Input::Greeting => rig.server(greeting()),
        Input::Subscribe => {
            let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
            story.sets.entry(set).or_default();
        }
        Input::Unsubscribe(set) => rig.connection.unsubscribe(SubscriptionId(set)),
        Input::UnsubscribeNow(set) => rig.connection.unsubscribe_now(SubscriptionId(set)),
        Input::SwitchUser => {
            // It may be closed.
            let _ = rig.connection.switch_user(rig.now, None);
        }
        Input::Call { timeout_ms } => {
            let deadline = timeout_ms.map(|ms| rig.now + Duration::from_millis(ms));
            let call = rig.connection.call(reducer("f"), deadline);
            story.calls.entry(call).or_default();
        }
        Input::Applied(id, r) => rig.server(applied(RequestId(id), QuerySetId(id), &rows(&r))),
        Input::Update(id, inserts, deletes) => {
            let update = update(QuerySetId(id), &rows(&inserts), &rows(&deletes));
            rig.server(ServerMessage::TransactionUpdate(update));
        }
        Input::Answer(id, r) => {
            rig.server(committed(RequestId(id), update(QuerySetId(0), &rows(&r), &[])));
        }
        Input::SetError(request, set) => rig.server(ServerMessage::SubscriptionError {
            request_id: request.map(RequestId),
            query_set_id: QuerySetId(set),
            error: Text::from("why"),
        }),
        Input::SetEnded(set) => rig.server(ServerMessage::UnsubscribeApplied {
            request_id: RequestId(0),
            query_set_id: QuerySetId(set),
            rows: None,
        }),
        Input::Bytes(bytes) => rig.body(bytes),
        Input::Pass(ms) => {
            rig.now += Duration::from_millis(ms);
            rig.connection.handle_timeout(rig.now);
        }
        Input::Lost => rig.lose(),
        Input::Close => rig.connection.close(rig.now),
        Input::Step(steps) => {
            for _ in 0..steps {
                story.listen(std::iter::from_fn(|| rig.connection.poll_event()).collect());
                let _ = rig.connection.step(rig.now, 1);
                rig.check_rows();
            }
        }
        Input::Settle => {
            let events = rig.events();
            story.listen(events);
        }
    }
    rig.check_rows();
    drop(rig.actions());
}

proptest! {
    #[test]
    fn every_call_and_every_set_ends_once(
        comes_back in any::<bool>(),
        inputs in prop::collection::vec(input(), 0..120),
    ) {
        let mut config = Config::default();
        config.reconnect.enabled = comes_back;
        config.reconnect.first = comes_back;
        let (mut rig, mut story) = (Rig::with(config), Story::default());
        for input in inputs {
            feed(&mut rig, &mut story, input);
        }
        rig.connection.close(rig.now);
        rig.lose();
        let events = rig.events();
        story.listen(events);
        prop_assert!(rig.connection.is_closed());
        prop_assert_eq!(rig.connection.pending_calls(), 0);
        prop_assert!(story.calls.values().all(|answers| *answers == 1), "{:?}", story.calls);
        prop_assert!(story.sets.values().all(|ends| *ends == 1), "{:?}", story.sets);
    }
}
