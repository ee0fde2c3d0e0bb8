//! Test guest: exports the interface `work` and answers each call with one to whoever provides it
//! the same interface. Links in a chain are made of it, and the benchmark's calls.

mod bindings;

use bindings::exports::test::links::work as ours;
use bindings::test::links::work as theirs;

struct Relay;

#[allow(
    unsafe_code,
    unreachable_pub,
    reason = "generated code: what a component exports are symbols, which is unsafe to promise"
)]
mod exported {
    crate::bindings::export!(Relay with_types_in crate::bindings);
    use super::Relay;
}

fn task(task: ours::Task) -> theirs::Task {
    match task {
        ours::Task::Answer => theirs::Task::Answer,
        ours::Task::Count => theirs::Task::Count,
        ours::Task::Trap => theirs::Task::Trap,
        ours::Task::Spin => theirs::Task::Spin,
        ours::Task::Allocate => theirs::Task::Allocate,
        ours::Task::Sleep(ms) => theirs::Task::Sleep(ms),
        ours::Task::Refuse => theirs::Task::Refuse,
        ours::Task::TrapLater => theirs::Task::TrapLater,
    }
}

fn refusal(refusal: theirs::Refusal) -> ours::Refusal {
    match refusal {
        theirs::Refusal::NotFound(text) => ours::Refusal::NotFound(text),
        theirs::Refusal::Unavailable(text) => ours::Refusal::Unavailable(text),
        theirs::Refusal::Internal(text) => ours::Refusal::Internal(text),
    }
}

impl ours::Guest for Relay {
    async fn perform(what: ours::Task) -> Result<u32, ours::Refusal> {
        theirs::perform(task(what)).await.map_err(refusal)
    }

    async fn perform_code(what: ours::Task) -> Result<u32, ours::Code> {
        theirs::perform_code(task(what)).await.map_err(|code| match code {
            theirs::Code::NotFound => ours::Code::NotFound,
            theirs::Code::Internal => ours::Code::Internal,
        })
    }

    async fn perform_text(what: ours::Task) -> Result<u32, String> {
        theirs::perform_text(task(what)).await
    }

    async fn perform_odd(what: ours::Task) -> Result<u32, ours::Odd> {
        let theirs = theirs::perform_odd(task(what)).await;
        theirs.map_err(|theirs::Odd::Unavailable(number)| ours::Odd::Unavailable(number))
    }

    async fn perform_plain(what: ours::Task) -> u32 {
        theirs::perform_plain(task(what)).await
    }

    fn perform_sync(what: ours::Task) -> Result<u32, ours::Refusal> {
        theirs::perform_sync(task(what)).map_err(refusal)
    }

    async fn variable(name: String) -> Result<String, String> {
        theirs::variable(name).await
    }

    async fn enrol(person: ours::Person) -> Result<ours::Receipt, ours::Refusal> {
        let receipt = theirs::enrol(handed_on(person)).await.map_err(refusal)?;
        Ok(ours::Receipt { id: receipt.id, status: receipt.status })
    }

    async fn repeat(times: u32) -> u32 {
        let mut sum = 0;
        for _ in 0..times {
            sum += theirs::perform_plain(theirs::Task::Answer).await;
        }
        sum
    }

    async fn repeat_enrol(times: u32) -> u32 {
        let id = || "123e4567-e89b-12d3-a456-426614174000".to_owned();
        let mut sum = 0;
        for _ in 0..times {
            let person = theirs::Person {
                id: id(),
                name: "Ada Lovelace".to_owned(),
                email: "ada@example.com".to_owned(),
                user_id: id(),
                role: "ADMIN".to_owned(),
                token_id: id(),
                request_id: id(),
            };
            sum += u32::from(theirs::enrol(person).await.is_ok());
        }
        sum
    }
}

fn handed_on(person: ours::Person) -> theirs::Person {
    theirs::Person {
        id: person.id,
        name: person.name,
        email: person.email,
        user_id: person.user_id,
        role: person.role,
        token_id: person.token_id,
        request_id: person.request_id,
    }
}
