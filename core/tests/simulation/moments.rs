//! Each command at each moment: for every stage of a set, after every number of steps, one command, and then everything has
//! to come out right.

use std::time::Duration;

use lightlike_core::wire::Protocol;

use crate::Random;
use crate::item::Item;
use crate::lives::Life;

/// What a life does first. What it leaves to be applied is then applied in single steps.
type Start = (&'static str, fn(&mut Life));
/// What comes in between.
type Command = (&'static str, fn(&mut Life));

const STARTS: &[Start] = &[
    ("first rows", |life| {
        life.subscribe();
        life.subscribe();
        life.exchange();
    }),
    ("a change", |life| {
        applied(life);
        life.change();
        life.exchange();
    }),
    ("a call's rows", |life| {
        applied(life);
        life.call();
        life.exchange();
    }),
    ("an end", |life| {
        applied(life);
        life.unsubscribe(0);
        life.exchange();
    }),
    ("a refusal", |life| {
        applied(life);
        life.refuse();
        life.exchange();
    }),
    ("a lost socket", |life| {
        applied(life);
        life.change();
        life.exchange();
        life.lose();
    }),
    ("a resync without answers", |life| {
        stale(life);
        life.reads = Some(0);
        life.come_back();
    }),
    ("a resync with one answer", |life| {
        stale(life);
        life.reads = Some(1);
        life.come_back();
    }),
    ("a resync", |life| {
        stale(life);
        life.come_back();
    }),
    ("a resync that was late", |life| {
        stale(life);
        life.reads = Some(1);
        life.come_back();
        life.sleep(Duration::from_secs(31));
        life.reads = None;
        life.exchange();
    }),
];

const COMMANDS: &[Command] = &[
    ("unsubscribe", |life| life.unsubscribe(0)),
    ("unsubscribe all", |life| (0..life.sets.len()).for_each(|at| life.unsubscribe(at))),
    ("subscribe", Life::subscribe),
    ("unsubscribe and subscribe", |life| {
        life.unsubscribe(0);
        life.subscribe();
    }),
    ("register", |life| drop(life.connection.register::<Item>())),
    ("add an index", Life::index),
    ("call", Life::call),
    ("call and cancel", |life| {
        life.call();
        life.cancel();
    }),
    ("verify", |life| {
        let _ = life.connection.verify();
    }),
    ("set a token", |life| life.connection.set_token(life.now, "another".into())),
    ("reconnect now", |life| life.connection.reconnect_now(life.now)),
    ("change", Life::change),
    ("refuse", Life::refuse),
    ("wait", |life| life.sleep(Duration::from_secs(60))),
    ("lose", Life::lose),
    ("lose and come back", |life| {
        life.lose();
        life.come_back();
    }),
    ("unsubscribe and lose", |life| {
        life.unsubscribe(0);
        life.lose();
    }),
    ("close", Life::close),
    ("unsubscribe and close", |life| {
        life.unsubscribe(0);
        life.close();
    }),
];

/// Two sets that are in step.
fn applied(life: &mut Life) {
    life.subscribe();
    life.subscribe();
    life.rest();
}

/// Two sets that have missed something.
fn stale(life: &mut Life) {
    applied(life);
    life.lose();
    for _ in 0..4 {
        life.change();
    }
}

/// More than it takes to apply what the starts leave.
const STEPS: u64 = 14;
/// Few, so that there are few moments.
const KEYS: u64 = 12;

#[test]
fn any_command_at_any_moment_leaves_rows_owned() {
    for protocol in [Protocol::V2, Protocol::V3] {
        for (start_name, start) in STARTS {
            for (command_name, command) in COMMANDS {
                for steps in 0..STEPS {
                    let moment =
                        format!("{start_name}, {steps} steps, {command_name}, {protocol:?}");
                    let lived =
                        std::panic::catch_unwind(|| live(protocol, steps, *start, *command));
                    assert!(lived.is_ok(), "{moment}");
                }
            }
        }
    }
}

fn live(protocol: Protocol, steps: u64, start: fn(&mut Life), command: fn(&mut Life)) {
    let mut life = Life::new(Random(steps), protocol, KEYS, None);
    life.register();
    life.connection.start(life.now);
    life.exchange();
    life.rest();
    start(&mut life);
    for _ in 0..steps {
        life.step();
    }
    if !life.sets.is_empty() {
        command(&mut life);
    }
    life.check();
    life.end();
}
