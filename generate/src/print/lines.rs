//! Lines that are broken where they are too long.

use crate::model::Ty;

/// Maximal width of a line.
const MAX_WIDTH: usize = 100;
/// Maximal width of an attribute's parentheses.
const MAX_ATTRIBUTE: usize = 70;

/// A line of documentation stays one, and reads as it is written, whatever names a schema has.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        // What neither is a letter or a sign nor has a width is shown by its number.
        let plain = letter == '\'' || letter == '"' || letter == '\\';
        match letter.escape_debug().len() {
            1 => shown.push(letter),
            _ if plain => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    shown
}

/// Lines of source.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// A line, as it is.
    pub(crate) fn line(&mut self, indent: usize, text: impl AsRef<str>) {
        let text = text.as_ref();
        if !text.is_empty() {
            self.0.push_str(&" ".repeat(indent));
            self.0.push_str(text);
        }
        self.0.push('\n');
    }

    /// Documentation, a line of it each.
    pub(crate) fn docs(&mut self, docs: &[String]) {
        for (at, doc) in docs.iter().enumerate() {
            if at == 1 {
                self.line(0, "///");
            }
            self.line(0, format!("/// {}", printable(doc)));
        }
    }

    /// `#[name(arguments)]`.
    ///
    /// An attribute of words and literals alone is one that `rustfmt` reads, and breaks where it is long; any other it
    /// leaves as it is.
    pub(crate) fn attribute(&mut self, indent: usize, name: &str, arguments: &[String]) {
        let joined = arguments.join(", ");
        if arguments.is_empty() {
            self.line(indent, format!("#[{name}]"));
        } else if joined.len() <= MAX_ATTRIBUTE {
            self.line(indent, format!("#[{name}({joined})]"));
        } else {
            self.line(indent, format!("#[{name}("));
            let last = arguments.len() - 1;
            for (at, argument) in arguments.iter().enumerate() {
                self.line(indent + 4, format!("{argument}{}", if at == last { "" } else { "," }));
            }
            self.line(indent, ")]");
        }
    }

    /// `name: Type,`
    pub(crate) fn field(&mut self, indent: usize, name: &str, ty: &Ty) {
        let line = format!("{name}: {ty},");
        let alone = format!("{ty},");
        match ty {
            _ if indent + line.chars().count() <= MAX_WIDTH => self.line(indent, line),
            Ty::Result(ok, err) if indent + 4 + alone.chars().count() > MAX_WIDTH => {
                self.line(indent, format!("{name}: Result<"));
                self.line(indent + 4, format!("{ok},"));
                self.line(indent + 4, format!("{err},"));
                self.line(indent, ">,");
            }
            _ => {
                self.line(indent, format!("{name}:"));
                self.line(indent + 4, alone);
            }
        }
    }

    /// `before(a, b)after`, with a line for each element where one is not enough for all.
    pub(crate) fn list(&mut self, indent: usize, before: &str, elements: &[String], after: &str) {
        let line = format!("{before}({}){after}", elements.join(", "));
        if elements.is_empty() || indent + line.chars().count() <= MAX_WIDTH {
            self.line(indent, line);
            return;
        }
        self.line(indent, format!("{before}("));
        for element in elements {
            self.line(indent + 4, format!("{element},"));
        }
        self.line(indent, format!("){after}"));
    }

    /// `function(argument);`
    pub(crate) fn call(&mut self, indent: usize, function: &str, argument: &str) {
        let line = format!("{function}({argument});");
        let fits = |indent: usize, line: &str| indent + line.chars().count() <= MAX_WIDTH;
        // What fits nowhere stays where it is.
        if fits(indent, &line) || !fits(indent + 4, argument) {
            return self.line(indent, line);
        }
        self.line(indent, format!("{function}("));
        self.line(indent + 4, argument);
        self.line(indent, ");");
    }

    /// `use from::{A, B};`, with as many names a line as there is room for.
    pub(crate) fn import(&mut self, from: &str, names: &[&str]) {
        let line = match names {
            [one] => format!("use {from}::{one};"),
            several => format!("use {from}::{{{}}};", several.join(", ")),
        };
        if line.chars().count() <= MAX_WIDTH {
            return self.line(0, line);
        }
        self.line(0, format!("use {from}::{{"));
        let mut line = String::new();
        for name in names {
            // Room for the name, a space before it and a comma behind it, and one place is left.
            if !line.is_empty() && 4 + line.chars().count() + name.chars().count() + 2 >= MAX_WIDTH
            {
                self.line(4, std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(name);
            line.push(',');
        }
        self.line(4, line);
        self.line(0, "};");
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}
