//! Finding the server's ids in whose places temporary ones stood.
//!
//! When a call commits, the rows that its transaction inserted are compared with those that its mutation inserted under
//! temporary ids. A row is the server's form of another if the mutation [says so](super::LocalTx::temp_id_where); or if
//! all its columns but the key are the same; or if it is the only one that is left, on both sides. Where that leaves a
//! choice, nothing is found: to take one row for another would be worse.

use std::collections::VecDeque;

use foldhash::{HashMap, HashSet};

use super::ids::{KeyId, Turn};
use super::layer::Layer;
use super::temp_id::{AnyId, NewIds};
use crate::bsatn::{Reader, Writer};
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::cache::table::rows::Rows;
use crate::schema::Row;

/// Temporary ids that a mutation was given when it last ran.
#[derive(Default)]
pub(in crate::cache) struct Handed {
    pub(super) ids: Vec<AnyId>,
    pub(super) claims: Vec<Claim>,
}

/// Statement of a mutation about the row that the server will insert under an id.
pub(super) struct Claim {
    pub(super) id: AnyId,
    /// A [`Condition`] on rows of the table's type.
    pub(super) is: Box<dyn core::any::Any + Send>,
}

/// Test of rows, which holds for the one that is meant.
pub(super) type Condition<R> = Box<dyn Fn(&R) -> bool + Send>;

impl Claim {
    /// Tests a row; none if the claim is about another table's rows.
    fn holds<R: Row>(&self, row: &R) -> Option<bool> {
        let is = self.is.downcast_ref::<Condition<R>>()?;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| is(row)));
        Some(outcome.unwrap_or(false))
    }
}

/// A row that the change under way inserts.
pub(super) struct Came<'a, R> {
    id: AnyId,
    row: &'a R,
}

/// Rows that a mutation inserted under temporary ids of its own, encoded.
type Temporary = Vec<(AnyId, Box<[u8]>)>;

/// Finds the server's ids for temporary ones, among those of the rows that the change under way inserts.
pub(super) fn find<R: Row>(
    mut temporary: Temporary,
    mut came: Vec<Came<'_, R>>,
    handed: &Handed,
    found: &mut NewIds,
) {
    if temporary.is_empty() || came.is_empty() {
        return;
    }
    let mut taken = HashSet::default();
    temporary.retain(|(temp, _)| {
        let claim = handed.claims.iter().find(|claim| claim.id == *temp);
        let Some(claim) = claim else { return true };
        let mut claimed = came.iter().filter(|came| claim.holds(came.row) == Some(true));
        if let (Some(only), None) = (claimed.next(), claimed.next()) {
            taken.insert(only.id);
            found.add(*temp, only.id);
        }
        false
    });
    came.retain(|came| !taken.contains(&came.id));
    by_content(&mut temporary, &mut came, found);
    if let ([(temp, _)], [only]) = (&temporary[..], &came[..]) {
        found.add(*temp, only.id);
    }
}

/// The rows of these keys that a mutation of this turn inserted under temporary ids of its own.
pub(super) fn temporary_rows<R: Row>(
    layer: &Layer<R>,
    keys: &[KeyId],
    turn: Turn,
    handed: &Handed,
) -> Temporary {
    let handed: HashSet<AnyId> = handed.ids.iter().copied().collect();
    let rows = keys.iter().filter_map(|key| {
        let version = layer.key(*key)?.stack().at(turn)?.seen()?;
        let id = AnyId::of(version.row()?.key()).filter(|id| handed.contains(id))?;
        Some((id, version.bytes().into()))
    });
    rows.collect()
}

/// The rows that a change inserts, out of its pairs.
pub(super) fn came<'a, R: Row>(rows: &'a Rows<R>, pairs: &[Pair]) -> Vec<Came<'a, R>> {
    let came = pairs.iter().filter(|pair| pair.old == NO_ROW);
    let came = came.filter_map(|pair| {
        let row = rows.storage().row(RowId(pair.new))?;
        let id = AnyId::of(row.key()).filter(|id| !id.is_temp_id())?;
        Some(Came { id, row })
    });
    came.collect()
}

/// Finds rows that are the same but for their keys. Of several that are, the first ids go to the first.
fn by_content<R: Row>(temporary: &mut Temporary, came: &mut Vec<Came<'_, R>>, found: &mut NewIds) {
    let mut by_content: HashMap<Box<[u8]>, VecDeque<AnyId>> = HashMap::default();
    let mut bytes = Writer::new();
    for Came { id, row } in came.iter() {
        bytes.clear();
        row.encode(&mut bytes);
        if let Some(content) = content::<R>(bytes.as_slice(), *id) {
            by_content.entry(content).or_default().push_back(*id);
        }
    }
    let mut taken = HashSet::default();
    temporary.retain(|(temp, bytes)| {
        let same = content::<R>(bytes, *temp).and_then(|content| by_content.get_mut(&content));
        let Some(id) = same.and_then(VecDeque::pop_front) else { return true };
        taken.insert(id);
        found.add(*temp, id);
        false
    });
    came.retain(|came| !taken.contains(&came.id));
}

/// An encoded row without its key.
fn content<R: Row>(bytes: &[u8], id: AnyId) -> Option<Box<[u8]>> {
    let mut reader = Reader::new(bytes);
    R::decode_key(&mut reader).ok()?;
    let end = bytes.len() - reader.rest().len();
    let start = end.checked_sub(id.kind().size())?;
    Some([&bytes[..start], &bytes[end..]].concat().into())
}
