//! Whether the caller may: what is asked for is looked up in the policy, and the token has to have
//! the scope that it needs, and its role as well: a token is believed no more than the table. What
//! is not in the policy is refused here, whatever the component behind would make of it.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, Method};
use kit::problem::FORBIDDEN;
use kit::route::{Asked, ask};
use kit::{Problem, Reply, log};
use policy::{Operation, Scope, http::operations};
use spin_sdk::wasip3::http::types::{ErrorCode, Request};
use token::Identity;

/// What a request asks for, if it is in the policy.
pub(crate) struct Wish(Asked<&'static Operation>);

/// What a caller may.
pub(crate) enum Leave {
    /// Go on to the component.
    Pass,
    /// Have this answer, for which no component is needed.
    Answer(Reply),
    /// Be told that there is no such thing.
    Nothing(Problem),
    /// Be told that they may not do this.
    Forbid(Problem),
}

impl Wish {
    pub(crate) fn of(request: &Request) -> Result<Self, ErrorCode> {
        let method = Method::try_from(request.get_method());
        let method = method.map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
        let target = request.get_path_with_query().unwrap_or_default();
        Ok(Self::new(&method, &target))
    }

    fn new(method: &Method, target: &str) -> Self {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        Self(ask(operations(), method, path))
    }

    /// The name of what is asked for, if there is such a thing.
    pub(crate) fn operation(&self) -> Option<&'static str> {
        match self.0 {
            Asked::Operation(operation) => Some(operation.name),
            Asked::Options(_) | Asked::Nothing(_) => None,
        }
    }

    /// Whether nobody has to be known for it.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.0, Asked::Operation(Operation { scope: Scope::Public, .. }))
    }

    /// Decides for a caller who is known. What there is not, they may know; what they may not do,
    /// they are told with the scope that it takes (RFC 6750, 3.1).
    pub(crate) fn decide(self, by: &Identity, request: &HeaderMap) -> Leave {
        let (name, scope) = match self.0 {
            Asked::Operation(Operation { name, scope: Scope::Needs(scope), .. }) => (name, scope),
            Asked::Operation(_) => return Leave::Pass,
            Asked::Options(reply) => return Leave::Answer(reply),
            Asked::Nothing(problem) => return Leave::Nothing(problem),
        };
        if by.scopes.has(scope) && policy::allows(by.role.as_str(), scope) {
            return Leave::Pass;
        }
        log::refused(name, scope, &by.subject.to_string(), request);
        Leave::Forbid(forbidden(scope))
    }
}

fn forbidden(scope: &str) -> Problem {
    let challenge = format!(r#"Bearer realm="ward", error="insufficient_scope", scope="{scope}""#);
    let problem = Problem::new(FORBIDDEN)
        .detail(format!("This takes the scope {scope}, which your role does not have."));
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => problem.header(WWW_AUTHENTICATE, challenge),
        // A scope is made of letters: it always is a header's value.
        Err(_) => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use token::{Role, Scopes};

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn identity(role: &str, scopes: &[&str]) -> Identity {
        let nothing = ID.parse().unwrap();
        Identity {
            subject: nothing,
            role: Role::parse(role).unwrap(),
            scopes: Scopes::parse(&scopes.join(" ")).unwrap(),
            session: nothing,
            token_id: nothing,
            issued_at: 0,
            expires_at: 0,
        }
    }

    /// The status that a role gets before any component; 0 if it passes.
    fn status(role: &str, method: &str, target: &str) -> u16 {
        status_with(role, policy::scopes(role), method, target)
    }

    fn status_with(role: &str, scopes: &[&str], method: &str, target: &str) -> u16 {
        let wish = Wish::new(&method.parse().unwrap(), target);
        match wish.decide(&identity(role, scopes), &HeaderMap::new()) {
            Leave::Pass => 0,
            Leave::Answer(reply) => reply.status().as_u16(),
            Leave::Nothing(problem) | Leave::Forbid(problem) => problem.kind().status.as_u16(),
        }
    }

    #[test]
    fn roles_may_what_the_policy_says() {
        let patient = format!("/api/patients/{ID}");
        assert_eq!(status("NURSE", "GET", "/api/patients?limit=1"), 0);
        assert_eq!(status("NURSE", "HEAD", &patient), 0);
        assert_eq!(status("NURSE", "DELETE", &patient), 403);
        assert_eq!(status("NURSE", "DELETE", &format!("{patient}/?x#y")), 403);
        assert_eq!(status("ADMIN", "DELETE", &patient), 0);
        assert_eq!(status("AUDITOR", "HEAD", &patient), 403);
        assert_eq!(status("CLERK", "GET", &patient), 403);
    }

    #[test]
    fn a_token_allows_no_more_than_its_role_and_no_more_than_it_says() {
        let all: Vec<&str> = policy::scopes::ALL.iter().map(|(scope, _)| *scope).collect();
        let check = |role: &str, scopes: &[&str], method: &str, target: &str, expected: u16| {
            assert_eq!(status_with(role, scopes, method, target), expected, "{role} {target}");
        };
        let patient = format!("/api/patients/{ID}");
        check("NURSE", &all, "GET", &patient, 0);
        check("NURSE", &all, "DELETE", &patient, 403);
        check("ADMIN", &all, "GET", "/api/audit/patients", 403);
        check("CLERK", &all, "GET", &patient, 403);
        check("ADMIN", &["patient.read"], "GET", &patient, 0);
        check("ADMIN", &["patient.read"], "DELETE", &patient, 403);
    }

    #[test]
    fn what_is_in_no_table_goes_nowhere() {
        for role in ["ADMIN", "CLERK"] {
            assert_eq!(status(role, "GET", "/api/patients/x/y"), 404);
            assert_eq!(status(role, "GET", "/"), 404);
            assert_eq!(status(role, "GET", ""), 404);
            assert_eq!(status(role, "PATCH", "/api/patients"), 405);
            assert_eq!(status(role, "HEAD", "/api/analytics/stream"), 405);
            assert_eq!(status(role, "OPTIONS", "/api/patients/"), 204);
        }
    }

    #[test]
    fn only_what_the_policy_calls_public_is() {
        let public =
            |method: &str, target: &str| Wish::new(&method.parse().unwrap(), target).is_public();
        assert!(public("POST", "/auth/login"));
        assert!(!public("GET", "/auth/login"));
        assert!(!public("GET", "/api/patients"));
        assert!(!public("OPTIONS", "/api/patients"));
        assert!(!public("GET", "/nothing"));
    }

    #[test]
    fn a_refusal_names_the_scope() {
        let answer = forbidden("patient.write").into_reply(&HeaderMap::new());
        assert_eq!(
            answer.headers()["www-authenticate"],
            r#"Bearer realm="ward", error="insufficient_scope", scope="patient.write""#
        );
    }
}
