//! For tests: a plugin whose output is its input, behind a mark.

use crate::ANY_SIZE;
use crate::proto::pitstop::plugin_client::PluginClient;
use crate::proto::pitstop::plugin_server::{Plugin, PluginServer};
use crate::proto::pitstop::{
    DescribeRequest, Description, ProcessRequest, ProcessResponse, Restored, SaveRequest, Saved,
};
use crate::transport::Channel;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

struct Echo(&'static str);

/// Its service.
pub(crate) fn echo(mark: &'static str) -> Routes {
    let server = PluginServer::new(Echo(mark));
    Routes::new(server.max_decoding_message_size(ANY_SIZE).max_encoding_message_size(ANY_SIZE))
}

/// Calls it.
pub(crate) async fn call(channel: Channel, input: impl Into<Vec<u8>>) -> Result<Vec<u8>, Status> {
    let mut client = PluginClient::new(channel).max_decoding_message_size(ANY_SIZE);
    let output = client.process(ProcessRequest { input: input.into().into() }).await?;
    Ok(output.into_inner().output.into())
}

#[tonic::async_trait]
impl Plugin for Echo {
    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<Description>, Status> {
        Ok(Response::new(Description { name: self.0.to_owned(), ..Description::default() }))
    }

    async fn process(&self, request: Request<ProcessRequest>) -> Result<Response<ProcessResponse>, Status> {
        let input = request.into_inner().input;
        if let Ok(length) = std::str::from_utf8(&input).unwrap_or_default().trim_start_matches("fail ").parse() {
            return Err(Status::unknown("x".repeat(length)));
        }
        Ok(Response::new(ProcessResponse { output: [self.0.as_bytes(), &input].concat().into() }))
    }

    async fn save(&self, _request: Request<SaveRequest>) -> Result<Response<Saved>, Status> {
        Err(Status::unimplemented("nothing is kept"))
    }

    async fn restore(&self, _request: Request<Saved>) -> Result<Response<Restored>, Status> {
        Err(Status::unimplemented("nothing is kept"))
    }
}
