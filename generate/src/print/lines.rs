//! Lines that are broken where they are too long.

/// How wide a line may be.
const MAX_WIDTH: usize = 100;
/// How wide what stands in an attribute's parentheses may be.
const MAX_ATTRIBUTE: usize = 70;

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
            self.line(0, format!("/// {doc}"));
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
    pub(crate) fn field(&mut self, indent: usize, name: &str, ty: &str) {
        let line = format!("{name}: {ty},");
        if indent + line.chars().count() <= MAX_WIDTH {
            self.line(indent, line);
        } else {
            self.line(indent, format!("{name}:"));
            self.line(indent + 4, format!("{ty},"));
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

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}
