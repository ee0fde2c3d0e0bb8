//! Test guest: what other components call. It exports interfaces of its own beside an HTTP
//! handler: values of every shape, work that ends well and badly, and a resource.

mod bindings;

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bindings::exports::test::links::counters::{self, GuestCounter};
use bindings::exports::test::links::shapes::{self, Everything, Leaf};
use bindings::exports::test::links::work::{self, Code, Odd, Person, Receipt, Refusal, Task};
use spin_sdk::http_service;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// HTTP is answered by the same component.
#[http_service]
async fn handle(_request: spin_sdk::http::Request) -> String {
    format!("called {} times\n", COUNT.load(Ordering::Relaxed))
}

struct Callee;

#[allow(
    unsafe_code,
    unreachable_pub,
    reason = "generated code: what a component exports are symbols, which is unsafe to promise"
)]
mod exported {
    crate::bindings::export!(Callee with_types_in crate::bindings);
    use super::Callee;
}

impl shapes::Guest for Callee {
    async fn echo(value: Everything) -> Everything {
        value
    }

    fn echo_sync(value: Everything) -> Everything {
        value
    }

    async fn join(left: Leaf, between: String, right: Leaf, times: u8) -> String {
        let between = between.repeat(times.into());
        format!("{}{between}{}", left.name, right.name)
    }

    async fn nothing() {}
}

impl work::Guest for Callee {
    async fn perform(task: Task) -> Result<u32, Refusal> {
        work(task).await.ok_or_else(|| Refusal::NotFound("refused".to_owned()))
    }

    async fn perform_code(task: Task) -> Result<u32, Code> {
        work(task).await.ok_or(Code::NotFound)
    }

    async fn perform_text(task: Task) -> Result<u32, String> {
        work(task).await.ok_or_else(|| "refused".to_owned())
    }

    async fn perform_odd(task: Task) -> Result<u32, Odd> {
        work(task).await.ok_or(Odd::Unavailable(7))
    }

    async fn perform_plain(task: Task) -> u32 {
        work(task).await.unwrap_or(0)
    }

    fn perform_sync(task: Task) -> Result<u32, Refusal> {
        at_once(&task).ok_or_else(|| Refusal::NotFound("refused".to_owned()))
    }

    async fn variable(name: String) -> Result<String, String> {
        spin_sdk::variables::get(&name).await.map_err(|error| format!("{error:?}"))
    }

    async fn enrol(person: Person) -> Result<Receipt, Refusal> {
        Ok(Receipt { id: person.id, status: "ACTIVE".to_owned() })
    }

    async fn repeat(times: u32) -> u32 {
        (0..times).map(|_| at_once(&black_box(Task::Answer)).unwrap_or(0)).sum()
    }

    async fn repeat_enrol(times: u32) -> u32 {
        times
    }
}

/// Does what is asked; `None` is a refusal.
async fn work(task: Task) -> Option<u32> {
    COUNT.fetch_add(1, Ordering::Relaxed);
    match task {
        Task::Sleep(ms) => {
            spin_sdk::time::sleep(Duration::from_millis(ms.into())).await;
            Some(1)
        }
        Task::TrapLater => {
            spin_sdk::wasip3::spawn(async {
                spin_sdk::time::sleep(Duration::from_millis(20)).await;
                std::process::abort();
            });
            Some(1)
        }
        task => at_once(&task),
    }
}

fn at_once(task: &Task) -> Option<u32> {
    match task {
        Task::Count => Some(COUNT.load(Ordering::Relaxed)),
        Task::Trap => std::process::abort(),
        Task::Spin => loop {
            std::hint::spin_loop();
        },
        Task::Allocate => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 20]);
                black_box(&kept);
            }
        }
        Task::Refuse => None,
        Task::Answer | Task::Sleep(_) | Task::TrapLater => Some(1),
    }
}

struct Counter(Cell<u32>);

impl counters::Guest for Callee {
    type Counter = Counter;

    async fn variable(name: String) -> Result<String, String> {
        <Callee as work::Guest>::variable(name).await
    }
}

impl GuestCounter for Counter {
    fn new(start: u32) -> Self {
        Self(Cell::new(start))
    }

    fn next(&self) -> u32 {
        let next = self.0.get() + 1;
        self.0.set(next);
        next
    }
}
