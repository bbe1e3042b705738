//! The service that streams what was written.

use super::Buffer;
use crate::proto::go_plugin::StdioData;
use crate::proto::go_plugin::grpc_stdio_server::GrpcStdio;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// The service.
pub(crate) struct Stdio(Arc<Buffer>);

impl Stdio {
    pub(super) fn new(buffer: Arc<Buffer>) -> Self {
        Self(buffer)
    }
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = ReceiverStream<Result<StdioData, Status>>;

    async fn stream_stdio(&self, _request: Request<()>) -> Result<Response<Self::StreamStdioStream>, Status> {
        let (sender, receiver) = mpsc::channel(1);
        let buffer = self.0.clone();
        tokio::spawn(async move {
            let _listening = buffer.listen();
            loop {
                let next = tokio::select! {
                    next = buffer.next() => next,
                    () = sender.closed() => None,
                };
                let Some(next) = next else { return };
                if let Err(mpsc::error::SendError(Ok(unsent))) = sender.send(Ok(next)).await {
                    buffer.put_back(unsent);
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
