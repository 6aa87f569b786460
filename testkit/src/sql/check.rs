//! From a parsed query to one that can be run: names looked up, types checked.

use lightlike_core::schema::{SatsType, SatsValue, TableKind};

use super::ast::{CompareOp, Expr, Literal, LogicOp, Projection, Relation, Select};
use super::value;
use super::{SqlError, parse};
use crate::database::schema::{TableSchema, TypeName};

/// The longest query that the server reads, in bytes.
///
/// # Source
///
/// `spacetimedb-query` 2.14.0, `MAX_SQL_LENGTH`.
const MAX_SQL_BYTES: usize = 50_000;

/// A query that returns rows of one table.
#[derive(Debug)]
pub(crate) struct Query {
    /// The returned table's position in the database.
    pub(crate) table: usize,
    /// The other table of a semijoin.
    pub(crate) join: Option<Join>,
    pub(crate) filter: Option<Filter>,
}

/// `ON own = other`.
#[derive(Debug)]
pub(crate) struct Join {
    /// The position in the database of the table whose rows only select.
    pub(crate) table: usize,
    pub(crate) own_column: u16,
    pub(crate) other_column: u16,
}

/// A WHERE clause with its names resolved.
#[derive(Debug)]
pub(crate) enum Filter {
    Compare(Operand, CompareOp, Operand),
    All(Vec<Self>),
    Any(Vec<Self>),
    /// A boolean by itself.
    Is(Operand),
}

#[derive(Debug)]
pub(crate) enum Operand {
    Value(SatsValue),
    Sender,
    /// The sender in a comparison with bytes.
    SenderBytes,
    /// A column of the returned table.
    Own(u16),
    /// A column of the joined table.
    Other(u16),
    /// A comparison inside another, as in `(a = 1) = TRUE`.
    Condition(Box<Filter>),
}

/// Parses and checks `sql` against the tables that clients can see.
pub(crate) fn compile(sql: &str, tables: &[TableSchema]) -> Result<Query, SqlError> {
    let sql = sql.trim();
    if sql.len() > MAX_SQL_BYTES {
        let shown: String = sql.chars().take(120).collect();
        return Err(SqlError::new(format_args!(
            "SQL query exceeds maximum allowed length: \"{shown}...\""
        )));
    }
    let select = parse::parse(sql)?;
    let scope = Scope::new(&select, tables)?;
    let (returned, join) = scope.shape(&select)?;
    let scope = Scope { returned, ..scope };
    let filter = select.filter.as_ref().map(|filter| scope.boolean(filter)).transpose()?;
    if matches!(select.projection, Projection::Columns) {
        return Err(SqlError::new(
            "Column projections are not supported in subscriptions; Subscriptions must return a table type",
        ));
    }
    Ok(Query { table: scope.relations[returned].table, join, filter })
}

/// The tables that a query names.
struct Scope<'a> {
    tables: &'a [TableSchema],
    relations: Vec<InScope>,
    /// Which of `relations` the query returns.
    returned: usize,
}

struct InScope {
    alias: String,
    table: usize,
}

/// A column found: in which relation, where, and of what type.
struct Found {
    relation: usize,
    column: u16,
    ty: SatsType,
}

impl<'a> Scope<'a> {
    fn new(select: &Select, tables: &'a [TableSchema]) -> Result<Self, SqlError> {
        let mut scope = Self { tables, relations: Vec::new(), returned: 0 };
        for relation in
            core::iter::once(&select.from).chain(select.joins.iter().map(|join| &join.relation))
        {
            scope.add(relation)?;
        }
        Ok(scope)
    }

    fn add(&mut self, relation: &Relation) -> Result<(), SqlError> {
        let table =
            self.tables.iter().position(|table| table.name == relation.name && !table.private);
        let table = table.ok_or_else(|| SqlError::no_such_table(&relation.name))?;
        if self.relations.iter().any(|known| known.alias == relation.alias) {
            return Err(SqlError::new(format_args!("Duplicate name `{}`", relation.alias)));
        }
        self.relations.push(InScope { alias: relation.alias.clone(), table });
        Ok(())
    }

    /// Which relation is returned, and how the other is joined to it.
    fn shape(&self, select: &Select) -> Result<(usize, Option<Join>), SqlError> {
        let returned = match &select.projection {
            Projection::Star(Some(name)) => self.relation(name)?,
            Projection::Star(None) if !select.joins.is_empty() => {
                return Err(SqlError::new("SELECT * is not supported for joins"));
            }
            Projection::Star(None) | Projection::Columns => 0,
        };
        let join = match select.joins.as_slice() {
            [] => return Ok((returned, None)),
            [join] => join,
            _ => {
                let tables = self.relations.len();
                return Err(SqlError::new(format_args!(
                    "Invalid number of tables in subscription: {tables}"
                )));
            }
        };
        let Some((left, right)) = &join.on else {
            return Err(SqlError::new("Subscriptions require indexes on join columns"));
        };
        let left = self.column(left)?;
        let right = self.column(right)?;
        expect_type(right.ty, left.ty)?;
        if !value::is_comparable(left.ty) {
            return Err(SqlError::invalid_op(CompareOp::Eq, TypeName(left.ty)));
        }
        let (own, other) = if left.relation == returned { (left, right) } else { (right, left) };
        let table = self.relations[other.relation].table;
        let indexed = [&own, &other]
            .into_iter()
            .all(|found| self.schema(found.relation).is_indexed(found.column));
        if own.relation == other.relation || !indexed {
            return Err(SqlError::new("Subscriptions require indexes on join columns"));
        }
        if self.tables[table].kind == TableKind::Event {
            return Err(SqlError::new(
                "Event tables cannot be used as the lookup table in subscription joins",
            ));
        }
        Ok((returned, Some(Join { table, own_column: own.column, other_column: other.column })))
    }

