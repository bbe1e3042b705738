//! The service by which the host ends the plugin.

use crate::proto::go_plugin::Empty;
use crate::proto::go_plugin::grpc_controller_server::{GrpcController, GrpcControllerServer};
use std::sync::Arc;
use tokio::sync::Notify;
use tonic::{Request, Response, Status};

/// The service, and what it tells.
pub(super) fn controller() -> (GrpcControllerServer<impl GrpcController>, Arc<Notify>) {
    let told = Arc::new(Notify::new());
    (GrpcControllerServer::new(Controller(told.clone())), told)
}

struct Controller(Arc<Notify>);

#[tonic::async_trait]
impl GrpcController for Controller {
    /// The answer goes out before the plugin ends.
    async fn shutdown(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.notify_one();
        Ok(Response::new(Empty {}))
    }
}
