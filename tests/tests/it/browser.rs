//! The API's page as somebody sees it who has a browser and nothing else.

use ward_tests::browser::{self, Browser};
use ward_tests::{Patient, Repository, Ward, tools};

const CREATE: &str = ".opblock-post:has([data-path='/api/patients'])";

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_created_on_the_page() {
    let Some(driver) = browser::driver() else {
        // CI installs it, and so does `cargo xtask test` where it may.
        tools::skipped("no chromedriver here; install chromium and chromium-driver");
        return;
    };
    let ward = Ward::shared();
    let api = ward.user().await;
    let browser = Browser::start(&driver).await;
    browser.open(&format!("{}/api-docs", ward.gateway())).await;

    browser.click(".btn.authorize").await;
    browser.fill(".auth-container input", api.token()).await;
    browser.click(".auth-btn-wrapper .authorize").await;
    browser.click(".auth-btn-wrapper .btn-done").await;

    let patient = Patient::unique();
    browser.click(&format!("{CREATE} .opblock-summary-control")).await;
    browser.click(&format!("{CREATE} .try-out__btn")).await;
    browser.fill(&format!("{CREATE} textarea"), &patient.json().to_string()).await;
    browser.click(&format!("{CREATE} .execute")).await;
    let status = format!("{CREATE} .live-responses-table .response-col_status");
    let status = browser.text(&format!("{status}:not(.col_header)")).await;
    let picture = Repository::here().root().join("target/api-docs.png");
    std::fs::write(&picture, browser.screenshot().await).expect("a picture");
    assert!(status.starts_with("201"), "{status}, see {}", picture.display());

    let found = api.search(&serde_json::json!({"email": patient.email})).await;
    assert_eq!(found.json().as_array().map(Vec::len), Some(1), "{found:?}");
    browser.open(ward.gateway()).await;
    assert!(browser.text("main").await.contains("Read and try the API"));
    assert_eq!(browser.complaints().await, [] as [String; 0]);
    browser.close().await;
}
