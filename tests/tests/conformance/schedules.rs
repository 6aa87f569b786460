//! Scheduled calls: at a time, again and again, of reducers and procedures.

use lightlike::prelude::*;
use lightlike_tests::conformance::{next, on_a_real_server};

use crate::module::*;

#[tokio::test]
async fn scheduled_reducer_runs_once_and_row_goes() {
    on_a_real_server(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe((ScheduledRow::all(), ProcedureRow::all())).await.unwrap();
        let mut schedules = db.table::<ScheduledRow>().changes();
        let mut rows = db.table::<ProcedureRow>().inserts();
        db.call(schedule_once(50, "ran".into())).await.unwrap();
        match next(&mut schedules).await {
            Change::Inserted(Inserted { row, .. }) => {
                assert!(matches!(row.scheduled_at, ScheduleAt::Time(_)), "{row:?}");
            }
            change => panic!("{change:?}"),
        }
        let Inserted { row, cause, .. } = next(&mut rows).await;
        assert_eq!((&*row.text, cause), ("ran", Cause::Other));
        assert!(matches!(next(&mut schedules).await, Change::Deleted(_)));
        assert!(db.table::<ScheduledRow>().is_empty());
    })
    .await;
}

#[tokio::test]
async fn repeated_reducer_runs_until_row_is_deleted() {
    on_a_real_server(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe((ScheduledRow::all(), ProcedureRow::all())).await.unwrap();
        let mut rows = db.table::<ProcedureRow>().inserts();
        db.call(schedule_every(20, "again".into())).await.unwrap();
        for _ in 0..3 {
            assert_eq!(next(&mut rows).await.row.text, "again");
        }
        let row = db.table::<ScheduledRow>().iter().next().unwrap();
        assert_eq!(row.scheduled_at, ScheduleAt::Interval(TimeDuration::from_micros(20_000)));
        db.call(unschedule()).await.unwrap();
        assert!(db.table::<ScheduledRow>().is_empty());
    })
    .await;
}

/// Official procedure scenario 7.
#[tokio::test]
async fn a_scheduled_procedure_runs_after_its_time() {
    on_a_real_server(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(ProcedureRun::all()).await.unwrap();
        let mut runs = db.table::<ProcedureRun>().inserts();
        db.call(schedule_procedure(100)).await.unwrap();
        let Inserted { row, cause, .. } = next(&mut runs).await;
        assert_eq!(cause, Cause::Other);
        let waited = row.ran.since(row.planned).unwrap();
        assert!(waited >= TimeDuration::from_micros(100_000), "{waited}");
    })
    .await;
}

/// Official concurrency scenario 3.
#[tokio::test]
async fn a_scheduled_reducer_runs_while_a_procedure_sleeps() {
    on_a_real_server(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(ProcedureRow::all()).await.unwrap();
        let mut rows = db.table::<ProcedureRow>().inserts();
        db.call_procedure(schedule_and_sleep(20, 500)).await.unwrap();
        let mut texts = Vec::new();
        for _ in 0..3 {
            texts.push(next(&mut rows).await.row.text);
        }
        let expected =
            ["procedure, before its sleep", "scheduled reducer", "procedure, after its sleep"];
        assert_eq!(texts, expected);
    })
    .await;
}
