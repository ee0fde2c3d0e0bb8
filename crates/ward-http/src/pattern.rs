//! One route pattern: how it is read from the manifest, what it matches, and which of two patterns
//! is tried first. The rules are those of Spin's router (routefinder 0.5), found by trying it; the
//! one difference is a segment that begins with a dot after a slash, which routefinder misreads.

use std::cmp::Ordering;

use http::HeaderName;

/// A piece of a pattern. Text never spans a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Matches itself.
    Text(Box<str>),
    /// Captures up to the next slash, or the next dot if a dot follows in the pattern.
    Param,
    /// Matches one slash.
    Slash,
    /// Matches one dot; only after a parameter, elsewhere dots belong to the text.
    Dot,
    /// Captures what is left, slashes too, or nothing. Always last.
    Rest,
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    params: Vec<HeaderName>,
}

impl Pattern {
    /// Reads a pattern as written in the manifest; the error is a sentence for its author.
    pub(crate) fn parse(route: &str) -> Result<Self, String> {
        let route = match route.strip_suffix("/...") {
            Some(prefix) => format!("{prefix}/*"),
            None => route.to_owned(),
        };
        let mut pattern = Self { pieces: Vec::new(), params: Vec::new() };
        for segment in route.split('/').filter(|segment| !segment.is_empty()) {
            if pattern.pieces.last() == Some(&Piece::Rest) {
                return Err("a wildcard can only be the last segment".to_owned());
            }
            if !pattern.pieces.is_empty() {
                pattern.pieces.push(Piece::Slash);
            }
            pattern.segment(segment)?;
        }
        Ok(pattern)
    }

    fn segment(&mut self, segment: &str) -> Result<(), String> {
        if segment == "*" {
            self.pieces.push(Piece::Rest);
            return Ok(());
        }
        if segment.starts_with('*') {
            return Err(format!("a wildcard has no name: write `*`, not `{segment}`"));
        }
        for (index, part) in segment.split('.').enumerate() {
            if index > 0 {
                self.dot();
            }
            match part.strip_prefix(':') {
                Some("") => return Err("a parameter needs a name after `:`".to_owned()),
                Some(name) => {
                    self.params.push(param_header(name)?);
                    self.pieces.push(Piece::Param);
                }
                None => self.text(part),
            }
        }
        Ok(())
    }

    fn dot(&mut self) {
        if self.pieces.last() == Some(&Piece::Param) {
            self.pieces.push(Piece::Dot);
        } else {
            self.text(".");
        }
    }

    fn text(&mut self, more: &str) {
        match self.pieces.last_mut() {
            _ if more.is_empty() => {}
            Some(Piece::Text(text)) => *text = format!("{text}{more}").into(),
            _ => self.pieces.push(Piece::Text(more.into())),
        }
    }

    /// The header each parameter's value travels in, in the order of the captures.
    pub(crate) fn params(&self) -> &[HeaderName] {
        &self.params
    }

    /// Whether the pattern ends with a wildcard.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.pieces.last() == Some(&Piece::Rest)
    }

    /// Matches a path without its outer slashes. On a match `captures` has the parameters' values
    /// and the answer is what the wildcard took, empty without one.
    pub(crate) fn matches<'p>(
        &self,
        path: &'p str,
        captures: &mut Vec<&'p str>,
    ) -> Option<&'p str> {
        captures.clear();
        let mut left = path;
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            left = match piece {
                Piece::Text(text) => left.strip_prefix(&**text)?,
                Piece::Dot => left.strip_prefix('.')?,
                Piece::Rest => return Some(left),
                Piece::Slash => match left.strip_prefix('/') {
                    Some(after) => after,
                    None if left.is_empty() && pieces.peek() == Some(&&Piece::Rest) => left,
                    None => return None,
                },
                Piece::Param if left.is_empty() => return None,
                Piece::Param => {
                    let dotted = pieces.peek() == Some(&&Piece::Dot);
                    let end = left.find(|c| c == '/' || (dotted && c == '.'));
                    let (value, after) = left.split_at(end.unwrap_or(left.len()));
                    captures.push(value);
                    after
                }
            };
        }
        left.is_empty().then_some("")
    }

    /// `Less` if this pattern is to be tried before `other`: at the first piece that differs, text
    /// before a parameter before a wildcard; then more dots; then fewer pieces.
    pub(crate) fn precedence(&self, other: &Self) -> Ordering {
        let mine = self.pieces.iter().map(rank);
        let theirs = other.pieces.iter().map(rank);
        let first_difference = mine.zip(theirs).map(|(m, t)| t.cmp(&m)).find(|o| o.is_ne());
        first_difference
            .unwrap_or(Ordering::Equal)
            .then_with(|| other.dots().cmp(&self.dots()))
            .then_with(|| self.pieces.len().cmp(&other.pieces.len()))
    }

    fn dots(&self) -> usize {
        self.pieces.iter().filter(|piece| **piece == Piece::Dot).count()
    }
}

fn rank(piece: &Piece) -> u8 {
    match piece {
        Piece::Text(_) | Piece::Dot => 3,
        Piece::Param => 2,
        Piece::Rest => 1,
        Piece::Slash => 0,
    }
}

/// Spin's header for a parameter: lower case, underscores as hyphens.
fn param_header(name: &str) -> Result<HeaderName, String> {
    let header = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-"));
    HeaderName::try_from(header)
        .map_err(|_| format!("`:{name}` cannot be a header name; use letters, digits and `-`"))
}
