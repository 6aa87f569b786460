//! Reads of the cache, in the ways in which an application can write them.

use bench_harness::Lookups;
use lightlike::Client;

use crate::schema::Entity;

pub(crate) fn lookups(db: &Client) -> Lookups<'_> {
    Lookups {
        find: vec![
            (
                "find.each",
                Box::new(|ids| {
                    let hp = |id| db.read().table::<Entity>().get(id).expect("a row").hp;
                    ids.iter().map(|id| i64::from(hp(id))).sum()
                }),
            ),
            (
                "find.held",
                Box::new(|ids| {
                    let view = db.read();
                    let entities = view.table::<Entity>();
                    ids.iter().map(|id| i64::from(entities.get(id).expect("a row").hp)).sum()
                }),
            ),
            (
                "find.owned",
                Box::new(|ids| {
                    let entities = db.table::<Entity>();
                    ids.iter().map(|id| i64::from(entities.get(id).expect("a row").hp)).sum()
                }),
            ),
        ],
        iterate: vec![(
            "iterate",
            Box::new(|_| db.read().table::<Entity>().iter().map(|row| i64::from(row.hp)).sum()),
        )],
    }
}
