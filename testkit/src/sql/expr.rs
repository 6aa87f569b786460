//! Conditions, and the expressions in them.

use super::SqlError;
use super::ast::{CompareOp, Expr, Literal, LogicOp};
use super::parse::{MAX_DEPTH, Parser};
use super::token::TokenKind;

/// Maximal number of terms in one chain of AND or OR.
///
/// # Source
///
/// `spacetimedb-sql-parser` 2.14.0, `parser/recursion.rs`, `MAX_RECURSION_EXPR`.
const MAX_TERMS: usize = 1600;

impl Parser {
    pub(super) fn expr(&mut self) -> Result<Expr, SqlError> {
        self.chain(LogicOp::Or, |parser| parser.chain(LogicOp::And, Self::comparison))
    }

    /// Terms joined by `op`; a single one is itself.
    fn chain(
        &mut self,
        op: LogicOp,
        term: impl Fn(&mut Self) -> Result<Expr, SqlError>,
    ) -> Result<Expr, SqlError> {
        let keyword = match op {
            LogicOp::And => "AND",
            LogicOp::Or => "OR",
        };
        let mut terms = vec![term(self)?];
        while self.take_keyword(keyword) {
            if terms.len() > MAX_TERMS {
                return Err(SqlError::new("Recursion limit exceeded, `sql-parser::parse_expr`"));
            }
            terms.push(term(self)?);
        }
        match terms.pop() {
            Some(only) if terms.is_empty() => Ok(only),
            last => {
                terms.extend(last);
                Ok(Expr::Logic(op, terms))
            }
        }
    }

    fn comparison(&mut self) -> Result<Expr, SqlError> {
        let start = self.at;
        let mut left = self.operand()?;
        let mut comparisons = 0;
        while let TokenKind::Symbol(symbol) = self.peek().kind {
            let Some(op) = CompareOp::from_symbol(symbol) else { return Ok(left) };
            comparisons += 1;
            if comparisons > MAX_DEPTH {
                return Err(SqlError::parse("recursion limit exceeded"));
            }
            self.next();
            left = Expr::Compare(Box::new(left), op, Box::new(self.operand()?));
        }
        if self.other_predicate()? { Err(self.unsupported(start)) } else { Ok(left) }
    }

    /// Moves past `IS NULL`, `IN (..)`, `BETWEEN a AND b` or `LIKE x`; whether there was one. The server parses them, and
    /// then has no such expressions.
    fn other_predicate(&mut self) -> Result<bool, SqlError> {
        let negated = self.take_keyword("NOT");
        if self.take_keyword("IS") {
            self.take_keyword("NOT");
            self.name()?;
        } else if self.take_keyword("IN") {
            self.skip_parentheses()?;
        } else if self.take_keyword("BETWEEN") {
            self.operand()?;
            if !self.take_keyword("AND") {
                return Err(self.expected("AND"));
            }
            self.operand()?;
        } else if self.take_keyword("LIKE") || self.take_keyword("ILIKE") {
            self.operand()?;
        } else if negated {
            return Err(self.expected("IN or BETWEEN after NOT"));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) fn operand(&mut self) -> Result<Expr, SqlError> {
        let operand = self.single_operand()?;
        match self.peek().kind {
            TokenKind::Symbol(symbol @ ("+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "||")) => {
                Err(SqlError::new(format_args!("Unsupported binary operator: {symbol}")))
            }
            _ => Ok(operand),
        }
    }

    fn single_operand(&mut self) -> Result<Expr, SqlError> {
        let start = self.at;
        if self.take_keyword("NOT") {
            // Like the predicates above.
            self.nested(Self::comparison)?;
            return Err(self.unsupported(start));
        }
        if self.take_symbol("(") {
            if self.peek().is_keyword("SELECT") {
                self.at = start;
                self.skip_parentheses()?;
                return Err(self.unsupported(start));
            }
            let inner = self.nested(Self::expr)?;
            return if self.take_symbol(")") { Ok(inner) } else { Err(self.expected(")")) };
        }
        let sign = ["+", "-"].into_iter().find(|sign| self.take_symbol(sign));
        match (sign, self.peek().kind.clone()) {
            (sign, TokenKind::Number(digits)) => {
                self.next();
                Ok(Expr::Literal(Literal::Number(format!("{}{digits}", sign.unwrap_or_default()))))
            }
            (Some(sign), _) => {
                let operand = self.at;
                self.nested(Self::single_operand)?;
                let operand = self.spelled(operand);
                Err(SqlError::new(format_args!("Unsupported expression: {sign}{operand}")))
            }
            (None, kind) => self.primary(kind),
        }
    }

    fn primary(&mut self, kind: TokenKind) -> Result<Expr, SqlError> {
        let expr = match kind {
            TokenKind::Text(text) => Expr::Literal(Literal::Text(text)),
            TokenKind::Hex(digits) => Expr::Literal(Literal::Hex(digits)),
            TokenKind::Word { text, quoted: false } if text.eq_ignore_ascii_case("TRUE") => {
                Expr::Literal(Literal::Bool(true))
            }
            TokenKind::Word { text, quoted: false } if text.eq_ignore_ascii_case("FALSE") => {
                Expr::Literal(Literal::Bool(false))
            }
            TokenKind::Word { text, quoted: false } if text.eq_ignore_ascii_case("NULL") => {
                return Err(SqlError::new("Unsupported literal expression: NULL"));
            }
            TokenKind::Word { .. } => return self.column(),
            TokenKind::Symbol(":") => return self.parameter(),
            TokenKind::Placeholder(name) => {
                return Err(SqlError::new(format_args!("Unsupported literal expression: {name}")));
            }
            _ => return Err(self.expected("an expression:")),
        };
        self.next();
        Ok(expr)
    }

    /// `:sender`; there are no other parameters.
    fn parameter(&mut self) -> Result<Expr, SqlError> {
        self.next();
        let name = match &self.peek().kind {
            TokenKind::Number(number) => number.clone(),
            _ => {
                return self.name().and_then(|name| match name.as_str() {
                    "sender" => Ok(Expr::Sender),
                    _ => {
                        Err(SqlError::new(format_args!("Unsupported literal expression: :{name}")))
                    }
                });
            }
        };
        Err(SqlError::new(format_args!("Unsupported literal expression: :{name}")))
    }

    /// `column` or `table.column`.
    fn column(&mut self) -> Result<Expr, SqlError> {
        let start = self.at;
        let mut name = self.name()?;
        let mut table: Option<String> = None;
        while self.take_symbol(".") {
            table = Some(table.map_or_else(|| name.clone(), |table| format!("{table}.{name}")));
            name = self.name()?;
        }
        if self.peek().is_symbol("(") {
            self.skip_parentheses()?;
            return Err(self.unsupported(start));
        }
        Ok(Expr::Column { table, name })
    }
}
