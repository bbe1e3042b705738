//! What a plugin sends of its output through go-plugin's service for that: newer ones in Go take the two streams away from their
//! own process, and send them here.

use super::journal::Journal;
use super::output::Output;
use pitstop_rpc::proto::go_plugin::grpc_stdio_client::GrpcStdioClient;
use pitstop_rpc::proto::go_plugin::stdio_data::Channel as Which;
use pitstop_rpc::transport::Channel;

/// Logs it until it ends. Go answers with its first message only: nobody may wait for this.
pub(super) async fn follow(channel: Channel, journal: Journal) {
    let mut output = Output::new(journal);
    let mut client = GrpcStdioClient::new(channel).max_decoding_message_size(pitstop_rpc::ANY_SIZE);
    // One without the service has its two streams.
    let Ok(answer) = client.stream_stdio(()).await else { return };
    let mut stream = answer.into_inner();
    while let Ok(Some(data)) = stream.message().await {
        match data.channel() {
            Which::Stdout => output.chatter(&data.data),
            Which::Stderr => output.errors(&data.data),
            Which::Invalid => {}
        }
    }
    output.end();
}
