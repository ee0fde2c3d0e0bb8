//! What the policy says of a line of the table. All of it is evaluated by the compiler.

use policy::{Operation, Scope, Verb};

use super::matching::equal;

/// The scope that the rules have for an operation. Does not compile where they have none of this
/// name, or one with another method or path.
#[expect(clippy::panic, reason = "evaluated by the compiler only: a const table")]
pub const fn scope(rules: &[Operation], name: &str, verb: Verb, pattern: &str) -> Scope {
    let mut left = rules;
    while let [rule, rest @ ..] = left {
        if equal(rule.name.as_bytes(), name.as_bytes()) {
            if rule.verb as u8 != verb as u8 {
                panic!("the policy has the operation with another method");
            }
            if !equal(rule.pattern.as_bytes(), pattern.as_bytes()) {
                panic!("the policy has the operation at another path");
            }
            return rule.scope;
        }
        left = rest;
    }
    panic!("the policy has no operation of this name")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Operation] =
        &[Operation { name: "a.b", verb: Verb::Get, pattern: "/a", scope: Scope::Needs("a.read") }];

    #[test]
    fn a_scope_is_found_by_name() {
        assert_eq!(scope(RULES, "a.b", Verb::Get, "/a"), Scope::Needs("a.read"));
    }

    #[test]
    #[should_panic(expected = "no operation of this name")]
    fn an_operation_that_the_policy_does_not_know() {
        scope(RULES, "a.c", Verb::Get, "/a");
    }

    #[test]
    #[should_panic(expected = "another method")]
    fn an_operation_with_another_method() {
        scope(RULES, "a.b", Verb::Watch, "/a");
    }

    #[test]
    #[should_panic(expected = "another path")]
    fn an_operation_at_another_path() {
        scope(RULES, "a.b", Verb::Get, "/b");
    }
}
