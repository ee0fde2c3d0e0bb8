//! A short run of `cargo xtask fuzz-api`: what is made up from the documents is answered as they
//! say.

use ward_tests::fuzz_api::{SERVICES, fuzz};
use ward_tests::{Options, Ward};

/// Requests for each operation. Whole runs have a hundred times as many.
const EXAMPLES: u32 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn the_services_answer_as_their_documents_say() {
    let ward = tokio::task::spawn_blocking(|| Ward::start(Options::demo())).await.expect("a ward");
    for service in SERVICES {
        let Some(fuzzed) = fuzz(&ward, service, EXAMPLES, 1) else { break };
        assert!(fuzzed.is_clean, "{}", fuzzed.report);
        assert!(fuzzed.cases > u64::from(EXAMPLES), "{}", fuzzed.report);
        // Audit logs are for others to read than all else is.
        let read = "SELECT 1 FROM audit_log WHERE action = 'AUDIT' AND outcome = 'SUCCESS' LIMIT 1";
        assert_eq!(ward.database(service).await.rows(read, &[]).await.len(), 1, "{service}");
        println!("{service}: {} requests", fuzzed.cases);
    }
    tokio::task::spawn_blocking(move || drop(ward)).await.expect("a stop");
}
