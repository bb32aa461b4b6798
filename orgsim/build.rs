//! Generates the Pub/Sub API server from the published wire contract; needs no protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let contract = "proto/pubsub_api.proto";
    println!("cargo::rerun-if-changed={contract}");
    let descriptors = protox::compile([contract], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(true)
        .compile_fds(descriptors)?;
    Ok(())
}
