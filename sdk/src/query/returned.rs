//! Tables that queries given as text return rows of. The server alone says whether it is a query at all.

/// Table whose rows a query returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Returned {
    /// One table.
    Table(Box<str>),
    /// `SELECT * FROM *`: all of them.
    Everything,
}

/// The table whose rows `sql` returns; none if it is no query that a subscription can be.
pub(crate) fn returned_table(sql: &str) -> Option<Returned> {
    let mut tokens = Tokens { rest: sql };
    tokens.keyword("SELECT")?;
    let alias = match tokens.next()? {
        Token::Symbol('*') => None,
        Token::Name { text, .. } => Some(tokens.qualified(text)?),
        Token::Symbol(_) => return None,
    };
    tokens.keyword("FROM")?;
    let Some(alias) = alias else {
        return Some(match tokens.next()? {
            Token::Symbol('*') => Returned::Everything,
            Token::Name { text, .. } => Returned::Table(tokens.dotted(text)?.into()),
            Token::Symbol(_) => return None,
        });
    };
    // Each table stands behind FROM or JOIN, and its other name, if it has one, behind it.
    loop {
        let Token::Name { text, .. } = tokens.next()? else { return None };
        let table = tokens.dotted(text)?;
        let other = tokens.alias();
        if alias == other.as_deref().unwrap_or(&table) {
            return Some(Returned::Table(table.into()));
        }
        while !tokens.next()?.is_keyword("JOIN") {}
    }
}

/// SQL text, cut as far as this needs it.
struct Tokens<'a> {
    rest: &'a str,
}

enum Token {
    Name { text: String, quoted: bool },
    Symbol(char),
}

impl Token {
    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Self::Name { text, quoted: false } if text.eq_ignore_ascii_case(keyword))
    }
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        if first == '"' || first == '\'' {
            let text = self.quoted(first)?;
            return Some(match first {
                '"' => Token::Name { text, quoted: true },
                _ => Token::Symbol(first),
            });
        }
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let len = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        if len == 0 {
            self.rest = &self.rest[first.len_utf8()..];
            return Some(Token::Symbol(first));
        }
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(Token::Name { text: text.to_owned(), quoted: false })
    }

    /// Reads the text between two quotes, where a doubled one is one of the text.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        self.rest = &self.rest[1..];
        loop {
            let (part, rest) = self.rest.split_once(quote)?;
            text.push_str(part);
            self.rest = rest;
            match rest.strip_prefix(quote) {
                Some(rest) => self.rest = rest,
                None => return Some(text),
            }
            text.push(quote);
        }
    }

    fn keyword(&mut self, keyword: &str) -> Option<()> {
        self.next().filter(|token| token.is_keyword(keyword)).map(drop)
    }

    fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The rest of a name with dots in it.
    fn dotted(&mut self, mut name: String) -> Option<String> {
        while self.symbol('.') {
            let Token::Name { text, .. } = self.next()? else { return None };
            name = format!("{name}.{text}");
        }
        Some(name)
    }

    /// The name in `name.*`.
    fn qualified(&mut self, mut name: String) -> Option<String> {
        while self.symbol('.') {
            match self.next()? {
                Token::Symbol('*') => return Some(name),
                Token::Name { text, .. } => name = format!("{name}.{text}"),
                Token::Symbol(_) => return None,
            }
        }
        None
    }

    /// The other name that a table is given, if it is.
    fn alias(&mut self) -> Option<String> {
        let before = self.rest;
        let mut token = self.next();
        if token.as_ref().is_some_and(|token| token.is_keyword("AS")) {
            token = self.next();
        }
        let behind_a_table = ["JOIN", "INNER", "CROSS", "ON", "WHERE"];
        match token {
            Some(token) if behind_a_table.iter().any(|word| token.is_keyword(word)) => (),
            Some(Token::Name { text, .. }) => return Some(text),
            Some(Token::Symbol(_)) | None => (),
        }
        self.rest = before;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_found_by_either_name() {
        let cases = [
            ("SELECT * FROM user", Some("user")),
            ("select * from user;", Some("user")),
            (" select\n*\nfrom\tuser where name = 'x from y'", Some("user")),
            (r#"SELECT * FROM "Us""er" WHERE "a" = 1"#, Some("Us\"er")),
            (r#"SELECT * FROM "v"(3, 'a')"#, Some("v")),
            ("SELECT user.* FROM user", Some("user")),
            (r#"SELECT "u".* FROM "user" AS "u""#, Some("user")),
            ("SELECT u.* FROM user u WHERE u.a = 1", Some("user")),
            ("SELECT a.* FROM a JOIN b ON a.x = b.y", Some("a")),
            ("SELECT b.* FROM a JOIN b ON a.x = b.y WHERE a.t = 'JOIN c'", Some("b")),
            ("SELECT y.* FROM a x JOIN b AS y ON x.x = y.y", Some("b")),
            ("SELECT y.* FROM a x INNER JOIN b y ON x.x = y.y", Some("b")),
            (r#"SELECT "t_2".* FROM "t" JOIN "t" AS "t_2" ON "t"."a" = "t_2"."b""#, Some("t")),
            ("SELECT lib.t.* FROM lib.t", Some("lib.t")),
            ("SELECT * FROM *", Some("*")),
            ("SELECT z.* FROM a JOIN b ON a.x = b.y", None),
            ("SELECT a, b FROM t", None),
            ("SELECT * FROM", None),
            ("SELECT * FROM \"user", None),
            ("DELETE FROM user", None),
            ("", None),
            ("'", None),
            ("SELECT é.* FROM é", Some("é")),
        ];
        for (sql, expected) in cases {
            let expected = expected.map(|name| match name {
                "*" => Returned::Everything,
                name => Returned::Table(name.into()),
            });
            assert_eq!(returned_table(sql), expected, "{sql}");
        }
    }
}
