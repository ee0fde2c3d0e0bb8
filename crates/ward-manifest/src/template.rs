//! Templates: text with `{{ name }}` in it, each name an application variable. There is no escape,
//! as Spin has none: text that needs two open braces comes from a variable.

/// A template, parsed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// A `{{` without its `}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unmatched;

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Template, Unmatched> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, tail) = after.split_once("}}").ok_or(Unmatched)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Name(name.trim().to_owned()));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template { parts })
    }

    /// The variables it names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The variable, where the template is one and nothing else.
    pub(crate) fn only_name(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// Fills in each name by `value`; stops at the first name `value` has no answer for.
    pub(crate) fn expand<E>(
        &self,
        mut value: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut expanded = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => expanded.push_str(text),
                Part::Name(name) => expanded.push_str(&value(name)?),
            }
        }
        Ok(expanded)
    }
}
