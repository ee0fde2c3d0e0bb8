//! What people are told to type: the lines `ward up` prints and those in README.md are pasted into
//! a shell, as they are, and do what they say.

use std::process::Command;
use ward_tests::{Options, Repository, Ward};

#[tokio::test]
async fn lines_to_try_work_when_they_are_pasted() {
    let ward = Ward::start(Options::demo());
    let log = ward.log();
    let printed = log.split("To try:\n").nth(1).expect("ward says what to try");
    let printed = printed.split("\nCtrl-C").next().expect("text");
    let output = paste(printed);
    for expected in ["HTTP/1.1 201", "HTTP/1.1 200", "john.doe@example.com"] {
        assert!(output.contains(expected), "{expected} in {output}");
    }
    assert!(!output.contains("HTTP/1.1 4") && !output.contains("HTTP/1.1 5"), "{output}");

    let readme = Repository::here().read("README.md");
    let lines = readme.split("```sh\n").find(|block| block.contains("TOKEN=")).expect("lines");
    let lines = lines.split("```").next().expect("text");
    // The README's patient was not created by the lines above.
    let output = paste(&lines.replace("http://127.0.0.1:4004", ward.gateway()));
    // A body ends without a line of its own, so that the next answer may begin in its last line.
    let statuses: Vec<&str> = output.split("HTTP/1.1 ").skip(1).map(|text| &text[..3]).collect();
    assert_eq!(statuses, ["200", "200", "201", "200", "204", "201", "201"], "{output}");
    assert!(output.contains("\"description\":\"Card\",\"balanceAfter\""), "{output}");
    assert!(output.contains("rel=\"next\"") && output.contains("\"/colour\""), "{output}");
}

/// Runs lines as a shell would that they are pasted into.
fn paste(lines: &str) -> String {
    let output = Command::new("sh").args(["-c", lines]).output().expect("sh runs");
    let text = String::from_utf8(output.stdout).expect("text").replace('\r', "");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("not found"), "{errors}");
    text
}
