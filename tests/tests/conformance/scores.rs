//! Rows of `score` to read.

use lightlike::prelude::*;

use crate::module::*;

/// Inserts rows: `id`, `game`, `player`, `points`.
pub(crate) async fn insert_scores(
    db: &Client,
    scores: impl IntoIterator<Item = (u64, u32, &str, i64)>,
) {
    for (id, game, player, points) in scores {
        db.call(insert_score(id, game, player.into(), points)).await.unwrap();
    }
}

pub(crate) fn ids<'a>(rows: impl IntoIterator<Item = &'a Score>) -> Vec<u64> {
    rows.into_iter().map(|row| row.id).collect()
}
