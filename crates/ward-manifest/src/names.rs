//! The rules for names (variables lower_snake, component ids kebab-case), and the guess at what
//! someone meant when a name is unknown.

/// Why `name` is no variable name; `None` if it is one. Spin's rule: lower-case letters, digits
/// and single underscores, a letter first, no underscore last.
pub(crate) fn variable_name_flaw(name: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() {
        Some("a variable name must not be empty")
    } else if !name.chars().all(allowed) {
        Some("a variable name has only lower-case letters, digits and underscores")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some("a variable name starts with a letter")
    } else if name.ends_with('_') || name.contains("__") {
        Some("underscores in a variable name stand one at a time between words")
    } else {
        None
    }
}

/// Whether `name` also passes where the manifest declares it: each word starts with a letter.
pub(crate) fn declared_variable_flaw(name: &str) -> Option<&'static str> {
    variable_name_flaw(name).or_else(|| {
        let digit_first = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        let flawed = name.split('_').any(digit_first);
        flawed.then_some("each word of a variable name starts with a letter")
    })
}

/// Why `id` is no kebab-case id; `None` if it is one. Each word starts with a letter and is all
/// lower or all UPPER case.
pub(crate) fn kebab_flaw(id: &str) -> Option<&'static str> {
    words_flaw(id, '-')
}

/// Why `label` is no label of a store: kebab-case and snake_case both pass.
pub(crate) fn label_flaw(label: &str) -> Option<&'static str> {
    words_flaw(label, '-').and(words_flaw(label, '_'))
}

fn words_flaw(id: &str, separator: char) -> Option<&'static str> {
    if id.is_empty() {
        return Some("it must not be empty");
    }
    id.split(separator).find_map(|word| {
        let lower = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let upper = word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if word.is_empty() {
            Some("words stand between single dashes")
        } else if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            Some("each word starts with a letter")
        } else if !(lower || upper) {
            Some("words are letters and digits with dashes between, each in one case")
        } else {
            None
        }
    })
}

/// The candidate closest to `name`, if one is close enough to be what was meant: a third of the
/// longer word may differ, and at least one character.
pub(crate) fn closest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            let longer = name.chars().count().max(candidate.chars().count());
            *distance <= (longer / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Advice for an unknown name: the closest one, or else all that there are.
pub(crate) fn advice<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str> + Clone,
) -> Option<String> {
    if let Some(close) = closest(name, candidates.clone()) {
        return Some(format!("did you mean `{close}`?"));
    }
    let all: Vec<String> = candidates.into_iter().map(|c| format!("`{c}`")).collect();
    (!all.is_empty()).then(|| format!("there is {}", all.join(", ")))
}
