//! Makes a client and a server of `../../proto/kv.proto`. No `protoc` is needed.

fn main() {
    println!("cargo::rerun-if-changed=../../proto/kv.proto");
    let files = protox::compile(["kv.proto"], ["../../proto"]).expect("kv.proto is good");
    tonic_prost_build::configure().compile_fds(files).expect("code from kv.proto");
}
