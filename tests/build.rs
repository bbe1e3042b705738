//! Compiles what the peers of the RPC tests say to each other, as a user's own build script would.

fn main() {
    let folder = "fixtures/go-plugin";
    println!("cargo::rerun-if-changed={folder}/peer.proto");
    let files = protox::compile(["peer.proto"], [folder]).expect("peer.proto is good");
    tonic_prost_build::configure().compile_fds(files).expect("code from peer.proto");
}
