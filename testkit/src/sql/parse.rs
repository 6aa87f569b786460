//! From tokens to a [`Select`], refusing what a subscription cannot be.

use super::SqlError;
use super::ast::{CompareOp, Expr, Join, Literal, LogicOp, Projection, Relation, Select};
use super::token::{Token, TokenKind, tokens};

/// How many parentheses may be open at once.
///
/// # Source
///
/// The recursion limit of the server's general SQL parser, `sqlparser` 0.38.0.
const MAX_DEPTH: usize = 50;

/// How many terms one chain of AND or OR may have.
///
/// # Source
///
/// `spacetimedb-sql-parser` 2.14.0, `parser/recursion.rs`, `MAX_RECURSION_EXPR`.
const MAX_TERMS: usize = 1600;

/// Words that cannot be an alias, so that `FROM t WHERE` has none.
const NOT_AN_ALIAS: [&str; 28] = [
    "WITH",
    "SELECT",
    "WHERE",
    "GROUP",
    "SORT",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "ON",
    "JOIN",
    "INNER",
    "CROSS",
    "FULL",
    "LEFT",
    "RIGHT",
    "NATURAL",
    "USING",
    "CLUSTER",
    "DISTRIBUTE",
    "FOR",
    "FROM",
    "AND",
    "OR",
];

/// Parses the one statement in `sql`.
pub(super) fn parse(sql: &str) -> Result<Select, SqlError> {
    let mut parser = Parser { tokens: tokens(sql)?, at: 0, depth: 0 };
    while parser.take_symbol(";") {}
    if parser.peek().kind == TokenKind::End {
        return Err(SqlError::new("Empty SQL query"));
    }
    let select = parser.statement()?;
    if parser.peek().kind != TokenKind::End && !parser.take_symbol(";") {
        return Err(parser.expected("end of statement"));
    }
    while parser.take_symbol(";") {}
    match parser.peek().kind {
        TokenKind::End => Ok(select),
        _ => Err(SqlError::new("Multiple SQL statements are not supported")),
    }
}

