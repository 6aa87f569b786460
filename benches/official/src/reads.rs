//! Reads of the SDK's cache.

use bench_harness::Lookups;

use crate::bindings::DbConnection;

pub(crate) fn lookups(connection: &DbConnection) -> Lookups<'_> {
    let hp = |row: Option<crate::bindings::Entity>| i64::from(row.expect("a row").hp);
    Lookups {
        find: vec![
            (
                "find.each",
                Box::new(move |ids| {
                    let db = &connection.db;
                    ids.iter().map(|id| hp(db.entity().id().find(id))).sum()
                }),
            ),
            (
                "find.held",
                Box::new(move |ids| {
                    let by_id = connection.db.entity().id();
                    ids.iter().map(|id| hp(by_id.find(id))).sum()
                }),
            ),
        ],
        iterate: vec![(
            "iterate",
            Box::new(move |_| connection.db.entity().iter().map(|row| i64::from(row.hp)).sum()),
        )],
    }
}
