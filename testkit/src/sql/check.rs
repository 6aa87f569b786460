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
    /// The tables that it reads, in the order of its text; never empty.
    pub(crate) sources: Vec<Source>,
    /// Source whose rows it returns.
    pub(crate) returned: usize,
    pub(crate) filter: Option<Filter>,
    /// Refusal as a subscription, if it is one.
    pub(crate) only_once: Option<SqlError>,
}

/// A table that a query reads.
#[derive(Debug)]
pub(crate) struct Source {
    /// The table's position in the database.
    pub(crate) table: usize,
    /// The columns that have to be equal for this table's rows to be joined with those of the tables before it.
    pub(crate) on: Option<(ColumnRef, ColumnRef)>,
}

/// A column of one of a query's sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnRef {
    pub(crate) source: usize,
    pub(crate) column: u16,
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
    Column(ColumnRef),
    /// A comparison inside another, as in `(a = 1) = TRUE`.
    Condition(Box<Filter>),
}

impl Query {
    /// The position of the table whose rows it returns.
    pub(crate) fn table(&self) -> usize {
        self.sources[self.returned].table
    }
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
    let mut scope = Scope { tables, sources: Vec::new() };
    scope.add(&select.from)?;
    let mut sources = vec![Source { table: scope.sources[0].table, on: None }];
    for join in &select.joins {
        let table = scope.add(&join.relation)?;
        let on = join.on.as_ref().map(|(left, right)| scope.joined(left, right)).transpose()?;
        sources.push(Source { table, on });
    }
    let filter = select.filter.as_ref().map(|filter| scope.boolean(filter)).transpose()?;
    let returned = scope.returned(&select)?;
    if sources.iter().filter_map(|source| source.on).any(|(a, b)| a.source == b.source) {
        return Err(SqlError::new("Could not compute positional arguments during query planning"));
    }
    let only_once = scope.only_once(&sources, returned);
    Ok(Query { sources, returned, filter, only_once })
}

/// The tables that a query names.
struct Scope<'a> {
    tables: &'a [TableSchema],
    sources: Vec<Named>,
}

struct Named {
    alias: String,
    table: usize,
}

impl<'a> Scope<'a> {
    /// Adds a table and returns its position in the database.
    fn add(&mut self, relation: &Relation) -> Result<usize, SqlError> {
        let Relation { name, alias } = relation;
        if self.sources.iter().any(|known| known.alias == *alias) {
            return Err(SqlError::new(format_args!("Duplicate name `{alias}`")));
        }
        let table = self.tables.iter().position(|table| table.name == name && !table.private);
        let table = table.ok_or_else(|| SqlError::no_such_table(name))?;
        self.sources.push(Named { alias: alias.clone(), table });
        Ok(table)
    }

    /// The columns of `ON left = right`.
    fn joined(&self, left: &Expr, right: &Expr) -> Result<(ColumnRef, ColumnRef), SqlError> {
        let (left, left_ty) = self.column(left)?;
        let (right, right_ty) = self.column(right)?;
        expect_type(right_ty, left_ty)?;
        if value::is_comparable(left_ty) {
            Ok((left, right))
        } else {
            Err(SqlError::invalid_op(CompareOp::Eq, TypeName(left_ty)))
        }
    }

    /// Source whose rows the query returns.
    fn returned(&self, select: &Select) -> Result<usize, SqlError> {
        match &select.projection {
            Projection::Star(Some(name)) => self.source(name),
            Projection::Star(None) if !select.joins.is_empty() => {
                Err(SqlError::new("SELECT * is not supported for joins"))
            }
            Projection::Star(None) => Ok(0),
            Projection::Refused(error) => Err(error.clone()),
        }
    }

    /// Finds what a one-off query may have and a subscription may not.
    fn only_once(&self, sources: &[Source], returned: usize) -> Option<SqlError> {
        let is_indexed = |at: ColumnRef| self.schema(at.source).is_indexed(at.column);
        let has_index =
            |source: &Source| source.on.is_some_and(|(a, b)| is_indexed(a) || is_indexed(b));
        let is_event = |source: &Source| self.tables[source.table].kind == TableKind::Event;
        let mut others = sources.iter().enumerate().filter(|(position, _)| *position != returned);
        let refusal = match sources {
            [_] => return None,
            [_, joined @ ..] if !joined.iter().all(has_index) => {
                "Subscriptions require indexes on join columns".to_owned()
            }
            _ if others.any(|(_, source)| is_event(source)) => {
                "Event tables cannot be used as the lookup table in subscription joins".to_owned()
            }
            [_, _] => return None,
            more => format!("Invalid number of tables in subscription: {}", more.len()),
        };
        Some(SqlError::new(refusal))
    }

    fn schema(&self, source: usize) -> &'a TableSchema {
        &self.tables[self.sources[source].table]
    }

    fn source(&self, name: &str) -> Result<usize, SqlError> {
        let position = self.sources.iter().position(|known| known.alias == name);
        position.ok_or_else(|| SqlError::not_in_scope(name))
    }

    fn column(&self, expr: &Expr) -> Result<(ColumnRef, SatsType), SqlError> {
        let Expr::Column { table, name } = expr else {
            return Err(SqlError::new("Non-inner joins are not supported"));
        };
        let source = match table {
            Some(table) => self.source(table)?,
            None if self.sources.len() > 1 => {
                return Err(SqlError::new("Names must be qualified when using joins"));
            }
            None => 0,
        };
        let schema = self.schema(source);
        let column = schema.column(name).ok_or_else(|| SqlError::not_in_scope(name))?;
        Ok((ColumnRef { source, column }, schema.columns[usize::from(column)].ty))
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
                let (column, ty) = self.column(expr)?;
                expect_type(ty, expected.unwrap_or(ty))?;
                Ok((Operand::Column(column), ty))
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
