//! Billing over gRPC, by a client that was generated from what `ward wit proto` prints: with types
//! of its own, as clients of a service usually are.

use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use uuid::Uuid;
use ward_tests::{Patient, Repository, Ward};

#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    reason = "generated code"
)]
mod accounts {
    tonic::include_proto!("pms.billing.v1");
}

#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    reason = "generated code"
)]
mod legacy {
    tonic::include_proto!("_");
}

use accounts::accounts_client::AccountsClient;
use accounts::{AccountStatus, GetPatientAccountRequest, Money, Posting, StatementRequest};
use legacy::BillingRequest;
use legacy::billing_service_client::BillingServiceClient;

#[test]
fn the_client_is_generated_from_what_ward_prints() {
    let root = Repository::here().root().to_owned();
    for (file, arguments) in [
        ("accounts.proto", &["pms:billing/accounts"][..]),
        (
            "billing_service.proto",
            &["pms:billing/billing-service", "--package", "", "--service", "BillingService"],
        ),
    ] {
        let output = Ward::run(&[&["wit", "proto"], arguments].concat(), &root);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        expect_test::expect_file![root.join("docs/api").join(file)].assert_eq(&printed);
    }
}

#[tokio::test]
async fn an_account_by_types() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let token: AsciiMetadataValue = format!("Bearer {}", api.token()).parse().unwrap();
    let with_token = move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", token.clone());
        Ok(request)
    };
    let address = ward.listener("grpc").expect("a gRPC listener").to_owned();
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut billing = BillingServiceClient::with_interceptor(channel.clone(), with_token.clone());
    let mut accounts = AccountsClient::with_interceptor(channel.clone(), with_token);

    let created = api.created(&Patient::unique().json()).await;
    let patient_id = created["id"].as_str().unwrap().to_owned();
    let request = BillingRequest {
        patient_id: patient_id.clone(),
        name: "Ann".to_owned(),
        email: "ann@example.test".to_owned(),
    };
    let opened = billing.create_billing_account(request).await.unwrap().into_inner();
    assert_eq!(opened.status, "ACTIVE");
    let found = accounts.get_patient_account(GetPatientAccountRequest { patient_id }).await;
    let found = found.unwrap().into_inner();
    assert_eq!((&found.id, found.status()), (&opened.account_id, AccountStatus::Active));

    let charge = Posting {
        account_id: opened.account_id.clone(),
        entry_id: Uuid::new_v4().to_string(),
        amount: Some(Money { minor_units: 1250, currency: "EUR".to_owned() }),
        description: "Consultation".to_owned(),
    };
    let entry = accounts.post_charge(charge.clone()).await.unwrap().into_inner();
    assert_eq!(entry.id, charge.entry_id);
    let account_id = opened.account_id;
    let statement = accounts.get_statement(StatementRequest { account_id, ..Default::default() });
    let statement = statement.await.unwrap().into_inner();
    assert_eq!(statement.account.and_then(|account| account.balance), charge.amount);
    assert_eq!(statement.entries, [entry]);

    let wrong = accounts.post_charge(Posting { amount: None, ..charge }).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument, "{wrong:?}");
    let mut nobody = BillingServiceClient::new(channel);
    let unknown = nobody.create_billing_account(BillingRequest::default());
    assert_eq!(unknown.await.unwrap_err().code(), Code::Unauthenticated);
}
