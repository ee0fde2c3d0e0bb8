//! Fields, cases and flags: what goes by its place, so that only the end may grow.

use wit_parser::{Resolve, Span, TypeDefKind};

use super::text;

/// The items of a type: what they are called, and each with its type in words.
pub(super) struct Items {
    word: &'static str,
    list: Vec<Item>,
}

struct Item {
    name: String,
    ty: String,
    span: Span,
}

/// Something about one item that would break someone.
pub(super) struct Change {
    pub(super) name: String,
    /// Where it is now, if it is.
    pub(super) span: Option<Span>,
    pub(super) what: String,
    pub(super) remedy: String,
}

/// The items of a type; none for types without.
pub(super) fn of(resolve: &Resolve, kind: &TypeDefKind) -> Items {
    let item = |name: &String, ty: String, span: Span| Item { name: name.clone(), ty, span };
    match kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let list = fields.map(|f| item(&f.name, text::ty(resolve, &f.ty), f.span)).collect();
            Items { word: "field", list }
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            let cases =
                cases.map(|c| item(&c.name, text::optional(resolve, c.ty.as_ref()), c.span));
            Items { word: "case", list: cases.collect() }
        }
        TypeDefKind::Enum(cases) => {
            let cases = cases.cases.iter();
            let list = cases.map(|case| item(&case.name, String::new(), case.span)).collect();
            Items { word: "case", list }
        }
        TypeDefKind::Flags(flags) => {
            let flags = flags.flags.iter();
            let list = flags.map(|flag| item(&flag.name, String::new(), flag.span)).collect();
            Items { word: "flag", list }
        }
        _ => Items { word: "item", list: Vec::new() },
    }
}

/// What changed from `old` to `new` beside additions at the end.
pub(super) fn compare(old: &Items, new: &Items) -> Vec<Change> {
    let word = old.word;
    let place = |items: &Items, name: &str| items.list.iter().position(|item| item.name == name);
    let mut changes = Vec::new();
    let mut add = |name: &str, span: Option<Span>, what: String, remedy: String| {
        changes.push(Change { name: name.to_owned(), span, what, remedy });
    };
    // In their old order; those that are still there, by their new places.
    let mut kept: Vec<usize> = Vec::new();
    for (was, item) in old.list.iter().enumerate() {
        let now = place(new, &item.name).and_then(|now| Some((now, new.list.get(now)?)));
        let Some((now, current)) = now else {
            let remedy = format!("keep it as {word} {}: the numbers follow the order", was + 1);
            add(&item.name, None, format!("the {word} was removed"), remedy);
            continue;
        };
        if current.ty != item.ty {
            let what = format!("its type was {} and is {}", item.ty, current.ty);
            let remedy = format!("keep its type and add a {word} at the end");
            add(&item.name, Some(current.span), what, remedy);
        }
        if kept.last().is_some_and(|last| *last > now) {
            let what = format!("the {word} was number {} and is number {}", was + 1, now + 1);
            let remedy = format!("put it back as {word} {}", was + 1);
            add(&item.name, Some(current.span), what, remedy);
        } else {
            kept.push(now);
        }
    }
    let end = kept.last().copied().unwrap_or_default();
    for item in new.list.iter().take(end) {
        if place(old, &item.name).is_none() {
            let what = format!("the {word} was inserted before others");
            add(&item.name, Some(item.span), what, format!("put new {word}s at the end"));
        }
    }
    changes
}