    fn schema(&self, relation: usize) -> &'a TableSchema {
        &self.tables[self.relations[relation].table]
    }

    fn relation(&self, name: &str) -> Result<usize, SqlError> {
        self.relations
            .iter()
            .position(|known| known.alias == name)
            .ok_or_else(|| SqlError::not_in_scope(name))
    }

    fn column(&self, expr: &Expr) -> Result<Found, SqlError> {
        let Expr::Column { table, name } = expr else {
            return Err(SqlError::new(format_args!("Unsupported expression: {expr}")));
        };
        let relation = match table {
            Some(table) => self.relation(table)?,
            None if self.relations.len() > 1 => {
                return Err(SqlError::new("Names must be qualified when using joins"));
            }
            None => 0,
        };
        let schema = self.schema(relation);
        let column = schema.column(name).ok_or_else(|| SqlError::not_in_scope(name))?;
        Ok(Found { relation, column, ty: schema.columns[usize::from(column)].ty })
    }

    fn boolean(&self, expr: &Expr) -> Result<Filter, SqlError> {
        match expr {
            Expr::Logic(op, parts) => {
                let parts =
                    parts.iter().map(|part| self.boolean(part)).collect::<Result<_, _>>()?;
                Ok(match op {
                    LogicOp::And => Filter::All(parts),
                    LogicOp::Or => Filter::Any(parts),
                })
            }
            // A literal takes its type from the other side, whichever that is.
            Expr::Compare(left, op, right) if matches!(**left, Expr::Literal(_) | Expr::Sender) => {
                let (right, ty) = self.operand(right, None)?;
                let (left, _) = self.operand(left, Some(ty))?;
                comparison(left, *op, right, ty)
            }
            Expr::Compare(left, op, right) => {
                let (left, ty) = self.operand(left, None)?;
                let (right, _) = self.operand(right, Some(ty))?;
                comparison(left, *op, right, ty)
            }
            single => Ok(Filter::Is(self.operand(single, Some(SatsType::Bool))?.0)),
        }
    }

    fn operand(
        &self,
        expr: &Expr,
        expected: Option<SatsType>,
    ) -> Result<(Operand, SatsType), SqlError> {
        match (expr, expected) {
            (Expr::Literal(Literal::Bool(value)), expected) => {
                expect_type(SatsType::Bool, expected.unwrap_or(SatsType::Bool))?;
                Ok((Operand::Value(SatsValue::Bool(*value)), SatsType::Bool))
            }
            (Expr::Literal(_), None) => {
                Err(SqlError::new("Cannot resolve type for literal expression"))
            }
            (Expr::Literal(literal), Some(ty)) => match value::parse(literal, ty) {
                Some(value) => Ok((Operand::Value(value), ty)),
                None => Err(SqlError::invalid_literal(literal.text(), TypeName(ty))),
            },
            (Expr::Sender, expected) => {
                let ty = expected.unwrap_or(SatsType::Identity);
                if value::is_bytes(ty) {
                    return Ok((Operand::SenderBytes, ty));
                }
                expect_type(SatsType::Identity, ty)?;
                Ok((Operand::Sender, ty))
            }
            (Expr::Column { .. }, expected) => {
                let found = self.column(expr)?;
                expect_type(found.ty, expected.unwrap_or(found.ty))?;
                let own = found.relation == self.returned;
                Ok((
                    if own { Operand::Own(found.column) } else { Operand::Other(found.column) },
                    found.ty,
                ))
            }
            (Expr::Compare(..) | Expr::Logic(..), expected) => {
                expect_type(SatsType::Bool, expected.unwrap_or(SatsType::Bool))?;
                Ok((Operand::Condition(Box::new(self.boolean(expr)?)), SatsType::Bool))
            }
        }
    }
}

fn comparison(
    left: Operand,
    op: CompareOp,
    right: Operand,
    ty: SatsType,
) -> Result<Filter, SqlError> {
    if value::is_comparable(ty) {
        Ok(Filter::Compare(left, op, right))
    } else {
        Err(SqlError::invalid_op(op, TypeName(ty)))
    }
}

fn expect_type(actual: SatsType, expected: SatsType) -> Result<(), SqlError> {
    let (actual, expected) = (TypeName(actual).to_string(), TypeName(expected).to_string());
    if actual == expected { Ok(()) } else { Err(SqlError::unexpected_type(actual, expected)) }
}
