//! What the database calls by itself, where that gets in its own way. A client sees the order in which rows come, and what
//! becomes of the rows that say what is due.

use lightlike::events::EventStream;
use lightlike::prelude::*;
use lightlike_tests::conformance::{next, on_a_real_server_of};
use lightlike_tests::real::Module;
use lightlike_tests::timers::*;

async fn written(log: &mut EventStream<Inserted<TimerLog>>, lines: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < lines {
        let Inserted { row, cause, .. } = next(log).await;
        assert_eq!(cause, Cause::Other, "nobody here has called it");
        texts.push(row.text);
    }
    texts
}

/// A row came, was moved, and went. As it was when it came, and when it went.
async fn moved<T: Clone + std::fmt::Debug>(rows: &mut EventStream<Change<T>>) -> (T, T) {
    assert!(matches!(next(rows).await, Change::Inserted(_)));
    let Change::Updated(Updated { old, new, .. }) = next(rows).await else {
        panic!("it is not moved")
    };
    assert!(matches!(next(rows).await, Change::Deleted(_)));
    (old, new)
}

/// Official concurrency scenario 4.
#[tokio::test]
async fn scheduled_reducers_run_while_a_scheduled_procedure_sleeps() {
    on_a_real_server_of(Module::Timers, async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe((TimerLog::all(), Timer::all(), Sleeper::all())).await.unwrap();
        let mut log = db.table::<TimerLog>().inserts();
        db.call(sleep_beside_timers(1500, vec![300, 600])).await.unwrap();
        let expected = ["procedure begins", "reducer 1", "reducer 2", "procedure ends"];
        assert_eq!(written(&mut log, 4).await, expected);
    })
    .await;
}

/// Official concurrency scenario 5. A procedure at a time has no row to move any more: it goes before the procedure begins.
#[tokio::test]
async fn rescheduled_procedure_runs_while_earlier_sleeps() {
    on_a_real_server_of(Module::Timers, async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe((TimerLog::all(), Sleeper::all())).await.unwrap();
        let mut log = db.table::<TimerLog>().inserts();
        let mut rows = db.table::<Sleeper>().changes();
        db.call(move_while_it_sleeps(100, 300, 1500)).await.unwrap();
        let expected = [
            "procedure begins",
            "procedure, moved begins",
            "procedure, moved ends",
            "procedure ends",
        ];
        assert_eq!(written(&mut log, 4).await, expected);
        let (old, new) = moved(&mut rows).await;
        assert!(matches!(old.scheduled_at, ScheduleAt::Interval(_)), "{old:?}");
        assert!(matches!(new.scheduled_at, ScheduleAt::Time(_)), "{new:?}");
        assert!(db.table::<Sleeper>().is_empty());
    })
    .await;
}

#[tokio::test]
async fn rescheduled_reducer_runs_at_new_time() {
    on_a_real_server_of(Module::Timers, async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe((TimerLog::all(), Timer::all())).await.unwrap();
        for every_millis in [0, 100] {
            let mut log = db.table::<TimerLog>().inserts();
            let mut rows = db.table::<Timer>().changes();
            db.call(move_while_it_runs(every_millis, 200)).await.unwrap();
            assert_eq!(written(&mut log, 2).await, ["reducer", "reducer, moved"]);
            let (old, new) = moved(&mut rows).await;
            assert_eq!((old.scheduled_id, old.moves_millis), (new.scheduled_id, 200));
            assert_eq!(new.text, "reducer, moved");
            assert!(db.table::<Timer>().is_empty());
        }
    })
    .await;
}
