//! The gRPC rival: a server of tonic's own for the same service, written as its code generator
//! writes one, with messages of prost's. It does what the guest `clerk` does. Run as a process of
//! its own by the benchmark `grpc`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::Result;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

/// With this for its only argument, this program is the rival.
pub(crate) const ARGUMENT: &str = "--native-grpc";

/// The method that is called.
pub(crate) const PATH: &str = "/BillingService/CreateBillingAccount";

/// What is asked.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BillingRequest {
    #[prost(string, tag = "1")]
    pub(crate) patient_id: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) email: String,
}

/// What is answered.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BillingResponse {
    #[prost(string, tag = "1")]
    pub(crate) account_id: String,
    #[prost(string, tag = "2")]
    pub(crate) status: String,
}

/// Serves until it is killed, and prints where.
pub(crate) async fn serve() -> Result<()> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("native http://{}", incoming.local_addr()?);
    tonic::transport::Server::builder().add_service(Clerk).serve_with_incoming(incoming).await?;
    Ok(())
}

#[derive(Clone)]
struct Clerk;

impl NamedService for Clerk {
    const NAME: &'static str = "BillingService";
}

impl UnaryService<BillingRequest> for Clerk {
    type Response = BillingResponse;
    type Future = Ready<Result<Response<BillingResponse>, Status>>;

    fn call(&mut self, request: Request<BillingRequest>) -> Self::Future {
        let BillingRequest { patient_id, email, .. } = request.into_inner();
        ready(if email.is_empty() {
            Err(Status::new(Code::InvalidArgument, "email"))
        } else {
            let status = "ACTIVE".to_owned();
            Ok(Response::new(BillingResponse { account_id: patient_id, status }))
        })
    }
}

impl Service<http::Request<Body>> for Clerk {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() != PATH {
                return Ok(Status::new(Code::Unimplemented, "").into_http());
            }
            let codec = ProstCodec::<BillingResponse, BillingRequest>::default();
            Ok(Grpc::new(codec).unary(Self, request).await)
        })
    }
}
