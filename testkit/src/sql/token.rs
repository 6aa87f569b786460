//! From text to tokens, each with its place, as the server's SQL parser cuts them.

use core::fmt;

use super::SqlError;

/// One token and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    place: Place,
}

/// Place of a token; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    line: usize,
    column: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword; only an unquoted one can be a keyword.
    Word {
        text: String,
        quoted: bool,
    },
    /// The digits as they were written.
    Number(String),
    /// The contents of `'..'`, with `''` undone.
    Text(String),
    /// The digits after `0x`, or inside `x'..'`.
    Hex(String),
    /// `$1` or `?`.
    Placeholder(String),
    /// Anything else.
    Symbol(&'static str),
    /// A character that begins no token.
    Unknown(char),
    End,
}

impl Token {
    /// Returns `true` if this is the keyword `keyword`, which is written in capitals.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(&self.kind, TokenKind::Word { text, quoted: false } if text.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind, TokenKind::Symbol(s) if s == symbol)
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word { text, quoted: false } | Self::Number(text) | Self::Placeholder(text) => {
                f.write_str(text)
            }
            Self::Word { text, quoted: true } => write!(f, "\"{text}\""),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Hex(digits) => write!(f, "X'{digits}'"),
            Self::Symbol(symbol) => f.write_str(symbol),
            Self::Unknown(c) => write!(f, "{c}"),
            Self::End => f.write_str("EOF"),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TokenKind::End => f.write_str("EOF"),
            _ => write!(f, "{}{}", self.kind, self.place),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " at Line: {}, Column {}", self.line, self.column)
    }
}

/// Words before a parenthesis that are no function's name.
const BEFORE_PARENTHESES: [&str; 12] =
    ["EXISTS", "VALUES", "AS", "IN", "AND", "OR", "NOT", "WHERE", "FROM", "ON", "BETWEEN", "LIKE"];

/// Writes tokens as the server's SQL parser writes what it parsed: one space between two, where there is one.
pub(super) fn spell(tokens: &[Token]) -> String {
    let mut text = String::new();
    let (mut glued, mut is_function) = (true, false);
    for Token { kind, .. } in tokens {
        let closes = matches!(kind, TokenKind::Symbol(")" | "," | "."));
        let calls = is_function && matches!(kind, TokenKind::Symbol("("));
        if !(glued || closes || calls) {
            text.push(' ');
        }
        text.push_str(&kind.to_string());
        glued = matches!(kind, TokenKind::Symbol("(" | "."));
        is_function = matches!(kind, TokenKind::Word { text, .. }
            if !BEFORE_PARENTHESES.iter().any(|word| word.eq_ignore_ascii_case(text)));
    }
    text
}

/// The tokens of `sql`, the last of which is [`TokenKind::End`].
pub(super) fn tokens(sql: &str) -> Result<Vec<Token>, SqlError> {
    let mut lexer = Lexer { rest: sql.chars(), place: Place { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank()?;
        let place = lexer.place;
        let kind = lexer.token()?;
        let is_end = kind == TokenKind::End;
        tokens.push(Token { kind, place });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: core::str::Chars<'a>,
    place: Place,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.rest.clone().nth(1)
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, mut belongs: impl FnMut(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| belongs(*c)) {
            text.push(c);
            self.next();
        }
        text
    }

    /// Skips white space, `-- comments` and `/* comments */`.
    fn skip_blank(&mut self) -> Result<(), SqlError> {
        loop {
            self.take_while(char::is_whitespace);
            match (self.peek(), self.peek_second()) {
                (Some('-'), Some('-')) => {
                    self.take_while(|c| c != '\n');
                }
                (Some('/'), Some('*')) => {
                    let Some(len) = self.rest.as_str().find("*/") else {
                        while self.next().is_some() {}
                        let end = self.place;
                        return Err(SqlError::parse(format_args!(
                            "Unexpected EOF while in a multi-line comment{end}"
                        )));
                    };
                    let end = self.rest.as_str().len() - len - 2;
                    while self.rest.as_str().len() > end {
                        self.next();
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, SqlError> {
        let Some(c) = self.peek() else { return Ok(TokenKind::End) };
        match c {
            'x' | 'X' if self.peek_second() == Some('\'') => {
                self.next();
                self.quoted('\'', "Unterminated string literal").map(TokenKind::Hex)
            }
            '\'' => self.quoted('\'', "Unterminated string literal").map(TokenKind::Text),
            '"' => {
                let text = self.quoted('"', "Expected close delimiter '\"' before EOF.")?;
                Ok(TokenKind::Word { text, quoted: true })
            }
            '0'..='9' => Ok(self.number()),
            '.' if self.peek_second().is_some_and(|c| c.is_ascii_digit()) => Ok(self.number()),
            '$' | '?' => {
                self.next();
                let name = self.take_while(|c| c.is_alphanumeric() || c == '_');
                Ok(TokenKind::Placeholder(format!("{c}{name}")))
            }
            c if c.is_alphabetic() || c == '_' => {
                let belongs =
                    |c: char| c.is_alphabetic() || c.is_ascii_digit() || c == '$' || c == '_';
                Ok(TokenKind::Word { text: self.take_while(belongs), quoted: false })
            }
            _ => Ok(self.symbol(c)),
        }
    }

    /// Reads to the closing `quote`; two of them stand for one.
    fn quoted(&mut self, quote: char, unterminated: &'static str) -> Result<String, SqlError> {
        let start = self.place;
        self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            if c != quote {
                text.push(c);
            } else if self.peek() == Some(quote) {
                text.push(quote);
                self.next();
            } else {
                return Ok(text);
            }
        }
        Err(SqlError::parse(format_args!("{unterminated}{start}")))
    }

    /// `12`, `1.5`, `.5`, `1e-3` or `0xff`.
    fn number(&mut self) -> TokenKind {
        let mut text = self.take_while(|c| c.is_ascii_digit());
        if text == "0" && self.peek() == Some('x') {
            self.next();
            return TokenKind::Hex(self.take_while(|c| c.is_ascii_hexdigit()));
        }
        if self.peek() == Some('.') {
            self.next();
            text.push('.');
            text.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            let mut ahead = self.rest.clone();
            ahead.next();
            let sign = ahead.next().filter(|c| matches!(c, '+' | '-'));
            let first = if sign.is_some() { ahead.next() } else { self.peek_second() };
            if first.is_some_and(|c| c.is_ascii_digit()) {
                text.push('e');
                self.next();
                text.extend(sign.and_then(|_| self.next()));
                text.push_str(&self.take_while(|c| c.is_ascii_digit()));
            }
        }
        TokenKind::Number(text)
    }

    fn symbol(&mut self, first: char) -> TokenKind {
        const SYMBOLS: [&str; 24] = [
            "<>", "<=", ">=", "!=", "==", "||", "::", "=", "<", ">", "(", ")", "*", ",", ".", ";",
            "+", "-", "/", "%", "&", "|", "^", ":",
        ];
        let text = self.rest.as_str();
        let Some(symbol) = SYMBOLS.into_iter().find(|symbol| text.starts_with(symbol)) else {
            self.next();
            return TokenKind::Unknown(first);
        };
        for _ in symbol.chars() {
            self.next();
        }
        // The server's parser prints both spellings of "not equal" as one.
        TokenKind::Symbol(if symbol == "!=" { "<>" } else { symbol })
    }
}
