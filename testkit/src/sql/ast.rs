//! Syntax of a query, before any name in it is looked up.

use core::fmt;

use super::SqlError;

/// `SELECT projection FROM from JOIN joins .. WHERE filter`.
#[derive(Debug)]
pub(super) struct Select {
    pub(super) projection: Projection,
    pub(super) from: Relation,
    pub(super) joins: Vec<Join>,
    pub(super) filter: Option<Expr>,
}

#[derive(Debug)]
pub(super) enum Projection {
    /// `*`, or `t.*` with its name.
    Star(Option<String>),
    /// Statement that a subscription cannot return, and its refusal.
    Refused(SqlError),
}

#[derive(Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    /// The name itself where there is no alias.
    pub(super) alias: String,
}

#[derive(Debug)]
pub(super) struct Join {
    pub(super) relation: Relation,
    /// The two columns; none for a cross join.
    pub(super) on: Option<(Expr, Expr)>,
}

#[derive(Debug)]
pub(super) enum Expr {
    Literal(Literal),
    /// `:sender`.
    Sender,
    Column {
        table: Option<String>,
        name: String,
    },
    Compare(Box<Self>, CompareOp, Box<Self>),
    /// AND or OR over two or more; flat, so that a long chain is not a deep tree.
    Logic(LogicOp, Vec<Self>),
}

#[derive(Debug, Clone)]
pub(super) enum Literal {
    Bool(bool),
    /// Digits, sign included.
    Number(String),
    Text(String),
    Hex(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogicOp {
    And,
    Or,
}

impl CompareOp {
    /// The operator that a symbol is.
    pub(super) fn from_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "=" | "==" => Self::Eq,
            "<>" => Self::Ne,
            "<" => Self::Lt,
            "<=" => Self::Le,
            ">" => Self::Gt,
            ">=" => Self::Ge,
            _ => return None,
        })
    }
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        })
    }
}

impl Literal {
    /// Text between the quotes, or the digits.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(text) | Self::Text(text) | Self::Hex(text) => text.clone(),
        }
    }
}
