//! From tokens to a [`Select`], refusing what a subscription cannot be.

use super::SqlError;
use super::ast::{CompareOp, Expr, Join, Projection, Relation, Select};
use super::token::{Token, TokenKind, spell, tokens};

/// Maximal number of parentheses that are open at once.
///
/// # Source
///
/// The recursion limit of the server's general SQL parser, `sqlparser` 0.38.0.
pub(super) const MAX_DEPTH: usize = 50;

/// Other beginnings of statements, to be refused.
const OTHER_STATEMENTS: [&str; 15] = [
    "INSERT", "UPDATE", "DELETE", "SET", "SHOW", "DROP", "CREATE", "ALTER", "TRUNCATE", "BEGIN",
    "COMMIT", "ROLLBACK", "GRANT", "REVOKE", "EXPLAIN",
];

/// Words that cannot be an alias, so that `FROM t WHERE` has none.
///
/// # Source
///
/// `sqlparser` 0.38.0, `RESERVED_FOR_TABLE_ALIAS`.
const NOT_AN_ALIAS: [&str; 36] = [
    "WITH",
    "EXPLAIN",
    "ANALYZE",
    "SELECT",
    "WHERE",
    "GROUP",
    "SORT",
    "HAVING",
    "ORDER",
    "PIVOT",
    "TOP",
    "LATERAL",
    "VIEW",
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
    "OUTER",
    "SET",
    "QUALIFY",
    "WINDOW",
    "END",
    "PARTITION",
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

pub(super) struct Parser {
    /// Never empty: the last one is the end.
    tokens: Vec<Token>,
    pub(super) at: usize,
    depth: usize,
}

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    /// Moves past the next token; the end stays where it is.
    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_keyword(keyword);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_symbol(symbol);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn expected(&self, what: &str) -> SqlError {
        SqlError::parse(format_args!("Expected {what}, found: {}", self.peek()))
    }

    /// Source text from the token at `start` to here.
    pub(super) fn spelled(&self, start: usize) -> String {
        spell(&self.tokens[start..self.at])
    }

    pub(super) fn unsupported(&self, start: usize) -> SqlError {
        SqlError::new(format_args!("Unsupported expression: {}", self.spelled(start)))
    }

    fn statement(&mut self) -> Result<Select, SqlError> {
        if OTHER_STATEMENTS.iter().any(|word| self.peek().is_keyword(word)) {
            return Err(SqlError::new("Unsupported: Non-SELECT queries"));
        }
        let start = self.at;
        if self.peek().is_keyword("WITH") {
            return Err(self.whole("Unsupported", start));
        }
        if self.peek().is_symbol("(") || self.peek().is_keyword("VALUES") {
            return Err(self.whole("Unsupported set operation", start));
        }
        if !self.take_keyword("SELECT") {
            return Err(self.expected("an SQL statement"));
        }
        let distinct = self.take_keyword("DISTINCT");
        let projection = self.projection()?;
        if !self.take_keyword("FROM") {
            return match self.peek().kind {
                TokenKind::End => Err(SqlError::new("A FROM clause is required")),
                _ if self.peek().is_symbol(";") => Err(SqlError::new("A FROM clause is required")),
                _ => Err(self.expected("end of statement")),
            };
        }
        let from = self.relation()?;
        let joins = self.joins()?;
        if self.peek().is_symbol(",") {
            return Err(SqlError::new("Implicit joins are not supported"));
        }
        let filter = if self.take_keyword("WHERE") { Some(self.expr()?) } else { None };
        self.no_more_clauses(start, distinct)?;
        Ok(Select { projection, from, joins, filter })
    }

    /// Refuses what a subscription cannot have behind its WHERE.
    fn no_more_clauses(&mut self, start: usize, distinct: bool) -> Result<(), SqlError> {
        let mut what = distinct.then_some("Unsupported SELECT");
        for (clause, refusal) in [
            ("GROUP", "Unsupported SELECT"),
            ("HAVING", "Unsupported SELECT"),
            ("UNION", "Unsupported set operation"),
            ("EXCEPT", "Unsupported set operation"),
            ("INTERSECT", "Unsupported set operation"),
            ("ORDER", "Unsupported"),
            ("LIMIT", "Unsupported"),
            ("OFFSET", "Unsupported"),
        ] {
            if self.peek().is_keyword(clause) {
                what = what.or(Some(refusal));
            }
        }
        what.map_or(Ok(()), |what| Err(self.whole(what, start)))
    }

    /// Refuses the statement that began at `start`.
    fn whole(&mut self, what: &str, start: usize) -> SqlError {
        while self.peek().kind != TokenKind::End && !self.peek().is_symbol(";") {
            self.next();
        }
        SqlError::new(format_args!("{what}: {}", self.spelled(start)))
    }

    /// `*`, `t.*`, or something that is only read to be refused: after the rest of the statement was.
    fn projection(&mut self) -> Result<Projection, SqlError> {
        self.take_keyword("ALL");
        let mut projection = self.projected()?;
        while self.take_symbol(",") {
            let next = self.projected()?;
            projection = match (projection, next) {
                (Projection::Refused(first), Projection::Refused(_)) => Projection::Refused(first),
                _ => Projection::Refused(SqlError::new(
                    "Mixed wildcard projections are not supported",
                )),
            };
        }
        Ok(projection)
    }

    fn projected(&mut self) -> Result<Projection, SqlError> {
        if self.take_symbol("*") {
            return Ok(Projection::Star(None));
        }
        let start = self.at;
        let refusal = match self.peek().kind {
            TokenKind::Word { .. } if !self.peek().is_keyword("FROM") => {
                let mut name = self.name()?;
                while self.take_symbol(".") {
                    if self.take_symbol("*") {
                        return Ok(Projection::Star(Some(name)));
                    }
                    name = format!("{name}.{}", self.name()?);
                }
                self.projected_name(start)?
            }
            _ => {
                self.operand()?;
                format!("Unsupported projection expression: {}", self.spelled(start))
            }
        };
        if self.take_keyword("AS") {
            self.name()?;
        }
        Ok(Projection::Refused(SqlError::new(refusal)))
    }

    /// Refusal of a projection that began with a name.
    fn projected_name(&mut self, start: usize) -> Result<String, SqlError> {
        if self.peek().is_symbol("(") {
            self.skip_parentheses()?;
            if !self.peek().is_keyword("AS") {
                return Ok("Aggregate expressions must have column aliases".to_owned());
            }
        } else if matches!(self.peek().kind, TokenKind::Symbol(symbol) if symbol != "," && symbol != ";")
        {
            self.next();
            self.operand()?;
            return Ok(format!("Unsupported projection expression: {}", self.spelled(start)));
        }
        let refusal = "Column projections are not supported in subscriptions; Subscriptions must return a table type";
        Ok(refusal.to_owned())
    }

    /// Moves past an opening parenthesis and all up to the one that closes it.
    pub(super) fn skip_parentheses(&mut self) -> Result<(), SqlError> {
        let mut open = 0_usize;
        loop {
            match self.peek().kind {
                TokenKind::Symbol("(") => open += 1,
                TokenKind::Symbol(")") => open -= 1,
                TokenKind::End => return Err(self.expected(")")),
                _ => {}
            }
            self.next();
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn relation(&mut self) -> Result<Relation, SqlError> {
        if self.peek().is_symbol("(") {
            let start = self.at;
            self.skip_parentheses()?;
            let derived = self.spelled(start);
            return Err(SqlError::new(format_args!("Unsupported FROM expression: {derived}")));
        }
        let mut name = self.name()?;
        while self.take_symbol(".") {
            name = format!("{name}.{}", self.name()?);
        }
        if self.take_symbol("(") && !self.take_symbol(")") {
            return Err(SqlError::new(format_args!(
                "`{name}` is a table, not a view; it does not take arguments"
            )));
        }
        let has_as = self.take_keyword("AS");
        if has_as && !matches!(self.peek().kind, TokenKind::Word { .. } | TokenKind::Text(_)) {
            return Err(self.expected("an identifier after AS"));
        }
        let has_alias = has_as
            || match &self.peek().kind {
                TokenKind::Word { quoted: true, .. } | TokenKind::Text(_) => true,
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
            let outer = ["LEFT", "RIGHT", "FULL", "NATURAL"];
            if outer.iter().any(|word| self.peek().is_keyword(word)) {
                self.next();
                self.take_keyword("OUTER");
                return Err(if self.peek().is_keyword("JOIN") {
                    SqlError::new("Non-inner joins are not supported")
                } else {
                    self.expected("JOIN")
                });
            }
            let inner = self.take_keyword("INNER") || self.take_keyword("CROSS");
            if !self.take_keyword("JOIN") {
                return if inner { Err(self.expected("JOIN")) } else { Ok(joins) };
            }
            let relation = self.relation()?;
            if self.peek().is_keyword("USING") {
                return Err(SqlError::new("Non-inner joins are not supported"));
            }
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

    pub(super) fn name(&mut self) -> Result<String, SqlError> {
        match &self.peek().kind {
            // Any kind of quote makes a name.
            TokenKind::Word { text, .. } | TokenKind::Text(text) => {
                let text = text.clone();
                self.next();
                Ok(text)
            }
            _ => Err(self.expected("identifier")),
        }
    }

    pub(super) fn nested<T>(
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