struct Parser {
    /// Never empty: the last one is the end.
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    /// Moves past the next token; the end stays where it is.
    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_keyword(keyword);
        if found {
            self.next();
        }
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_symbol(symbol);
        if found {
            self.next();
        }
        found
    }

    fn expected(&self, what: &str) -> SqlError {
        SqlError::parse(format_args!("Expected {what}, found: {}", self.peek()))
    }

    fn statement(&mut self) -> Result<Select, SqlError> {
        if ["INSERT", "UPDATE", "DELETE", "SET", "SHOW"]
            .iter()
            .any(|word| self.peek().is_keyword(word))
        {
            return Err(SqlError::new("Unsupported: Non-SELECT queries"));
        }
        if !self.take_keyword("SELECT") {
            return Err(self.expected("an SQL statement"));
        }
        let projection = self.projection()?;
        if !self.take_keyword("FROM") {
            return match self.peek().kind {
                TokenKind::End => Err(SqlError::new("A FROM clause is required")),
                _ => Err(self.expected("end of statement")),
            };
        }
        let from = self.relation()?;
        let joins = self.joins()?;
        if self.peek().is_symbol(",") {
            return Err(SqlError::new("Implicit joins are not supported"));
        }
        let filter = if self.take_keyword("WHERE") { Some(self.expr()?) } else { None };
        for clause in
            ["ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "UNION", "EXCEPT", "INTERSECT"]
        {
            if self.peek().is_keyword(clause) {
                return Err(SqlError::new(format_args!("Unsupported: {clause}")));
            }
        }
        Ok(Select { projection, from, joins, filter })
    }

    /// `*`, `t.*`, or a list of columns, which is only recognised to be refused.
    fn projection(&mut self) -> Result<Projection, SqlError> {
        if self.take_symbol("*") {
            return Ok(Projection::Star(None));
        }
        if self.peek().is_keyword("DISTINCT") {
            return Err(SqlError::new("Unsupported SELECT: SELECT DISTINCT"));
        }
        loop {
            match self.peek().kind {
                TokenKind::Word { .. } if !self.peek().is_keyword("FROM") => {}
                _ => return Err(self.expected("an expression:")),
            }
            let mut name = self.name()?;
            while self.take_symbol(".") {
                if self.take_symbol("*") {
                    return Ok(Projection::Star(Some(name)));
                }
                name = format!("{name}.{}", self.name()?);
            }
            if self.take_symbol("(") {
                return Err(SqlError::new("Aggregate expressions must have column aliases"));
            }
            if self.take_keyword("AS") {
                self.name()?;
            }
            if !self.take_symbol(",") {
                return Ok(Projection::Columns);
            }
        }
    }

    fn relation(&mut self) -> Result<Relation, SqlError> {
        let mut name = self.name()?;
        while self.take_symbol(".") {
            name = format!("{name}.{}", self.name()?);
        }
        if self.take_symbol("(") && !self.take_symbol(")") {
            return Err(SqlError::new(format_args!(
                "`{name}` is a table, not a view; it does not take arguments"
            )));
        }
        let has_alias = self.take_keyword("AS")
            || match &self.peek().kind {
                TokenKind::Word { quoted: true, .. } => true,
                TokenKind::Word { text, .. } => {
                    !NOT_AN_ALIAS.iter().any(|word| word.eq_ignore_ascii_case(text))
                }
                _ => false,
            };
        let alias = if has_alias { self.name()? } else { name.clone() };
        Ok(Relation { name, alias })
    }

    fn joins(&mut self) -> Result<Vec<Join>, SqlError> {
        let mut joins = Vec::new();
        loop {
            if ["LEFT", "RIGHT", "FULL", "NATURAL"].iter().any(|word| self.peek().is_keyword(word))
            {
                return Err(SqlError::new("Non-inner joins are not supported"));
            }
            let inner = self.take_keyword("INNER") || self.take_keyword("CROSS");
            if !self.take_keyword("JOIN") {
                return if inner { Err(self.expected("JOIN")) } else { Ok(joins) };
            }
            let relation = self.relation()?;
            let on = if self.take_keyword("ON") { Some(self.join_columns()?) } else { None };
            joins.push(Join { relation, on });
        }
    }

    /// `t.a = u.b`, in parentheses or not.
    fn join_columns(&mut self) -> Result<(Expr, Expr), SqlError> {
        match self.expr()? {
            Expr::Compare(left, CompareOp::Eq, right)
                if matches!((&*left, &*right), (Expr::Column { .. }, Expr::Column { .. })) =>
            {
                Ok((*left, *right))
            }
            _ => Err(SqlError::new("Non-inner joins are not supported")),
        }
    }

    fn name(&mut self) -> Result<String, SqlError> {
        match &self.peek().kind {
            TokenKind::Word { text, .. } => {
                let text = text.clone();
                self.next();
                Ok(text)
            }
            _ => Err(self.expected("identifier")),
        }
    }

    fn expr(&mut self) -> Result<Expr, SqlError> {
        self.chain(LogicOp::Or, |parser| parser.chain(LogicOp::And, Self::comparison))
    }

    /// Terms joined by `op`; a single one is itself.
    fn chain(
        &mut self,
        op: LogicOp,
        term: impl Fn(&mut Self) -> Result<Expr, SqlError>,
    ) -> Result<Expr, SqlError> {
        let mut terms = vec![term(self)?];
        while self.take_keyword(&op.to_string()) {
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
        let left = self.operand()?;
        if let TokenKind::Symbol(symbol) = self.peek().kind {
            let Some(op) = CompareOp::from_symbol(symbol) else { return Ok(left) };
            self.next();
            return Ok(Expr::Compare(Box::new(left), op, Box::new(self.operand()?)));
        }
        let other = ["LIKE", "ILIKE", "IN", "BETWEEN", "IS", "NOT"];
        match other.into_iter().find(|word| self.peek().is_keyword(word)) {
            Some(word) => Err(SqlError::new(format_args!("Unsupported expression: {left} {word}"))),
            None => Ok(left),
        }
    }

    fn operand(&mut self) -> Result<Expr, SqlError> {
        let operand = self.single_operand()?;
        match self.peek().kind {
            TokenKind::Symbol(symbol @ ("+" | "-" | "*" | "/" | "%")) => {
                Err(SqlError::new(format_args!("Unsupported binary operator: {symbol}")))
            }
            _ => Ok(operand),
        }
    }

    fn single_operand(&mut self) -> Result<Expr, SqlError> {
        if self.take_keyword("NOT") {
            // The server parses it, and then has no such expression.
            let negated = self.nested(Self::comparison)?;
            return Err(SqlError::new(format_args!("Unsupported expression: NOT {negated}")));
        }
        if self.take_symbol("(") {
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
                let operand = self.nested(Self::operand)?;
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
            TokenKind::Placeholder(name) if name == "sender" => Expr::Sender,
            TokenKind::Placeholder(name) => {
                return Err(SqlError::new(format_args!("Unsupported literal expression: :{name}")));
            }
            _ => return Err(self.expected("an expression:")),
        };
        self.next();
        Ok(expr)
    }

    /// `column` or `table.column`.
    fn column(&mut self) -> Result<Expr, SqlError> {
        let mut name = self.name()?;
        let mut table: Option<String> = None;
        while self.take_symbol(".") {
            table = Some(table.map_or_else(|| name.clone(), |table| format!("{table}.{name}")));
            name = self.name()?;
        }
        if self.peek().is_symbol("(") {
            return Err(SqlError::new(format_args!("Unsupported expression: {name}(..)")));
        }
        Ok(Expr::Column { table, name })
    }

    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.depth >= MAX_DEPTH {
            return Err(SqlError::parse("recursion limit exceeded"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }
}
