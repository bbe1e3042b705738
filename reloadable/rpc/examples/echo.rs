//! A plugin that shows what there is: a service, the broker in both directions, standard output and error, records.
//!
//! Its service is `pitstop.v1.Plugin`, by hand; one of your own `.proto` is added the same way.

use pitstop_rpc::plugin::{Orphan, Server, Session};
use pitstop_rpc::proto::pitstop::plugin_client::PluginClient;
use pitstop_rpc::proto::pitstop::plugin_server::{Plugin, PluginServer};
use pitstop_rpc::proto::pitstop::{
    DescribeRequest, Description, ProcessRequest, ProcessResponse, Restored, SaveRequest, Saved,
};
use pitstop_rpc::{ANY_SIZE, Broker};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

fn main() {
    // No other logger is there.
    let _ = pitstop_rpc::plugin::logger();
    let stays = std::env::args().any(|argument| argument == "--stays");
    Server::new()
        .versions(&[2, 3])
        .orphan(if stays { Orphan::Stays } else { Orphan::Ends })
        .services(|session: &Session, routes: Routes| {
            let echo = Echo { version: session.version, broker: session.broker.clone() };
            let server = PluginServer::new(echo);
            routes.add_service(server.max_decoding_message_size(ANY_SIZE).max_encoding_message_size(ANY_SIZE))
        })
        .serve()
}

struct Echo {
    version: u32,
    broker: Broker,
}

#[tonic::async_trait]
impl Plugin for Echo {
    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<Description>, Status> {
        let description =
            Description { name: "echo".to_owned(), version: self.version.to_string(), ..Description::default() };
        Ok(Response::new(description))
    }

    /// A verb and what it is to be done with.
    async fn process(&self, request: Request<ProcessRequest>) -> Result<Response<ProcessResponse>, Status> {
        let input = request.into_inner().input;
        let text = std::str::from_utf8(&input).unwrap_or_default();
        let output = match text.split_once(' ') {
            Some(("print", line)) => {
                println!("{line}");
                Vec::new()
            }
            Some(("complain", line)) => {
                eprintln!("{line}");
                Vec::new()
            }
            Some(("log", line)) => {
                log::warn!("{line}");
                Vec::new()
            }
            Some(("panic", message)) => panic!("{message}"),
            Some(("call", id)) => self.call(id).await?,
            Some(("serve", mark)) => self.serve(mark).await?,
            _ => input.to_vec(),
        };
        Ok(Response::new(ProcessResponse { output: output.into() }))
    }

    async fn save(&self, _request: Request<SaveRequest>) -> Result<Response<Saved>, Status> {
        Ok(Response::new(Saved { state: None }))
    }

    async fn restore(&self, _request: Request<Saved>) -> Result<Response<Restored>, Status> {
        Ok(Response::new(Restored {}))
    }
}

impl Echo {
    /// Calls what the host serves under a number.
    async fn call(&self, id: &str) -> Result<Vec<u8>, Status> {
        let id = id.parse().map_err(|_| Status::invalid_argument("no number"))?;
        let channel = self.broker.dial(id).await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = ProcessRequest { input: "from the plugin".into() };
        let answer = PluginClient::new(channel).process(request).await?;
        Ok(answer.into_inner().output.into())
    }

    /// Serves to the host, and returns the number.
    async fn serve(&self, mark: &str) -> Result<Vec<u8>, Status> {
        let id = self.broker.next_id();
        let side = Side(mark.to_owned());
        let served = self.broker.serve(id, Routes::new(PluginServer::new(side))).await;
        served.map_err(|error| Status::unavailable(error.to_string()))?.detach();
        Ok(id.to_string().into_bytes())
    }
}

/// What is served by the broker.
struct Side(String);

#[tonic::async_trait]
impl Plugin for Side {
    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<Description>, Status> {
        Ok(Response::new(Description { name: self.0.clone(), ..Description::default() }))
    }

    async fn process(&self, request: Request<ProcessRequest>) -> Result<Response<ProcessResponse>, Status> {
        let output = [self.0.as_bytes(), &request.into_inner().input].concat().into();
        Ok(Response::new(ProcessResponse { output }))
    }

    async fn save(&self, _request: Request<SaveRequest>) -> Result<Response<Saved>, Status> {
        Err(Status::unimplemented("nothing is kept"))
    }

    async fn restore(&self, _request: Request<Saved>) -> Result<Response<Restored>, Status> {
        Err(Status::unimplemented("nothing is kept"))
    }
}
