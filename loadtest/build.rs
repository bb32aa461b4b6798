//! Generates the server side of the Pub/Sub API from the published wire contract; needs no protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let contract = "../orgsim/proto/pubsub_api.proto";
    println!("cargo::rerun-if-changed={contract}");
    let descriptors = protox::compile([contract], ["../orgsim/proto"])?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
