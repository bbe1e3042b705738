//! The adder that the two ends of the RPC tests serve to each other by the broker.

use crate::peer::adder_server::Adder as Service;
use crate::peer::{Pair, Sum};
use tonic::{Request, Response, Status};

/// Adds, and a little more, so that one end's is told from the other's.
#[derive(Clone, Copy, Debug)]
pub struct Adder {
    /// This much.
    pub more: i64,
}

#[tonic::async_trait]
impl Service for Adder {
    async fn add(&self, pair: Request<Pair>) -> Result<Response<Sum>, Status> {
        let Pair { one, other } = pair.into_inner();
        Ok(Response::new(Sum { sum: one + other + self.more }))
    }
}
