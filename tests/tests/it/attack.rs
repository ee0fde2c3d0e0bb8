//! Attacks in which one client holds or wastes what all share, in full size and for a short time:
//! whoever asks beside them gets the right answer. How long that takes is for `cargo xtask attack`
//! to say, where nothing else runs.

use ward_tests::attack::{ATTACKS, Scale, raise_descriptors, ward};

/// Those that are over soon, and need no more than some thousand connections.
const CHEAP: [&str; 8] =
    ["bodies", "bodies-home", "bodies-h2", "resets", "streams", "calls", "watches", "method"];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_beside_an_attack_gets_the_right_answer() {
    raise_descriptors();
    let ward = ward();
    for name in CHEAP {
        let attack = ATTACKS.iter().find(|attack| attack.name == name).unwrap();
        let row = attack.run(&ward, Scale::TEST).await.with_log_of(&ward);
        println!("{row}");
        let (answers, wrong) = row.answers();
        assert!(row.happened() && answers > 0, "{row}");
        assert!(wrong.is_empty(), "{row}");
        assert!(!row.leaks(), "{row}");
    }
}
